import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitUntil } from '../../../hack/lab/process.ts';
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

  it('goes on after a server died in the middle of adding a set', async () => {
    const [g1, , g3] = world.nodes;
    await converge(wishOf(world, 'wide'));
    const grown = wishOf(world, 'wide', { replicaSets: [setOf(world, 'a', 'wide'), setOf(world, 'more')] });
    const server = open(world, grown);
    const adding = ({ kind, step }: { kind: string; step?: { what: string } }): boolean =>
      kind === 'step' && step?.what === 'add replica set';
    const { plan } = await walk(server, adding);
    await g3.powerLoss();
    if (plan.kind !== 'step') throw new Error('no step');
    expect(['unreachable', 'busy']).toContain((await faultOf(server.take(plan.step, never))).kind);
    expect(await bricksOn(g1, 'wide')).toHaveLength(3);
    await g3.powerOn();
    expect((await walk(server)).plan.health.state).toBe('Healthy');
    expect(await bricksOn(g1, 'wide')).toHaveLength(6);
    await walk(server, undefined, (seen) => server.planRemoval(seen, true));
    await server.close();
  });

  it('replaces the brick of a server that is down by one on another server, and heals it', async () => {
    const [g1, g2, g3] = world.nodes;
    await converge(wishOf(world, 'spare'));
    const path = await world.client.mount(g1, 'spare');
    await g3.powerLoss();
    await world.client.exec(['sh', '-c', 'echo late > "$1/late"', 'sh', path]);
    const a = setOf(world, 'a', 'spare');
    const bricks = a.bricks.map((each) => (each.name === 'a3' ? brick(g2, 'a3', 'spare-new') : each));
    const server = open(world, wishOf(world, 'spare', { replicaSets: [{ ...a, bricks }] }));
    const replaced = idOf(g2, `${g2.brickFolder}/spare-new`);
    const healed = async (): Promise<boolean> => {
      const there = await g2.exec(['cat', `${g2.brickFolder}/spare-new/late`], { allowFailure: true });
      return there.stdout === 'late\n';
    };
    const { steps } = await walk(
      server,
      (plan, { detail }) => waiting('ServerDown')(plan) && JSON.stringify(detail).includes(replaced),
    );
    expect(steps).toEqual(['replace brick']);
    await waitUntil('the new brick to have the file', healed, { limitMs: 90_000, stepMs: 200 });
    await whole(g1, 'spare');
    expect(await bricksOn(g1, 'spare')).toContain(replaced);
    await world.client.exec(['rm', `${path}/late`]);
    await world.client.unmount(path);
    await g3.powerOn();
    expect((await walk(server)).plan.health.state).toBe('Healthy');
    await walk(server, undefined, (seen) => server.planRemoval(seen, true));
    await server.close();
  });

  it('shows that a brick is full, loses nothing, and is healed once there is room', async () => {
    const [g1, , g3] = world.nodes;
    const path = await world.client.mount(g1, 'gv0');
    const ballast = `${g3.brickFolder}/ballast`;
    const script =
      'free=$(df --output=avail -B1 "$1" | tail -1) && fallocate -l $((free - 4194304)) "$1/ballast"';
    await g3.exec(['sh', '-c', script, 'sh', g3.brickFolder]);
    const server = open(world, wishOf(world, 'gv0'));
    const { seen } = await walk(server, (_, { space }) => (space?.availableBytes ?? Infinity) < 16 * 2 ** 20);
    expect(seen.components.every(({ state }) => state === 'Up')).toBe(true);
    // Two of three copies are enough to write.
    const write = 'head -c 24000000 /dev/urandom > "$1/large" && sync "$1/large" && md5sum < "$1/large"';
    const { stdout: sum } = await world.client.exec(['sh', '-c', write, 'sh', path]);
    const held = open(
      world,
      wishOf(world, 'gv0', { replicaSets: [setOf(world, 'a', 'gv0'), setOf(world, 'b')] }),
    );
    const behind = await walk(held, waiting('Healing'));
    expect(behind.steps).toEqual([]);
    expect(behind.plan.health.message).toMatch(/Adding set b waits: [0-9]+ entr/);
    await held.close();
    await g3.exec(['rm', ballast]);
    // By itself it is tried every ten minutes.
    await g1.gluster('volume', 'heal', 'gv0');
    await walk(server);
    await whole(g1, 'gv0');
    expect((await world.client.exec(['sh', '-c', 'md5sum < "$1/large"', 'sh', path])).stdout).toBe(sum);
    await server.close();
    await world.client.unmount(path);
  });

  it('names the file of a split-brain, takes no step, and goes on once a person has chosen', async () => {
    const [g1] = world.nodes;
    const path = await world.client.mount(g1, 'gv0');
    await world.client.exec(['sh', '-c', 'echo as it was > "$1/torn" && sync', 'sh', path]);
    await world.client.unmount(path);
    // Each copy says that the other two missed a write: AFR's own marks (trusted.afr.*), and the list of what to heal.
    const tear = [
      'set -e',
      'cd "$1"; own=$2; index=.glusterfs/indices/xattrop',
      'for other in 0 1 2; do',
      '  [ $other = $own ] || setfattr -n trusted.afr.gv0-client-$other -v 0x000000010000000000000000 torn',
      'done',
      'echo "as $own has it" > torn',
      'gfid=$(getfattr -n trusted.gfid -e hex torn | sed -nE "s/.*0x(.{8})(.{4})(.{4})(.{4})(.{12})/\\1-\\2-\\3-\\4-\\5/p")',
      'base=$(ls $index | grep -m1 ^xattrop-)',
      'ln -f $index/$base $index/$gfid',
    ].join('\n');
    for (const [own, node] of world.nodes.entries())
      await node.exec(['sh', '-c', tear, 'sh', `${node.brickFolder}/gv0`, `${own}`]);
    const server = open(
      world,
      wishOf(world, 'gv0', { replicaSets: [setOf(world, 'a', 'gv0'), setOf(world, 'b')] }),
    );
    const torn = await walk(server, waiting('FilesInSplitBrain'));
    expect([torn.steps, torn.seen.heal?.splitBrain]).toEqual([[], 1]);
    await server.close();
    const calm = open(world, wishOf(world, 'gv0'));
    const { plan } = await walk(calm, waiting('FilesInSplitBrain'));
    expect(plan.health).toMatchObject({ state: 'Degraded' });
    expect(plan.health.message).toContain('/torn');
    const source = `${world.nodes[1].address}:${world.nodes[1].brickFolder}/gv0`;
    await g1.gluster('volume', 'heal', 'gv0', 'split-brain', 'source-brick', source, '/torn');
    await walk(calm);
    const again = await world.client.mount(g1, 'gv0');
    expect((await world.client.exec(['cat', `${again}/torn`])).stdout).toBe('as 1 has it\n');
    await world.client.unmount(again);
    await calm.close();
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
