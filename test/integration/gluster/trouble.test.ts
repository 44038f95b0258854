import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GlusterWish } from '../../../src/drivers/storage/contract.ts';
import {
  brick,
  bricksOn,
  faultOf,
  idOf,
  info,
  inventory,
  never,
  open,
  setOf,
  startWorld,
  volumes,
  type Walk,
  type World,
  walk,
  whole,
  wishOf,
} from './world.ts';

describe('trouble with Gluster servers', { timeout: 400_000 }, () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.stop());

  const converge = async (wish: GlusterWish, until?: Parameters<typeof walk>[1]): Promise<Walk> => {
    const server = open(world, wish);
    try {
      return await walk(server, until);
    } finally {
      await server.close();
    }
  };
  const waiting = (reason: string) => (plan: { kind: string; health: { reason: string } }) =>
    plan.kind === 'wait' && plan.health.reason === reason;

  it('waits for a server that is not there at creation, then makes the volume', async () => {
    const [g1, , g3] = world.nodes;
    await g3.powerLoss();
    const server = open(world, wishOf(world, 'gv0'));
    const { plan } = await walk(server, ({ health }) => health.message.includes('missing: g3.'));
    expect(plan).toMatchObject({ kind: 'wait', health: { state: 'Unusable', reason: 'ServerUnreachable' } });
    expect(await volumes(g1)).toEqual([]);
    await g3.powerOn();
    await walk(server);
    expect(await bricksOn(g1, 'gv0')).toHaveLength(3);
    await server.close();
  });

  it('goes on after a crash between any two steps, and after a server died in the middle of creation', async () => {
    const [g1, , g3] = world.nodes;
    const wish = wishOf(world, 'crashed');
    const taken: string[] = [];
    for (let done = false; !done; ) {
      // A new operator for each step: nothing is remembered but what is on the servers.
      const server = open(world, wish);
      const { plan } = await walk(server, ({ kind }) => kind === 'step' || kind === 'settled');
      done = plan.kind === 'settled';
      if (plan.kind === 'step') {
        if (plan.step.what === 'create volume' && !taken.includes(plan.step.what)) {
          await g3.powerLoss();
          expect(await faultOf(server.take(plan.step, never))).toMatchObject({
            kind: 'unreachable',
            reason: 'ServerUnreachable',
          });
          expect(await volumes(g1)).not.toContain('crashed');
          await g3.powerOn();
        } else await server.take(plan.step, never);
        taken.push(plan.step.what);
      }
      await server.close();
    }
    expect(taken.filter((what) => what !== 'probe peer')).toEqual([
      'create volume',
      'create volume',
      'mark volume',
      'set profile for machines',
      'set options',
      'start volume',
    ]);
    expect((await info(g3, 'crashed')).get('Status')).toBe('Started');
    const server = open(world, wish);
    await walk(server, undefined, (seen) => server.planRemoval(seen, true));
    await server.close();
  });

  it('refuses a host key that is not the pinned one, and says which server', async () => {
    const [g1, g2] = world.nodes;
    const { sshKnownHosts } = g2.credentials;
    const foreign = sshKnownHosts.replace(g2.address, g1.address);
    const endpoints = world.endpoints.map((endpoint) =>
      endpoint.name === 'g1'
        ? {
            ...endpoint,
            ssh: { ...endpoint.ssh, credentials: { ...endpoint.ssh.credentials, sshKnownHosts: foreign } },
          }
        : endpoint,
    );
    const before = await inventory(g1);
    const server = open(world, wishOf(world, 'gv0'), { endpoints });
    const { plan, seen } = await walk(server, ({ kind }) => kind === 'wait');
    expect(plan.health).toMatchObject({ state: 'Degraded', reason: 'ServerDown' });
    expect(seen.components.find(({ name }) => name === 'g1')?.message).toContain(
      'another key than the pinned ones',
    );
    await server.close();
    const alone = open(world, wishOf(world, 'gv0'), { endpoints: endpoints.slice(0, 1) });
    expect(await faultOf(alone.see(never))).toMatchObject({ kind: 'unreachable', reason: 'HostKeyMismatch' });
    await alone.close();
    expect(await inventory(g1)).toBe(before);
  });

  it('says which server is down, heals it when it is back, and does nothing disruptive meanwhile', async () => {
    const [g1, , g3] = world.nodes;
    const path = await world.client.mount(g1, 'gv0');
    await g3.powerLoss();
    await world.client.exec([
      'sh',
      '-c',
      'for i in 1 2 3 4 5; do head -c 100000 /dev/zero > "$1/f$i"; done',
      'sh',
      path,
    ]);
    const grown = wishOf(world, 'gv0', { replicaSets: [setOf(world, 'a', 'gv0'), setOf(world, 'b')] });
    const server = open(world, grown);
    const down = await walk(server, waiting('ServerDown'));
    expect(down.plan.health.state).toBe('Degraded');
    expect(down.plan.health.message).toContain('Adding set b waits: these servers are not connected: g3');
    expect(down.seen.components.filter(({ state }) => state !== 'Up').map(({ name }) => name)).toEqual([
      'g3',
      'a/a3',
    ]);
    expect(down.seen.heal?.pending).toBeGreaterThan(0);
    await server.close();
    const calm = open(world, wishOf(world, 'gv0'));
    expect((await walk(calm, waiting('BrickDown'))).plan.health.message).toContain('down: a/a3');
    await g3.powerOn();
    const { seen } = await walk(calm);
    expect(seen.heal).toEqual({ pending: 0, splitBrain: 0 });
    await whole(g1, 'gv0');
    await calm.close();
    await world.client.unmount(path);
    expect(await bricksOn(g1, 'gv0')).toHaveLength(3);
  });

  it('replaces a brick whose server is gone by one on another server', async () => {
    const [g1, g2, g3] = world.nodes;
    const path = await world.client.mount(g1, 'gv0');
    await g3.powerLoss();
    await world.client.exec(['sh', '-c', 'echo late > "$1/late"', 'sh', path]);
    const a = setOf(world, 'a', 'gv0');
    const wish = wishOf(world, 'gv0', {
      replicaSets: [
        { ...a, bricks: a.bricks.map((each) => (each.name === 'a3' ? brick(g2, 'a3', 'gv0-spare') : each)) },
      ],
    });
    const server = open(world, wish);
    await walk(server, (plan, seen) => waiting('ServerDown')(plan) && seen.heal?.pending === 0);
    expect(await bricksOn(g1, 'gv0')).toContain(idOf(g2, `${g2.brickFolder}/gv0-spare`));
    expect((await g2.exec(['cat', `${g2.brickFolder}/gv0-spare/late`])).stdout).toBe('late\n');
    await server.close();
    await world.client.unmount(path);
    await g3.powerOn();
    await g3.exec(['rm', '-rf', `${g3.brickFolder}/gv0`]);
    expect((await converge(wishOf(world, 'gv0'))).steps).toEqual(['replace brick']);
    await whole(g1, 'gv0');
  });

  it('says that it cannot be used while two of three are down, takes no step, and recovers', async () => {
    const [g1, g2, g3] = world.nodes;
    await Promise.all([g2.powerLoss(), g3.powerLoss()]);
    const server = open(world, wishOf(world, 'gv0', { options: { 'network.ping-timeout': '9' } }));
    const { steps, plan } = await walk(server, waiting('QuorumLost'));
    expect([steps, plan.health.state]).toEqual([[], 'Unusable']);
    expect((await info(g1, 'gv0')).get('network.ping-timeout')).toBe('20');
    await server.close();
    await Promise.all([g2.powerOn(), g3.powerOn()]);
    expect((await converge(wishOf(world, 'gv0'))).plan.health.state).toBe('Healthy');
  });

  it('names the files of a split-brain and resolves nothing', async () => {
    const [g1, g2, g3] = world.nodes;
    const off = [
      'cluster.self-heal-daemon',
      'cluster.data-self-heal',
      'cluster.metadata-self-heal',
      'cluster.entry-self-heal',
    ];
    await g1.gluster(
      'volume',
      'set',
      'gv0',
      'cluster.quorum-type',
      'none',
      ...off.flatMap((name) => [name, 'off']),
    );
    const path = await world.client.mount(g1, 'gv0');
    const write = (text: string) =>
      world.client.exec(['sh', '-c', 'echo "$2" > "$1/torn"', 'sh', path, text]);
    const folder = `${g1.brickFolder}/gv0`;
    const connected = (count: number) =>
      walk(
        open(world, wishOf(world, 'gv0', { management: 'Observe' })),
        (_, seen) =>
          seen.components.filter(({ kind, state }) => kind === 'brick' && state === 'Up').length === count,
      );
    await write('one');
    await Promise.all([g2.killBrick(folder), g3.killBrick(folder)]);
    await connected(1);
    await write('two and more');
    await g1.gluster('volume', 'start', 'gv0', 'force');
    await connected(3);
    await g1.killBrick(folder);
    await connected(2);
    await write('three');
    await g1.gluster('volume', 'start', 'gv0', 'force');
    await connected(3);
    await world.client.unmount(path);
    const server = open(
      world,
      wishOf(world, 'gv0', { replicaSets: [setOf(world, 'a', 'gv0'), setOf(world, 'b', 'b2')] }),
    );
    const { steps, plan, seen } = await walk(server, waiting('FilesInSplitBrain'));
    expect(steps).toEqual(['set options']);
    expect(plan.health.message).toContain('split-brain');
    expect(seen.heal?.splitBrain).toBe(1);
    await server.close();
    const calm = open(world, wishOf(world, 'gv0'));
    expect((await walk(calm, waiting('FilesInSplitBrain'))).plan.health.message).toContain('/torn');
    await calm.close();
    expect(await g1.gluster('volume', 'heal', 'gv0', 'info', 'split-brain')).toContain('/torn');
  });
});
