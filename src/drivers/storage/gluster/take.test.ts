import { describe, expect, it } from 'vitest';
import type { Gluster } from './command.ts';
import { parseAnswer } from './parse.ts';
import type { GlusterStep } from './steps.ts';
import { takeStep } from './take.ts';
import { type Answers, endpoints, fixture, identity, wish } from './testing.ts';

const never = new AbortController().signal;
const ok = '<cliOutput><opRet>0</opRet></cliOutput>';

/** Takes the step on servers with these answers and brick folders; what was told to change something. */
const taken = async (
  step: GlusterStep,
  answers: Answers,
  list: (server: string, path: string) => string = () => '.glusterfs',
) => {
  const told: string[] = [];
  const on = (server: string): Gluster => {
    const ask: Gluster['ask'] = async (words) => {
      const line = words.join(' ');
      const text = answers[line];
      if (text === undefined) told.push(line);
      return parseAnswer(text ?? ok);
    };
    return {
      server,
      ask,
      tell: ask,
      list: async (path) => list(server, path),
      mountPoint: async () => '/bricks',
    };
  };
  const fault = await takeStep({ identity, wish, endpoints, on }, step, never).then(
    () => undefined,
    (error: unknown) => error as { kind: string; reason: string; message: string },
  );
  return { told, fault };
};

describe('the removal of bricks whose data was moved', () => {
  const bricks = ['192.0.2.21:/bricks/b', '192.0.2.22:/bricks/b', '192.0.2.23:/bricks/b'];
  const step = { kind: 'dropBricks', server: 'g1', bricks } as const;
  const over: Answers = {
    'pool list': fixture('pool-list'),
    'volume info gv0': fixture('info-two-sets'),
    [`volume remove-brick gv0 ${bricks.join(' ')} status`]: fixture('remove-status').replaceAll(
      '<status>1<',
      '<status>3<',
    ),
  };

  it('happens while every server is connected', async () => {
    const { told, fault } = await taken(step, over);
    expect(fault).toBeUndefined();
    expect(told).toEqual([`volume remove-brick gv0 ${bricks.join(' ')} commit`]);
  });

  it('does not happen while one is away, whose files nobody can tell of', async () => {
    const { told, fault } = await taken(step, { ...over, 'pool list': fixture('pool-list-one-down') });
    expect(fault).toMatchObject({ kind: 'unreachable', reason: 'ServerDown' });
    expect(fault?.message).toContain('192.0.2.23');
    expect(told).toEqual([]);
  });
});

describe('the end of a volume', () => {
  const answers: Answers = { 'volume info gv0': fixture('info') };
  const own = ['.glusterfs', '.shard', '.glusterfs-anonymous-inode-d8e2', `ovcp-pool-${identity.poolUid}`];

  it.each(['stop', 'delete'] as const)('%s: happens when nothing is on it', async (kind) => {
    const { told, fault } = await taken({ kind, server: 'g1' }, answers, () => own.join('\n'));
    expect(fault).toBeUndefined();
    expect(told).toEqual([`volume ${kind} gv0`]);
  });

  it.each(['stop', 'delete'] as const)('%s: does not happen over files of others', async (kind) => {
    const { told, fault } = await taken({ kind, server: 'g1' }, answers, (server) =>
      server === 'g2' ? [...own, 'thesis.pdf'].join('\n') : '.glusterfs',
    );
    expect(fault).toMatchObject({ kind: 'invalid', reason: 'WaitingForDependents' });
    expect(fault?.message).toContain('files on it: thesis.pdf.');
    expect(told).toEqual([]);
  });
});
