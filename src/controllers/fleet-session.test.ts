import { describe, expect, it } from 'vitest';
import type {
  Change,
  HostEndpoint,
  HostSeen,
  HypervisorPool,
  VmIdentity,
} from '../drivers/hypervisor/contract.ts';
import { createSimulatedDriver } from '../drivers/hypervisor/simulated/driver.ts';
import { createWorld } from '../drivers/hypervisor/simulated/world.ts';
import { Fault } from '../runtime/fault.ts';
import { silentLog } from '../runtime/log.ts';
import { createTestClock } from '../runtime/test-clock.ts';
import type { KnownHost } from './fleet-endpoints.ts';
import { openSession, type SecretSight } from './fleet-session.ts';

const never = new AbortController().signal;

const vm: VmIdentity = {
  clusterId: 'c',
  uid: 'u',
  uuid: '00000000-0000-5000-8000-000000000001',
  namespace: 'n',
  name: 'm',
  domainName: 'n.m.u',
};

const missing: SecretSight = { kind: 'lack', reason: 'SecretNotFound', message: 'Secret s does not exist.' };
const found: SecretSight = { kind: 'found', credentials: { sshPrivateKey: 'k' } };

const setup = (options: {
  readonly hosts: KnownHost[];
  readonly change?: (pool: HypervisorPool) => HypervisorPool;
}) => {
  const clock = createTestClock();
  const world = createWorld({ clock, random: () => 0.5 });
  const configured: (readonly HostEndpoint[])[] = [];
  const secrets = new Map<string, SecretSight | Fault>();
  const told: Change[] = [];
  let audits = 0;
  const simulated = createSimulatedDriver(world).open({ hosts: [], clusterId: 'c' });
  const pool: HypervisorPool = {
    ...simulated,
    reconfigure: (endpoints) => {
      configured.push(endpoints);
      simulated.reconfigure(endpoints);
    },
  };
  const session = openSession({
    name: 'p',
    pool: options.change === undefined ? pool : options.change(pool),
    hosts: () => options.hosts,
    auditPeriodMs: () => 120_000,
    readSecret: async (name) => {
      const sight = secrets.get(name) ?? missing;
      if (sight instanceof Fault) throw sight;
      return sight;
    },
    tell: (change) => told.push(change),
    audited: () => {
      audits += 1;
    },
    clock,
    log: silentLog,
  });
  return { clock, world, session, secrets, configured, told, audits: () => audits };
};

const reasonOf = (seen: HostSeen | undefined): string | undefined =>
  seen?.kind === 'unreachable' ? seen.reason : seen?.kind;

describe('a session of the fleet', () => {
  it('knows its hosts without being asked, and tells of each', async () => {
    const { session, told, clock } = setup({
      hosts: [{ host: 'a', uri: 'simulated://a/?cpus=4&memoryMiB=1024' }],
    });
    expect(session.hosts().size).toBe(0);
    await clock.advance(0);
    expect(session.hosts().get('a')).toMatchObject({ kind: 'reachable', facts: { cpus: 4 } });
    expect(told).toContainEqual({ kind: 'host', host: 'a' });
    await session.close();
  });

  it('counts machines on a host without its Secret as unseen, and asks again', async () => {
    const { session, secrets, clock, configured } = setup({
      hosts: [{ host: 'a', uri: 'qemu+ssh://a/system', secret: 's' }],
    });
    await clock.advance(0);
    expect(reasonOf(session.hosts().get('a'))).toBe('SecretNotFound');
    expect(await session.pool.see(vm, undefined, never)).toMatchObject({ sightings: [], unseen: ['a'] });
    expect(await session.pool.see(vm, 'b', never)).toMatchObject({ unseen: ['a'] });
    await expect(session.pool.take(vm, { kind: 'start', host: 'a' }, never)).rejects.toMatchObject({
      kind: 'unreachable',
      reason: 'SecretNotFound',
    });
    expect(() => session.pool.hostStorage('a')).toThrow('Secret s does not exist.');
    secrets.set('s', found);
    await clock.advance(10_000);
    expect(reasonOf(session.hosts().get('a'))).toBe('reachable');
    expect(configured.at(-1)).toEqual([
      { host: 'a', uri: 'qemu+ssh://a/system', credentials: { sshPrivateKey: 'k' } },
    ]);
    await session.close();
  });

  it('goes on with what it has while the API server cannot be asked for a Secret', async () => {
    const { session, secrets, configured, clock } = setup({
      hosts: [{ host: 'a', uri: 'qemu+ssh://a/system', secret: 's' }],
    });
    secrets.set('s', found);
    session.wake();
    await clock.advance(0);
    const before = configured.length;
    secrets.set('s', new Fault('unreachable', 'no API server'));
    session.wake();
    await clock.advance(0);
    expect(reasonOf(session.hosts().get('a'))).toBe('reachable');
    expect(configured).toHaveLength(before);
    await session.close();
  });

  it('keeps silent about a host that is being tried, but not for ever', async () => {
    const seen: HostSeen = {
      kind: 'unreachable',
      host: 'a',
      sinceMs: 0,
      reason: 'Connecting',
      message: 'Dialling.',
    };
    const { session, clock } = setup({
      hosts: [{ host: 'a', uri: 'qemu+ssh://a/system' }],
      change: (pool) => ({ ...pool, hosts: async () => [seen] }),
    });
    await clock.advance(0);
    expect(session.hosts().size).toBe(0);
    await clock.advance(9_000);
    expect(session.hosts().size).toBe(0);
    await clock.advance(2_000);
    expect(session.hosts().get('a')).toMatchObject({ reason: 'HostUnreachable', message: 'Dialling.' });
    await session.close();
  });

  it('knows that a host which is no longer listed and was never recorded cannot be asked', async () => {
    const { session, clock } = setup({ hosts: [{ host: 'a', uri: undefined }] });
    await clock.advance(0);
    expect(reasonOf(session.hosts().get('a'))).toBe('NotInPool');
    expect((await session.pool.see(vm, 'a', never)).unseen).toEqual(['a']);
    await session.close();
  });

  it('surveys once per audit period and asks nothing of a settled fleet besides', async () => {
    const { session, clock, world, audits } = setup({
      hosts: [{ host: 'a', uri: 'simulated://a/?cpus=4&memoryMiB=1024' }],
    });
    await clock.advance(0);
    await clock.advance(610_000);
    expect(audits()).toBe(5);
    expect(Object.fromEntries(world.calls.counts())).toEqual({ survey: 5 });
    await session.close();
    expect(world.sessions.size).toBe(0);
  });
});
