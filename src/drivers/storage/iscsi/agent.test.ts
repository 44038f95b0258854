import { describe, expect, it } from 'vitest';
import { AGENT_ARGV, composeProgram, faultOfExit, requestBytes, valueOf } from './agent.ts';
import { tgt } from './tgt/software.ts';

describe('a request to an iSCSI server', () => {
  it('is on standard input alone: the program and what is asked, each after its length', () => {
    const bytes = requestBytes('p = 1\n', { op: 'see', chap: { password: 'a-secret-ü' } }).toString('utf8');
    const json = JSON.stringify({ op: 'see', chap: { password: 'a-secret-ü' } });
    expect(bytes).toBe(`24\np = 1\n\nmain(OPERATIONS)\n${Buffer.byteLength(json)}\n${json}`);
    expect(AGENT_ARGV.join(' ')).not.toContain('see');
  });

  it('needs no escape that a template would swallow', () => {
    const program = composeProgram(tgt.program);
    expect(program).toContain("'\\\\u002a'");
    expect(program).not.toContain('undefined');
  });
});

describe('the answer', () => {
  it('is a value or a fault', () => {
    expect(valueOf('{"value": [1]}', 'target')).toEqual([1]);
    // Blanks come while a volume is zeroed.
    expect(valueOf('   {"value": [1]}', 'target')).toEqual([1]);
    const fault = '{"fault": {"kind": "busy", "message": "another step works on it", "reason": null}}';
    expect(() => valueOf(fault, 'target')).toThrow('On server target: another step works on it.');
  });

  it.each(['', 'Welcome!', '{"fault": {"kind": "odd"}}', '[]'])('is a Fault when it is %j', (text) => {
    expect(() => valueOf(text, 'target')).toThrow('cannot be read');
  });

  it('is missing for a reason that is told', () => {
    expect(faultOfExit(127, '', 'target')).toMatchObject({ kind: 'unsupported' });
    expect(faultOfExit(1, 'sudo: a password is required', 'target')).toMatchObject({ reason: 'SudoRefused' });
    expect(faultOfExit(1, 'Traceback: a-secret', 'target').message).not.toContain('a-secret');
  });
});
