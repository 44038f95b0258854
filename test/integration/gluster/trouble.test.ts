import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GlusterWish } from '../../../src/drivers/storage/contract.ts';
import {
  bricksOn,
  faultOf,
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

  it('S22: refuses a host key that is not the pinned one, and says which server', async () => {
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
});
