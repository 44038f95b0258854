import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GlusterWish, PoolIdentity } from '../../../src/drivers/storage/contract.ts';
import {
  brick,
  failure,
  faultOf,
  identity,
  info,
  inventory,
  never,
  open,
  setOf,
  startWorld,
  volumes,
  type World,
  walk,
  wishOf,
} from './world.ts';

describe('Gluster volumes that are not ours, or not yet', { timeout: 400_000 }, () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
    const server = open(world, wishOf(world, 'gv0'));
    await walk(server);
    await server.close();
  });
  afterAll(() => world.stop());

  it('leaves a volume of another installation, of another pool and of nobody exactly as it is', async () => {
    const [g1] = world.nodes;
    const before = await inventory(g1);
    const strangers: [PoolIdentity, GlusterWish, string][] = [
      [{ ...identity, clusterId: 'lab-two' }, wishOf(world, 'gv0'), 'ClaimedByOther'],
      [{ ...identity, poolUid: 'another' }, wishOf(world, 'gv0'), 'IdentityConflict'],
    ];
    for (const [who, wish, reason] of strangers) {
      const server = open(world, { ...wish, options: { 'network.ping-timeout': '9' } }, { identity: who });
      const { plan, seen } = await walk(server, ({ kind }) => kind === 'wait');
      expect(plan.health).toMatchObject({ state: 'Unusable', reason });
      expect(server.planRemoval(seen, true).kind).toBe('settled');
      const steps = ['profile', 'setOptions', 'stop', 'delete', 'unmark', 'mark'].map((kind) => ({
        kind,
        options: { 'auth.allow': '*' },
      }));
      for (const step of steps) {
        const detail = { ...step, server: 'g1', made: true };
        expect(await faultOf(server.take({ what: step.kind, detail }, never))).toMatchObject({
          kind: 'conflict',
        });
      }
      await server.close();
    }
    const other = world.nodes.map((node) => `${node.address}:${node.brickFolder}/theirs`);
    await g1.gluster('volume', 'create', 'theirs', 'replica', '3', ...other);
    const theirs = await inventory(g1);
    const server = open(world, wishOf(world, 'theirs', { replicaSets: [setOf(world, 'a', 'mine')] }));
    const { plan } = await walk(server, ({ kind }) => kind === 'wait');
    expect(plan.health).toMatchObject({ state: 'Unusable', reason: 'NameTaken' });
    await server.close();
    expect(await inventory(g1)).toBe(theirs);
    await g1.gluster('volume', 'delete', 'theirs');
    expect(await inventory(g1)).toBe(before);
  });

  it('explains folders that were part of a volume, with and without force, and writes over nothing', async () => {
    const [g1, , g3] = world.nodes;
    const used = {
      replicaSets: [{ name: 'a', bricks: world.nodes.map((node) => brick(node, node.name, 'theirs')) }],
    };
    const hash = async (): Promise<string> =>
      (await g3.exec(['getfattr', '-d', '-m', '.', '-e', 'hex', `${g3.brickFolder}/theirs`])).stdout;
    // One that held nothing is made anew; this one holds something.
    await g3.exec(['touch', `${g3.brickFolder}/theirs/kept`]);
    const before = await hash();
    expect(before).toContain('trusted.glusterfs.volume-id');
    const plain = open(world, wishOf(world, 'again', used));
    const fault = await failure(plain);
    expect(fault).toMatchObject({ kind: 'invalid', reason: 'BrickInUse' });
    expect(fault.message).toContain('already part of a volume');
    expect(fault.message).toContain('nothing is written over it');
    await plain.close();
    const running = open(world, wishOf(world, 'again', { replicaSets: [setOf(world, 'a', 'gv0')] }));
    expect(await failure(running)).toMatchObject({ kind: 'invalid', reason: 'BrickInUse' });
    await running.close();
    const forced = open(
      world,
      wishOf(world, 'again', { replicaSets: [setOf(world, 'a', 'gv0')], force: true }),
    );
    expect(await failure(forced)).toMatchObject({ kind: 'invalid', reason: 'BrickInUse' });
    await forced.close();
    expect(await hash()).toBe(before);
    expect(await volumes(g1)).toEqual(['gv0']);
  });

  it('explains bricks on the root file system, and makes them when force is set', async () => {
    const [g1] = world.nodes;
    const replicaSets = [
      {
        name: 'a',
        bricks: world.nodes.map((node) => ({
          name: node.name,
          server: node.name,
          path: '/var/lib/ovcp/rooted',
        })),
      },
    ];
    const server = open(world, wishOf(world, 'rooted', { replicaSets }));
    const fault = await failure(server);
    expect(fault).toMatchObject({ kind: 'invalid', reason: 'BrickUnsuitable' });
    expect(fault.message).toContain('root partition');
    expect(fault.message).toContain('set force');
    await server.close();
    const forced = open(world, wishOf(world, 'rooted', { replicaSets, force: true }));
    await walk(forced);
    expect((await info(g1, 'rooted')).get('Status')).toBe('Started');
    await walk(forced, undefined, (seen) => forced.planRemoval(seen, true));
    await forced.close();
    expect(await volumes(g1)).toEqual(['gv0']);
  });

  it('observes a volume without changing a thing, then adopts it with its data', async () => {
    const [g1] = world.nodes;
    const bricks = world.nodes.map((node) => `${node.address}:${node.brickFolder}/old`);
    await g1.gluster('volume', 'create', 'old', 'replica', '3', ...bricks);
    await g1.gluster('volume', 'start', 'old');
    const path = await world.client.mount(g1, 'old');
    await world.client.exec(['sh', '-c', 'echo kept > "$1/file"', 'sh', path]);
    const before = await inventory(g1);
    const observing = open(world, wishOf(world, 'old', { management: 'Observe', replicaSets: [] }));
    const { steps, plan, seen } = await walk(observing);
    expect([steps, plan.health.state, seen.origin]).toEqual([[], 'Healthy', 'Adopted']);
    expect(seen.components.filter(({ kind }) => kind === 'brick').map(({ state }) => state)).toEqual([
      'Up',
      'Up',
      'Up',
    ]);
    expect(observing.planRemoval(seen, true).kind).toBe('settled');
    await observing.close();
    expect(await inventory(g1)).toBe(before);
    const managing = open(world, wishOf(world, 'old', { replicaSets: [setOf(world, 'a', 'old')] }));
    expect((await walk(managing)).steps).toEqual(['mark volume', 'set options']);
    const lines = await info(g1, 'old');
    expect([lines.get('user.ovcp.origin'), lines.has('features.shard')]).toEqual(['adopted', false]);
    expect((await world.client.exec(['cat', `${path}/file`])).stdout).toBe('kept\n');
    await world.client.unmount(path);
    await walk(managing, undefined, (seen) => managing.planRemoval(seen, true));
    await managing.close();
    expect((await info(g1, 'old')).get('Status')).toBe('Started');
    await g1.gluster('volume', 'stop', 'old');
    await g1.gluster('volume', 'delete', 'old');
  });

  it('reports a volume that was deleted behind our back, and makes no other one over its bricks', async () => {
    const [g1] = world.nodes;
    const server = open(world, wishOf(world, 'brief'));
    await walk(server);
    await g1.gluster('volume', 'stop', 'brief');
    await g1.gluster('volume', 'delete', 'brief');
    const { plan } = await walk(server, ({ kind }) => kind === 'wait');
    expect(plan.health).toMatchObject({ state: 'Unusable', reason: 'VolumeLost' });
    await server.close();
    const restarted = open(world, wishOf(world, 'brief'));
    expect(await failure(restarted)).toMatchObject({ kind: 'invalid', reason: 'BrickInUse' });
    await restarted.close();
    const reminded = open(world, wishOf(world, 'brief'), { existed: () => true });
    const later = await walk(reminded, ({ kind }) => kind === 'wait');
    expect(later).toMatchObject({ steps: [], plan: { health: { reason: 'VolumeLost' } } });
    await reminded.close();
    expect(await volumes(g1)).toEqual(['gv0']);
  });
});
