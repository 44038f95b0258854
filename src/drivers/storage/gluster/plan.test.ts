import { describe, expect, it } from 'vitest';
import type { GlusterWish, ServerPlan } from '../contract.ts';
import { plan } from './plan.ts';
import { planRemoval } from './plan-removal.ts';
import { type Answers, endpoints, fixture, healthy, identity, setA, setB, sweep, wish } from './testing.ts';

type Change = Partial<GlusterWish>;
const planFor = async (
  answers: Answers,
  change: Change = {},
  silent: readonly string[] = [],
): Promise<ServerPlan> => {
  const wanted = { ...wish, ...change };
  return plan({ identity, wish: wanted, endpoints, seen: await sweep(answers, { wish: wanted, silent }) });
};
const infoWith = (find: string | RegExp, put: string): Answers => ({
  ...healthy,
  'volume info gv0': fixture('info').replace(find, put),
});
const option = (name: string, value: string): string =>
  `<option><name>${name}</name><value>${value}</value></option></options>`;
const withOption = (answers: Answers, name: string, value: string): Answers => ({
  ...answers,
  'volume info gv0': (answers['volume info gv0'] ?? '').replace('</options>', option(name, value)),
});
const twoSets: Answers = {
  ...healthy,
  'volume info gv0': fixture('info-two-sets'),
  'volume status gv0 detail': fixture('status-detail-gv0').replace('</volume>', `${secondSet()}</volume>`),
  'volume heal gv0 info summary': fixture('heal-summary').replace('</bricks>', `${secondHeal()}</bricks>`),
};
function secondSet(): string {
  return [...fixture('status-detail-gv0').matchAll(/<node>.*?<\/node>/gs)]
    .join('')
    .replaceAll('/bricks/a', '/bricks/b');
}
function secondHeal(): string {
  return [...fixture('heal-summary').matchAll(/<brick .*?<\/brick>/gs)]
    .join('')
    .replaceAll('/bricks/a', '/bricks/b');
}
const stepIn = (planned: ServerPlan): unknown => (planned.kind === 'step' ? planned.step.detail : planned);

describe('a sweep', () => {
  it('asks each server once and one of them for the rest', async () => {
    const asked: string[] = [];
    const seen = await sweep(healthy, { asked });
    expect(asked).toHaveLength(3 + 4);
    expect(seen.space).toMatchObject({ capacityBytes: 510_873_600 });
    expect(seen.components.every(({ state }) => state === 'Up')).toBe(true);
    expect(seen.components.map(({ name }) => name)).toEqual(['g1', 'g2', 'g3', 'a/a1', 'a/a2', 'a/a3']);
    expect(seen.origin).toBe('Made');
  });

  it('tells a server that is silent from a brick that is down', async () => {
    const answers = { ...healthy, 'pool list': fixture('pool-list-one-down') };
    const seen = await sweep(answers, { silent: ['g3'] });
    const server = seen.components.find(({ name }) => name === 'g3');
    expect(server).toMatchObject({ state: 'Down', message: 'The server g3 cannot be asked: silence' });
    const cut = await sweep(healthy, { silent: ['g3'] });
    expect(cut.components.find(({ name }) => name === 'g3')).toMatchObject({ state: 'Unknown' });
  });

  it('fails when nobody answers', async () => {
    await expect(sweep(healthy, { silent: ['g1', 'g2', 'g3'] })).rejects.toMatchObject({
      kind: 'unreachable',
      reason: 'ServerUnreachable',
    });
  });
});

describe('the plan of a Gluster pool', () => {
  const absent: Answers = { ...healthy, 'volume info gv0': fixture('info-absent') };

  it('rests when all is as wished, in whatever order sets and bricks are listed', async () => {
    expect((await planFor(healthy)).kind).toBe('settled');
    const turned = { ...setA, bricks: setA.bricks.toReversed() };
    expect((await planFor(healthy, { replicaSets: [turned] })).kind).toBe('settled');
    expect((await planFor(twoSets, { replicaSets: [setB, setA] })).kind).toBe('settled');
  });

  it('makes the volume once all servers answer', async () => {
    expect(stepIn(await planFor(absent))).toEqual({ kind: 'create', server: 'g1' });
    const waiting = await planFor(absent, {}, ['g2']);
    expect(waiting).toMatchObject({
      kind: 'wait',
      health: { state: 'Unusable', reason: 'ServerUnreachable' },
    });
    expect(waiting.health.message).toContain('missing: g2');
  });

  it('changes nothing when it only observes', async () => {
    const observe = { management: 'Observe', replicaSets: [] } as const;
    expect(await planFor(absent, observe)).toMatchObject({
      kind: 'wait',
      health: { reason: 'VolumeNotFound' },
    });
    const drifted = infoWith('<value>198', '<value>198');
    expect((await planFor(drifted, observe)).kind).toBe('settled');
    expect(
      (await planFor(infoWith('<statusStr>Started', '<statusStr>Stopped'), observe)).health,
    ).toMatchObject({
      state: 'Unusable',
      reason: 'VolumeStopped',
    });
  });

  it.each([
    ['another installation', 'other/0b0c7d0e-0000-4000-8000-000000000001', 'ClaimedByOther'],
    ['another pool', 'lab/0b0c7d0e-0000-4000-8000-000000000002', 'IdentityConflict'],
  ])('leaves the volume of %s alone', async (_, owner, reason) => {
    const foreign = infoWith(/lab\/0b0c7d0e[^<]*/, owner);
    const planned = await planFor(foreign, { options: { 'network.ping-timeout': '9' } });
    expect(planned).toMatchObject({ kind: 'wait', health: { state: 'Unusable', reason } });
    const seen = await sweep(foreign);
    expect(planRemoval({ identity, wish, endpoints, seen }, true).kind).toBe('settled');
    expect(seen.origin).toBeUndefined();
  });

  it('takes a volume without a mark over only if its bricks are as listed', async () => {
    const unmarked = infoWith(/user\.ovcp\.owner/, 'user.other');
    expect(stepIn(await planFor(unmarked))).toEqual({ kind: 'mark', server: 'g1', made: false });
    expect(await planFor(unmarked, { replicaSets: [setB] })).toMatchObject({
      health: { reason: 'NameTaken' },
    });
    const fresh = {
      ...unmarked,
      'volume info gv0': (unmarked['volume info gv0'] ?? '').replace('>Started<', '>Created<'),
    };
    expect(stepIn(await planFor(fresh))).toEqual({ kind: 'mark', server: 'g1', made: true });
  });

  it('mends options of ours, leaves others, and never turns shards on over adopted files', async () => {
    const drifted = withOption(infoWith('<value>20</value>', '<value>7</value>'), 'user.mine', 'x');
    expect(stepIn(await planFor(drifted))).toMatchObject({ kind: 'setOptions' });
    const unsharded = infoWith(
      /<name>features.shard<\/name>\s*<value>on/,
      '<name>features.shard</name><value>off',
    );
    expect(stepIn(await planFor(unsharded))).toMatchObject({ options: { 'features.shard': 'on' } });
    const adopted = {
      ...unsharded,
      'volume info gv0': (unsharded['volume info gv0'] ?? '').replace('<value>made', '<value>adopted'),
    };
    expect((await planFor(adopted)).kind).toBe('settled');
    expect(await planFor(healthy, { options: { 'cluster.quorum-type': 'none' } })).toMatchObject({
      kind: 'wait',
      health: { reason: 'OptionRefused' },
    });
    expect(await planFor(healthy, { options: { 'features.shard-block-size': '16MB' } })).toMatchObject({
      kind: 'wait',
      health: { state: 'Degraded', reason: 'OptionRefused' },
    });
  });

  it('starts a stopped volume again', async () => {
    const stopped = infoWith('<statusStr>Started', '<statusStr>Stopped');
    const planned = await planFor(stopped);
    expect(stepIn(planned)).toEqual({ kind: 'start', server: 'g1' });
    expect(planned.health).toMatchObject({ state: 'Unusable', reason: 'VolumeStopped' });
  });

  const moved = {
    ...setA,
    bricks: setA.bricks.map((brick) => (brick.name === 'a3' ? { ...brick, path: '/bricks/new' } : brick)),
  };

  it('replaces a brick of the same name', async () => {
    expect(stepIn(await planFor(healthy, { replicaSets: [moved] }))).toEqual({
      kind: 'replaceBrick',
      server: 'g1',
      from: '192.0.2.23:/bricks/a',
      to: moved.bricks[2],
      blind: false,
    });
  });

  const brickDown = {
    ...healthy,
    'volume status gv0 detail': fixture('status-detail-gv0').replace(/(192\.0\.2\.22<.*?<status>)1/s, '$10'),
  };
  const healing = {
    ...healthy,
    'volume heal gv0 info summary': fixture('heal-summary').replace(
      '<numberOfEntriesInHealPending>0',
      '<numberOfEntriesInHealPending>7',
    ),
  };
  const split = {
    ...healthy,
    'volume heal gv0 info summary': fixture('heal-summary').replaceAll(
      '<numberOfEntriesInSplitBrain>0',
      '<numberOfEntriesInSplitBrain>1',
    ),
    'volume heal gv0 info split-brain': fixture('heal-split-brain'),
  };
  it.each([
    ['a brick is down', brickDown, [], 'BrickDown', 'a/a2'],
    ['entries wait for healing', healing, [], 'Healing', '7 entries wait for healing'],
    ['files are in split-brain', split, [], 'FilesInSplitBrain', '1 file is in split-brain'],
    [
      'a server is down',
      { ...healthy, 'pool list': fixture('pool-list-one-down') },
      ['g3'],
      'ServerDown',
      'g3',
    ],
  ] as const)('does nothing disruptive while %s', async (_, answers, silent, reason, words) => {
    for (const replicaSets of [[moved], [setA, setB]]) {
      const planned = await planFor(answers, { replicaSets }, silent);
      expect(planned).toMatchObject({ kind: 'wait', health: { state: 'Degraded', reason } });
      expect(planned.health.message).toContain(words);
    }
  });

  it('tells healing with counts, and split-brain by file', async () => {
    expect(await planFor(healing)).toMatchObject({
      kind: 'wait',
      pollMs: 5_000,
      health: { state: 'Degraded', reason: 'Healing', message: '7 entries are being healed.' },
    });
    expect((await planFor(split)).health).toEqual({
      state: 'Degraded',
      reason: 'FilesInSplitBrain',
      message: 'The copies of these files differ, and a person has to choose: /f.',
    });
  });

  it('replaces the brick that is down, and no other one', async () => {
    const replaced = {
      ...setA,
      bricks: setA.bricks.map((brick) => (brick.name === 'a2' ? { ...brick, path: '/bricks/new' } : brick)),
    };
    expect(stepIn(await planFor(brickDown, { replicaSets: [replaced] }))).toMatchObject({
      kind: 'replaceBrick',
      from: '192.0.2.22:/bricks/a',
      blind: true,
    });
    expect((await planFor(brickDown, { replicaSets: [moved] })).kind).toBe('wait');
  });

  it('adds a set, then spreads the files, and notes when that is done', async () => {
    const replicaSets = [setB, setA];
    expect(stepIn(await planFor(healthy, { replicaSets }))).toEqual({
      kind: 'addSet',
      server: 'g1',
      set: 'b',
    });
    const due = withOption(twoSets, 'user.ovcp.rebalance', 'due');
    expect(stepIn(await planFor(due, { replicaSets }))).toEqual({ kind: 'rebalance', server: 'g1' });
    const done = {
      ...withOption(twoSets, 'user.ovcp.rebalance', 'ab3aa6cf-523b-4d4e-b5e9-059269957798'),
      'volume status gv0': fixture('status-rebalance'),
      'volume rebalance gv0 status': fixture('rebalance-status'),
    };
    expect((await planFor(done, { replicaSets })).health).toMatchObject({
      state: 'Healthy',
      reason: 'Rebalancing',
    });
    const progress = fixture('rebalance-status').replaceAll('<status>1<', '<status>3<');
    const over = { ...done, 'volume rebalance gv0 status': progress };
    expect(stepIn(await planFor(over, { replicaSets }))).toEqual({ kind: 'rebalanced', server: 'g1' });
    const failed = { ...done, 'volume rebalance gv0 status': progress.replace('<failures>0', '<failures>2') };
    expect((await planFor(failed, { replicaSets })).health).toMatchObject({ reason: 'RebalanceFailed' });
    const reset = (name: string): string => fixture(name).replaceAll(/<status>[13]</g, '<status>9<');
    const replaced = { ...done, 'volume rebalance gv0 status': reset('rebalance-status') };
    expect(stepIn(await planFor(replaced, { replicaSets }))).toEqual({ kind: 'rebalance', server: 'g1' });
  });

  const bricksOfB = ['192.0.2.21:/bricks/b', '192.0.2.22:/bricks/b', '192.0.2.23:/bricks/b'];
  const emptying: Answers = {
    ...twoSets,
    'volume status gv0': fixture('status-remove'),
    [`volume remove-brick gv0 ${bricksOfB.join(' ')} status`]: fixture('remove-status'),
  };
  const emptied = (text: string): Answers => ({
    ...emptying,
    [`volume remove-brick gv0 ${bricksOfB.join(' ')} status`]: text,
  });

  it('empties a set that is no longer listed, and removes it only when every file has moved', async () => {
    expect(stepIn(await planFor(twoSets))).toEqual({ kind: 'emptyBricks', server: 'g1', bricks: bricksOfB });
    expect(await planFor(emptying)).toMatchObject({ kind: 'wait', health: { reason: 'Rebalancing' } });
    const over = fixture('remove-status').replaceAll('<status>1<', '<status>3<');
    expect(stepIn(await planFor(emptied(over)))).toEqual({
      kind: 'dropBricks',
      server: 'g1',
      bricks: bricksOfB,
    });
    for (const flaw of ['failures', 'skipped']) {
      const planned = await planFor(emptied(over.replace(`<${flaw}>0`, `<${flaw}>1`)));
      expect(planned).toMatchObject({ kind: 'wait', health: { reason: 'RebalanceFailed' } });
    }
  });

  it('calls the emptying of a set off that is listed', async () => {
    const planned = await planFor(emptying, { replicaSets: [setA, setB] });
    expect(stepIn(planned)).toEqual({ kind: 'keepBricks', server: 'g1', bricks: bricksOfB });
  });

  it('does not empty a set into others that have no room', async () => {
    const nodes = (twoSets['volume status gv0 detail'] ?? '').split(/(?=<node>)/);
    const detail = nodes.map((node) =>
      node.includes('/bricks/a<') ? node.replace(/<sizeFree>\d+/, '<sizeFree>1000') : node,
    );
    const full = { ...twoSets, 'volume status gv0 detail': detail.join('') };
    expect((await planFor(full)).health).toMatchObject({ state: 'Degraded', reason: 'StoragePoolFull' });
  });

  it.each([
    ['replica 2 without arbiter', { layout: { type: 'Replicate', replica: 2, arbiter: false } }],
    ['a set that is too small', { replicaSets: [{ ...setA, bricks: setA.bricks.slice(1) }] }],
    [
      'an unlisted server',
      { replicaSets: [{ ...setA, bricks: setA.bricks.map((brick) => ({ ...brick, server: 'x' })) }] },
    ],
    ['another layout than there is', { layout: { type: 'Replicate', replica: 2, arbiter: true } }],
  ] satisfies [string, Change][])('refuses %s', async (_, change) => {
    expect(await planFor(healthy, change)).toMatchObject({
      kind: 'wait',
      health: { reason: 'LayoutUnsuitable' },
    });
  });

  it('erases only what we made, and only when asked', async () => {
    const seen = await sweep(healthy);
    const input = { identity, wish, endpoints, seen };
    expect(stepIn(planRemoval(input, true))).toEqual({ kind: 'stop', server: 'g1' });
    expect(stepIn(planRemoval(input, false))).toEqual({ kind: 'unmark', server: 'g1' });
    const adopted = await sweep(infoWith('<value>made', '<value>adopted'));
    expect(stepIn(planRemoval({ ...input, seen: adopted }, true))).toEqual({ kind: 'unmark', server: 'g1' });
    const gone = planRemoval({ ...input, seen: await sweep(absent) }, true);
    expect(gone.health.message).toContain('192.0.2.21:/bricks/a');
    const observed = planRemoval({ ...input, wish: { ...wish, management: 'Observe' } }, true);
    expect(observed.kind).toBe('settled');
  });
});
