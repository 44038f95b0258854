import { describe, expect, test } from 'vitest';
import { createTestClock } from '../../../runtime/test-clock.ts';
import type { Change, HypervisorPool, VmIdentity, VmStep } from '../contract.ts';
import type { VmShape } from '../shape.ts';
import { createSimulatedDriver } from './driver.ts';
import { createWorld } from './world.ts';

const never = new AbortController().signal;
const shape: VmShape = {
  cpu: { sockets: 1, cores: 1, threads: 1 },
  memoryMiB: 64,
  disks: [],
  cdroms: [],
  nics: [],
  hardware: {},
  autostart: false,
};
const identity = (n: number): VmIdentity => ({
  clusterId: 'c',
  uid: `uid-${n}`,
  uuid: `uuid-${n}`,
  namespace: 'ns',
  name: `vm${n}`,
  domainName: `ns.vm${n}.uid${n}`,
});
const record = ({ clusterId, uid, namespace, name }: VmIdentity, startDue = false) => ({
  clusterId,
  uid,
  namespace,
  name,
  startDue,
});
const define = (vm: VmIdentity, host = 'one', rest: Partial<VmShape> = {}): VmStep => ({
  kind: 'define',
  host,
  shape: { ...shape, ...rest },
  record: record(vm),
});

const setup = (latencyMs = 0) => {
  const clock = createTestClock();
  const hosts = ['one', 'two'].map((name) => ({ name, cpus: 8, memoryMiB: 8192, latencyMs }));
  const world = createWorld({ clock, random: () => 0.5 });
  const driver = createSimulatedDriver(world);
  const open = (): HypervisorPool => driver.open({ hosts, clusterId: 'c' });
  return { clock, world, open, pool: open() };
};
const powerOf = async (pool: HypervisorPool, vm: VmIdentity) =>
  (await pool.see(vm, undefined, never)).sightings.map(({ power }) => power);

/** Everything that waits at an iteration, once nothing more comes. */
const collect = (pool: HypervisorPool) => {
  const got: Change[] = [];
  const stop = new AbortController();
  const done = (async () => {
    for await (const change of pool.changes(stop.signal)) got.push(change);
  })();
  return { got, stop: () => (stop.abort(), done) };
};

describe('calls', () => {
  test('take as long as the host is slow, and no other host waits', async () => {
    const { clock, world, pool } = setup();
    world.host.setLatency('two', 1000);
    const [slow, fast] = [identity(1), identity(2)];
    let over = false;
    const waiting = (async () => {
      await pool.take(slow, define(slow, 'two'), never);
      over = true;
    })();
    await pool.take(fast, define(fast), never);
    await clock.advance(999);
    expect(over).toBe(false);
    await clock.advance(1);
    await waiting;
    expect(over).toBe(true);
  });

  test('fail before or after the effect, as often as told, and only mutating ones are logged', async () => {
    const { world, pool } = setup();
    const vm = identity(1);
    world.calls.fail({ method: 'define', fault: 'busy', times: 2 });
    await expect(pool.take(vm, define(vm), never)).rejects.toMatchObject({ kind: 'busy' });
    await expect(pool.take(vm, define(vm), never)).rejects.toMatchObject({ kind: 'busy' });
    expect(world.calls.log()).toEqual([]);
    world.calls.fail({ method: 'define', when: 'after' });
    await expect(pool.take(vm, define(vm), never)).rejects.toMatchObject({ kind: 'unreachable' });
    await pool.survey(never);
    expect(await powerOf(pool, vm)).toEqual([{ kind: 'off', cause: 'Unknown' }]);
    expect(world.calls.log()).toEqual([{ host: 'one', method: 'define', mutating: true, subject: vm.uuid }]);
    expect(world.calls.counts().get('define')).toBe(3);
    world.calls.clearLog();
    expect(world.calls.log()).toEqual([]);
  });

  test('a hook sees each call before and after, and may hold it', async () => {
    const { world, pool } = setup();
    const phases: string[] = [];
    const undo = world.calls.hook(({ method }, phase) => {
      phases.push(`${method} ${phase}`);
    });
    const vm = identity(1);
    await pool.take(vm, define(vm), never);
    undo();
    await pool.take(vm, { kind: 'start', host: 'one' }, never);
    expect(phases).toEqual(['define before', 'define after']);
  });

  test('a daemon that restarts breaks what is in flight, and machines run on', async () => {
    const { clock, world, pool } = setup();
    const vm = identity(1);
    await pool.take(vm, define(vm), never);
    await pool.take(vm, { kind: 'start', host: 'one' }, never);
    world.host.setLatency('one', 100);
    const broken = expect(pool.take(vm, { kind: 'destroy', host: 'one' }, never)).rejects.toMatchObject({
      kind: 'unreachable',
    });
    world.host.restartDaemon('one');
    await clock.advance(100);
    await broken;
    world.host.setLatency('one', 0);
    expect(await powerOf(pool, vm)).toEqual([{ kind: 'running' }]);
  });
});

describe('hosts', () => {
  test('a partition leaves machines running and unseen; healing asks for a resync', async () => {
    const { world, open, pool } = setup();
    const [vm, stranger] = [identity(1), identity(2)];
    await pool.take(vm, define(vm), never);
    await pool.take(vm, { kind: 'start', host: 'one' }, never);
    const { got, stop } = collect(pool);
    world.host.partition('one');
    expect(await pool.see(vm, 'one', never)).toEqual({ sightings: [], unseen: ['one'], namesakes: [] });
    expect((await pool.see(vm, 'two', never)).unseen).toEqual(['one']);
    expect((await pool.see(stranger, 'two', never)).unseen).toEqual([]);
    expect((await open().see(vm, undefined, never)).unseen).toEqual(['one']);
    expect((await pool.survey(never)).map(({ kind }) => kind)).toEqual(['unseen', 'seen']);
    world.hand.destroy(vm.uuid);
    world.host.heal('one');
    expect(await powerOf(pool, vm)).toEqual([{ kind: 'off', cause: 'Destroyed' }]);
    await stop();
    expect(got).toContainEqual({ kind: 'resync', host: 'one' });
  });

  test('a power loss stops everything; at boot only autostart runs again', async () => {
    const { world, pool } = setup();
    const [plain, auto] = [identity(1), identity(2)];
    for (const [vm, autostart] of [
      [plain, false],
      [auto, true],
    ] as const) {
      await pool.take(vm, define(vm, 'one', { autostart }), never);
      await pool.take(vm, { kind: 'start', host: 'one' }, never);
    }
    world.host.powerLoss('one');
    expect(world.hand.machine(plain.uuid)?.machine.running).toBeUndefined();
    world.host.powerOn('one');
    expect(await powerOf(pool, plain)).toEqual([{ kind: 'off', cause: 'Unknown' }]);
    expect(await powerOf(pool, auto)).toEqual([{ kind: 'running' }]);
  });

  test('the world outlives the session', async () => {
    const { world, open, pool } = setup();
    const vm = identity(1);
    await pool.take(vm, define(vm), never);
    await pool.close();
    expect([world.sessions.size, world.events.subscribers()]).toEqual([0, 0]);
    expect(await powerOf(open(), vm)).toHaveLength(1);
  });

  test('one machine running twice is a violation', async () => {
    const { world, pool } = setup();
    const vm = identity(1);
    for (const host of ['one', 'two']) {
      await pool.take(vm, define(vm, host), never);
      await pool.take(vm, { kind: 'start', host }, never);
    }
    expect(world.violations()).toEqual([
      { invariant: 'I1', message: `${vm.domainName} runs on one and two` },
    ]);
  });
});

describe('guests', () => {
  test('shut down in their own time, or not at all', async () => {
    const { clock, world, pool } = setup();
    const [slow, deaf] = [identity(1), identity(2)];
    world.guests.set(slow.uuid, { shutdownMs: 5000 });
    world.guests.set(deaf.uuid, { acpi: 'ignores' });
    for (const vm of [slow, deaf]) {
      await pool.take(vm, define(vm), never);
      await pool.take(vm, { kind: 'start', host: 'one' }, never);
      expect(await pool.take(vm, { kind: 'shutdown', host: 'one' }, never)).toEqual({ kind: 'started' });
    }
    expect(await powerOf(pool, slow)).toEqual([{ kind: 'stopping' }]);
    await clock.advance(5000);
    expect(await powerOf(pool, slow)).toEqual([{ kind: 'off', cause: 'GuestShutdown' }]);
    expect(await powerOf(pool, deaf)).toEqual([{ kind: 'running' }]);
  });

  test('have an address and a name once they have booted', async () => {
    const { clock, world, pool } = setup();
    const vm = identity(1);
    world.guests.setDefault({ bootMs: 1000 });
    const guard = { mac: true, ip: true, ips: [] };
    const backend = { kind: 'bridge', bridge: 'br0' } as const;
    const mac = '52:54:00:00:00:01';
    const nics = [{ name: 'eth0', mac, model: 'Virtio', link: 'Up', backend, guard } as const];
    await pool.take(vm, define(vm, 'one', { nics }), never);
    await pool.take(vm, { kind: 'start', host: 'one' }, never);
    const { got, stop } = collect(pool);
    const guest = async () => (await pool.see(vm, 'one', never)).sightings[0]?.guest;
    expect(await guest()).toEqual({ agent: 'Disconnected', addresses: [] });
    await clock.advance(1000);
    expect(await guest()).toMatchObject({ agent: 'Connected', hostname: 'vm1', addresses: [{ mac }] });
    await stop();
    expect(got).toContainEqual({ kind: 'vm', uuid: vm.uuid, uid: vm.uid });
  });
});

describe('events', () => {
  test('are coalesced while nobody reads, and come late, twice or never when told', async () => {
    const { clock, world, pool } = setup();
    const [one, two] = [identity(1), identity(2)];
    const { got, stop } = collect(pool);
    await clock.advance(0);
    await pool.take(one, define(one), never);
    await clock.advance(0);
    expect(got).toHaveLength(1);
    world.events.trouble({
      drop: (change) => change.kind === 'vm' && change.uuid === one.uuid,
      copies: 2,
      delayMs: () => 50,
    });
    await pool.take(one, { kind: 'start', host: 'one' }, never);
    await pool.take(two, define(two), never);
    await clock.advance(49);
    expect(got).toHaveLength(1);
    await clock.advance(1);
    expect(got.slice(1).map((change) => (change.kind === 'vm' ? change.uuid : change.kind))).toContain(
      two.uuid,
    );
    expect(got.slice(1)).not.toContainEqual(expect.objectContaining({ uuid: one.uuid }));
    await stop();
  });
});

test('ten thousand machines are one survey, and a second one makes no new rows', async () => {
  const { pool } = setup();
  for (let n = 0; n < 10_000; n += 1) {
    await pool.take(identity(n), define(identity(n)), never);
  }
  const rows = async () => {
    const [seen] = await pool.survey(never);
    return seen?.kind === 'seen' ? seen.machines : [];
  };
  const [first, second] = [await rows(), await rows()];
  expect(first).toHaveLength(10_000);
  expect(second.every((row, at) => row === first[at])).toBe(true);
});
