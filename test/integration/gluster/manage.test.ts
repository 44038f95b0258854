import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GlusterWish } from '../../../src/drivers/storage/contract.ts';
import { createServerLinks, dialServer } from '../../../src/drivers/storage/server-link.ts';
import { createNotes } from '../../bench/harness/notes.ts';
import {
  brick,
  bricksOn,
  failure,
  identity,
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

describe('a Gluster pool on three servers', { timeout: 400_000 }, () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.stop());

  /** Opens, converges, closes. */
  const converge = async (wish: GlusterWish): Promise<Walk> => {
    const server = open(world, wish);
    try {
      return await walk(server);
    } finally {
      await server.close();
    }
  };
  /** What goes over SSH for one. */
  const commandsOfSweep = async (): Promise<number> => {
    const notes = createNotes();
    const links = createServerLinks(notes.connect(dialServer));
    const server = open(world, wishOf(world, 'gv0'), { links });
    await server.see(never);
    await server.close();
    return notes.ssh().commands;
  };
  const files = Array.from({ length: 24 }, (_, index) => `file-${index}`);
  const put = async (path: string): Promise<void> => {
    const script =
      'cd "$1" && shift && for f; do head -c 1000000 /dev/zero > "$f" && echo "$f" >> "$f" || exit 1; done';
    await world.client.exec(['sh', '-c', script, 'sh', path, ...files]);
  };
  const sums = async (path: string): Promise<string> =>
    (await world.client.exec(['sh', '-c', 'cd "$1" && find . -type f | sort | xargs md5sum', 'sh', path]))
      .stdout;

  it('is made from nothing: peers, volume, profile, mark, access, start', async () => {
    const [g1, g2, g3] = world.nodes;
    const { steps, plan, seen, told } = await converge(
      wishOf(world, 'gv0', { options: { 'features.shard-block-size': '16MB' } }),
    );
    expect(steps.filter((step) => step !== 'probe peer')).toEqual([
      'create volume',
      'mark volume',
      'set profile for machines',
      'set options',
      'start volume',
    ]);
    expect(told.map(({ state }) => state)).toContain('Unusable');
    expect(plan.health).toEqual({
      state: 'Healthy',
      reason: 'Ready',
      message: 'The volume gv0 is started, and all of its 3 bricks are up.',
    });
    expect(seen.components.map(({ kind, name, state }) => `${kind} ${name} ${state}`)).toEqual([
      ...['g1', 'g2', 'g3'].map((name) => `server ${name} Up`),
      ...['a/a1', 'a/a2', 'a/a3'].map((name) => `brick ${name} Up`),
    ]);
    expect(seen.heal).toEqual({ pending: 0, splitBrain: 0 });
    expect(seen.space?.capacityBytes).toBeGreaterThan(400 * 1024 * 1024);
    for (const node of [g1, g2, g3]) {
      const lines = await info(node, 'gv0');
      expect(lines.get('Type')).toBe('Replicate');
      expect(lines.get('Status')).toBe('Started');
      expect(lines.get('features.shard')).toBe('on');
      expect(lines.get('features.shard-block-size')).toBe('16MB');
      expect(lines.get('cluster.quorum-type')).toBe('auto');
      expect(lines.get('user.ovcp.owner')).toBe(`${identity.clusterId}/${identity.poolUid}`);
      expect(lines.get('user.ovcp.origin')).toBe('made');
      expect(lines.get('auth.allow')?.split(',').toSorted()).toEqual(
        [...world.nodes, world.client].map(({ address }) => address).toSorted(),
      );
    }
    expect(await bricksOn(g2, 'gv0')).toEqual(
      [g1, g2, g3].map((node) => idOf(node, `${node.brickFolder}/gv0`)),
    );
    // Every server is known to the others by the address of the spec: the first one was probed back.
    expect(await g2.gluster('--xml', 'pool', 'list')).toContain(`<hostname>${g1.address}</hostname>`);
  });

  it('does nothing once it is as it should be, and every step taken again changes nothing', async () => {
    const server = open(world, wishOf(world, 'gv0', { options: { 'features.shard-block-size': '16MB' } }));
    const before = await inventory(world.nodes[0]);
    expect((await walk(server)).steps).toEqual([]);
    for (const detail of [
      { kind: 'create' },
      { kind: 'mark', made: false },
      { kind: 'start' },
      { kind: 'profile' },
    ]) {
      await server.take({ what: detail.kind, detail: { ...detail, server: 'g1' } }, never);
    }
    expect((await walk(server)).steps).toEqual([]);
    expect(await inventory(world.nodes[0])).toBe(before);
    await server.close();
  });

  it('lets in its clients and nobody else, and mends options that a hand changed', async () => {
    const [g1] = world.nodes;
    const empty = await commandsOfSweep();
    const path = await world.client.mount(g1, 'gv0');
    await put(path);
    await world.client.unmount(path);
    // A sweep costs what it costs, whatever is on the volume: one command for each server's peers, and four.
    expect([empty, await commandsOfSweep()]).toEqual([7, 7]);
    const { steps } = await converge(wishOf(world, 'gv0', { clients: [] }));
    expect(steps).toEqual(['set options']);
    await expect(world.client.mount(g1, 'gv0')).rejects.toThrow('ended with');
    await g1.gluster('volume', 'set', 'gv0', 'network.ping-timeout', '7');
    await g1.gluster('volume', 'set', 'gv0', 'performance.read-ahead', 'on');
    await g1.gluster('volume', 'set', 'gv0', 'user.mine', 'kept');
    expect((await converge(wishOf(world, 'gv0'))).steps).toEqual(['set options']);
    const lines = await info(g1, 'gv0');
    expect([lines.get('network.ping-timeout'), lines.get('performance.read-ahead')]).toEqual(['20', 'off']);
    expect(lines.get('user.mine')).toBe('kept');
  });

  it('is started again when somebody stops it', async () => {
    const [g1] = world.nodes;
    await g1.gluster('volume', 'stop', 'gv0');
    const { steps, told } = await converge(wishOf(world, 'gv0'));
    expect(steps).toEqual(['start volume']);
    expect(told[0]).toMatchObject({ state: 'Unusable', reason: 'VolumeStopped' });
    expect((await info(g1, 'gv0')).get('Status')).toBe('Started');
  });

  it('grows by a set and spreads its files, even when the operator dies in between', async () => {
    const [g1] = world.nodes;
    const path = await world.client.mount(g1, 'gv0');
    const before = await sums(path);
    expect(before.trim().split('\n')).toHaveLength(files.length);
    const wish = wishOf(world, 'gv0', { replicaSets: [setOf(world, 'b'), setOf(world, 'a', 'gv0')] });
    const first = open(world, wish);
    await walk(first, (plan) => plan.kind === 'step' && plan.step.what === 'start rebalance');
    await first.close();
    const { steps, told } = await converge(wish);
    expect(steps[0]).toBe('start rebalance');
    expect(told.map(({ reason }) => reason)).toContain('Rebalancing');
    expect(await bricksOn(g1, 'gv0')).toHaveLength(6);
    expect(await g1.gluster('volume', 'rebalance', 'gv0', 'status')).toContain('completed');
    const moved = (await g1.exec(['sh', '-c', 'ls "$1" | grep -c file-', 'sh', `${g1.brickFolder}/b`]))
      .stdout;
    expect(Number(moved)).toBeGreaterThan(0);
    expect(await sums(path)).toBe(before);
    await world.client.unmount(path);
  });

  it('replaces a brick by one of the same name, waits for the healing, and loses nothing', async () => {
    const [g1, , g3] = world.nodes;
    const path = await world.client.mount(g1, 'gv0');
    const before = await sums(path);
    const a = setOf(world, 'a', 'gv0');
    const moved = {
      ...a,
      bricks: a.bricks.map((each) => (each.name === 'a3' ? brick(g3, 'a3', 'gv0-new') : each)).toReversed(),
    };
    const { steps } = await converge(wishOf(world, 'gv0', { replicaSets: [moved, setOf(world, 'b')] }));
    expect(steps).toEqual(['replace brick']);
    expect(await bricksOn(g1, 'gv0')).toContain(idOf(g3, `${g3.brickFolder}/gv0-new`));
    await whole(g1, 'gv0');
    const [there, origin] = await Promise.all(
      [g3, g1].map(async (node, index) => {
        const folder = `${node.brickFolder}/${index === 0 ? 'gv0-new' : 'gv0'}`;
        return (await node.exec(['sh', '-c', 'cd "$1" && ls | grep file-', 'sh', folder])).stdout;
      }),
    );
    expect(there).toBe(origin);
    expect(await sums(path)).toBe(before);
    await world.client.unmount(path);
  });

  it('refuses a replacement that would write over something, or that lies on the root file system', async () => {
    const [g1, , g3] = world.nodes;
    const before = await inventory(g1);
    const a = setOf(world, 'a', 'gv0');
    const at = (path: string): GlusterWish =>
      wishOf(world, 'gv0', {
        replicaSets: [
          { ...a, bricks: a.bricks.map((each) => (each.name === 'a3' ? { ...each, path } : each)) },
          setOf(world, 'b'),
        ],
      });
    const used = open(world, at(`${g3.brickFolder}/gv0`));
    expect(await failure(used)).toMatchObject({ kind: 'invalid', reason: 'BrickInUse' });
    await used.close();
    const root = open(world, at('/var/lib/ovcp/gv0'));
    expect(await failure(root)).toMatchObject({ kind: 'invalid', reason: 'BrickUnsuitable' });
    await root.close();
    expect(await inventory(g1)).toBe(before);
  });

  it('shrinks by a set after its data has moved, and leaves the folders', async () => {
    const [g1, , g3] = world.nodes;
    const path = await world.client.mount(g1, 'gv0');
    const before = await sums(path);
    const b = setOf(world, 'b');
    const { steps, told } = await converge(wishOf(world, 'gv0', { replicaSets: [b] }));
    expect(steps).toEqual(['move data off bricks', 'remove bricks']);
    expect(told.map(({ reason }) => reason)).toContain('Rebalancing');
    expect(await bricksOn(g1, 'gv0')).toEqual(world.nodes.map((node) => idOf(node, `${node.brickFolder}/b`)));
    expect(await sums(path)).toBe(before);
    await world.client.unmount(path);
    expect((await g3.exec(['ls', '-d', `${g3.brickFolder}/gv0-new`])).code).toBe(0);
  });

  it('is kept on removal without erase and can be taken over; adopted, it is never erased', async () => {
    const [g1] = world.nodes;
    const wish = wishOf(world, 'gv0', { replicaSets: [setOf(world, 'b')] });
    const server = open(world, wish);
    const kept = await walk(server, undefined, (seen) => server.planRemoval(seen, false));
    expect(kept.steps).toEqual(['release volume']);
    expect((await info(g1, 'gv0')).get('user.ovcp.owner')).toBe('none');
    const { steps } = await walk(server);
    expect(steps).toEqual(['mark volume']);
    expect((await info(g1, 'gv0')).get('user.ovcp.origin')).toBe('adopted');
    await walk(server, undefined, (seen) => server.planRemoval(seen, true));
    expect((await info(g1, 'gv0')).get('Status')).toBe('Started');
    await server.close();
    const path = await world.client.mount(g1, 'gv0');
    expect((await sums(path)).trim().split('\n')).toHaveLength(files.length);
    await world.client.unmount(path);
  });

  it.each([
    ['an arbiter', 'arb', { type: 'Replicate', replica: 3, arbiter: true }, 'Replicate', 'a'],
    ['plain bricks', 'dist', { type: 'Distribute' }, 'Distribute', 'a'],
    [
      'arbiters in two sets',
      'darb',
      { type: 'Replicate', replica: 2, arbiter: true },
      'Distributed-Replicate',
      'ab',
    ],
  ] as const)(
    'is made with %s, and erased, with its folders left',
    async (_, volume, layout, type, names) => {
      const [g1] = world.nodes;
      const sets =
        layout.type === 'Distribute'
          ? world.nodes.map((node) => ({ name: node.name, bricks: [brick(node, 'x', volume)] }))
          : names.split('').map((name) => setOf(world, name, `${volume}-${name}`));
      const others = (await volumes(g1)).filter((name) => name !== volume);
      const server = open(world, wishOf(world, volume, { layout, replicaSets: sets }));
      await walk(server);
      expect((await info(g1, volume)).get('Type')).toBe(type);
      const arbiters = (await g1.gluster('volume', 'info', volume)).match(/\(arbiter\)/g) ?? [];
      expect(arbiters).toHaveLength(layout.type === 'Replicate' ? names.length : 0);
      const { steps, plan } = await walk(server, undefined, (seen) => server.planRemoval(seen, true));
      expect(steps).toEqual(['stop volume', 'delete volume']);
      expect(plan.health.message).toContain('brick folders stay');
      expect(await volumes(g1)).toEqual(others);
      expect((await g1.exec(['ls', g1.brickFolder])).stdout).toContain(volume);
      await server.close();
    },
  );

  it('moves a brick of a plain volume by adding the new and emptying the old', async () => {
    const [g1, g2] = world.nodes;
    const layout = { type: 'Distribute' } as const;
    const set = (folder: string) => ({ name: 'x', bricks: [brick(g2, 'x', folder)] });
    const first = { name: 'y', bricks: [brick(g1, 'y', 'plain-y')] };
    await converge(wishOf(world, 'plain', { layout, replicaSets: [first, set('plain-x')] }));
    const path = await world.client.mount(g1, 'plain');
    await put(path);
    const before = await sums(path);
    await converge(wishOf(world, 'plain', { layout, replicaSets: [set('plain-x2'), first] }));
    expect(await bricksOn(g1, 'plain')).toEqual([
      idOf(g1, `${g1.brickFolder}/plain-y`),
      idOf(g2, `${g2.brickFolder}/plain-x2`),
    ]);
    expect(await sums(path)).toBe(before);
    await world.client.unmount(path);
  });
});
