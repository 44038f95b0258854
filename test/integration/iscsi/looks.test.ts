/** The program that runs on iSCSI servers, and who waits for it: here it runs on this machine, with sockets as sshd gives them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { AGENT_ARGV, composeProgram, requestBytes } from '../../../src/drivers/storage/iscsi/agent.ts';

/** Target software whose every answer takes a minute, and says when it has begun. */
const slowSoftware = `
def server_of(request, backing):
    sys.stderr.write('begun')
    sys.stderr.flush()
    time.sleep(60)
`;
const slowStep = `${slowSoftware}
def op_grow(request):
    server_of(request, None)
`;

let running: ChildProcess | undefined;
afterEach(() => {
  running?.kill('SIGKILL');
});

/** Starts the program, and lets go of it once it is at work; undefined when it is still there after a while. */
const abandoned = async (op: string): Promise<number | null | undefined> => {
  const [program = '', ...args] = AGENT_ARGV;
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  running = child;
  const pool = { clusterId: 'c', poolUid: 'p', poolName: 'san' };
  const backing = { type: 'Files', path: '/nowhere' };
  // What comes last in the program wins.
  const text = composeProgram(slowSoftware).replace(/^OPERATIONS = /m, `${slowStep}\nOPERATIONS = `);
  child.stdin.end(requestBytes(text, { op, pool, backing, disk: '0a1b2c3d-1111-4222-8333-444455556666' }));
  await once(child.stderr, 'data');
  const gone = once(child, 'exit').then(([code]) => code as number | null);
  child.stdout.destroy();
  return Promise.race([
    gone,
    new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 5_000)),
  ]);
};

describe('a program on a server that nobody waits for any more', () => {
  it('ends when it only looks', async () => {
    for (const op of ['see', 'survey']) expect(await abandoned(op), op).toBe(1);
  });

  it('goes on when it is a step', async () => {
    expect(await abandoned('grow')).toBeUndefined();
  });
});
