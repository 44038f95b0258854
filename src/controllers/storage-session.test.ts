import { describe, expect, it } from 'vitest';
import { createSimulatedStorage } from '../drivers/storage/simulated/driver.ts';
import { createStorageWorld } from '../drivers/storage/simulated/world.ts';
import { Fault } from '../runtime/fault.ts';
import { silentLog } from '../runtime/log.ts';
import { createTestClock } from '../runtime/test-clock.ts';
import { openStorageSession, type ServerSecretSight, type ServerSettings } from './storage-session.ts';
import type { ServerSetup } from './storage-setup.ts';

const never = new AbortController().signal;
const missing: ServerSecretSight = {
  kind: 'lack',
  reason: 'SecretNotFound',
  message: 'Secret ssh does not exist.',
};
const found = (sshPrivateKey: string): ServerSecretSight => ({
  kind: 'found',
  credentials: { sshPrivateKey },
  version: sshPrivateKey,
});
const server = { name: 'g1', address: '192.0.2.21', port: 22, user: 'root', secret: 'ssh' };
const wish = (latencyMs = 0): ServerSetup => ({
  wish: { kind: 'simulated', serves: 'files', latencyMs },
  servers: [server],
});

const start = () => {
  const clock = createTestClock();
  const world = createStorageWorld({ clock });
  const driver = createSimulatedStorage(world);
  const given: {
    secret: ServerSecretSight | Fault;
    setup: ServerSetup;
    generation: number;
    refusal: Fault | undefined;
  } = { secret: found('one'), setup: wish(), generation: 1, refusal: undefined };
  const opened: ServerSettings[] = [];
  let told = 0;
  const session = openStorageSession({
    name: 'p',
    identity: { clusterId: 'c', poolUid: 'u', poolName: 'p' },
    setup: async () => ({ ...given.setup, generation: given.generation }),
    readSecret: async () => {
      if (given.secret instanceof Fault) throw given.secret;
      return given.secret;
    },
    open: async (settings) => {
      if (given.refusal !== undefined) throw given.refusal;
      opened.push(settings);
      const { wish: wanted, ...rest } = settings;
      if (wanted.kind !== 'simulated') throw new Error('not a simulated one');
      return driver.open({ ...rest, wish: wanted });
    },
    auditPeriodMs: () => 120_000,
    tell: () => {
      told += 1;
    },
    clock,
    log: silentLog,
  });
  /** Makes the volume, as passes do. */
  const make = async (): Promise<void> => {
    for (;;) {
      const state = session.state(given.generation);
      if (state.kind !== 'open') throw new Error(state.kind);
      const plan = state.server.plan(await session.look('recent', never));
      if (plan.kind !== 'step') return;
      await session.take(plan.step, never);
    }
  };
  const sweeps = (): number => world.counts().get('see') ?? 0;
  return { clock, world, given, opened, session, make, sweeps, told: () => told };
};

describe('a session to a storage server', () => {
  it('is opened with what the Secret holds, and tells so', async () => {
    const { clock, session, opened, told } = start();
    expect(session.state(1).kind).toBe('opening');
    await clock.advance(0);
    expect(session.state(1).kind).toBe('open');
    expect(told()).toBe(1);
    expect(opened[0]?.endpoints).toEqual([
      {
        name: 'g1',
        address: '192.0.2.21',
        ssh: { host: '192.0.2.21', port: 22, user: 'root', credentials: { sshPrivateKey: 'one' } },
      },
    ]);
    await session.close();
  });

  it('looks for a missing Secret until it is there', async () => {
    const { clock, given, session } = start();
    given.secret = missing;
    session.wake();
    await clock.advance(0);
    expect(session.state(1)).toEqual(missing);
    given.secret = found('late');
    await clock.advance(10_000);
    expect(session.state(1).kind).toBe('open');
    await session.close();
  });

  it('is opened anew when the Secret or the spec changed, and once for each change', async () => {
    const { clock, given, session, opened, world } = start();
    await clock.advance(0);
    session.wake();
    await clock.advance(0);
    expect(opened).toHaveLength(1);
    given.secret = found('two');
    session.wake();
    await clock.advance(0);
    given.setup = wish(5);
    session.wake();
    await clock.advance(0);
    expect(opened.map(({ endpoints: [it] }) => it?.ssh.credentials.sshPrivateKey)).toEqual([
      'one',
      'two',
      'two',
    ]);
    expect(world.sessions.size).toBe(1);
    await session.close();
    expect(world.sessions.size).toBe(0);
  });

  it('stays as it is while the Secret cannot be asked for', async () => {
    const { clock, given, session, opened } = start();
    await clock.advance(0);
    given.secret = new Fault('unreachable', 'No API server.');
    session.wake();
    await clock.advance(0);
    expect(session.state(1).kind).toBe('open');
    expect(opened).toHaveLength(1);
    await session.close();
  });

  it('counts as opening until a newer spec was taken up', async () => {
    const { clock, given, session, told } = start();
    await clock.advance(0);
    expect(session.state(2).kind).toBe('opening');
    given.generation = 2;
    session.wake();
    await clock.advance(0);
    expect(session.state(2).kind).toBe('open');
    expect(told()).toBe(2);
    await session.close();
  });

  it('says that there is no driver', async () => {
    const { clock, given, session } = start();
    given.refusal = new Fault('unsupported', 'This operator has no driver.');
    await clock.advance(0);
    expect(session.state(1)).toMatchObject({ kind: 'lack', reason: 'Unsupported' });
    await session.close();
  });

  it('sweeps once per audit period, and tells when it is due', async () => {
    const { clock, session, make, sweeps, told } = start();
    await clock.advance(0);
    await make();
    const before = { sweeps: sweeps(), told: told() };
    for (let times = 0; times < 5; times += 1) await session.look('recent', never);
    expect(sweeps()).toBe(before.sweeps);
    await clock.advance(120_000);
    expect(told()).toBe(before.told + 1);
    await session.look('recent', never);
    expect(sweeps()).toBe(before.sweeps + 1);
    await session.look('fresh', never);
    expect(sweeps()).toBe(before.sweeps + 2);
    await session.close();
  });

  it('sweeps more often while something goes on, and after each step', async () => {
    const { clock, session, world, make, sweeps } = start();
    await clock.advance(0);
    await make();
    world.setBrick('p', 'a1', false);
    await session.look('fresh', never);
    const before = sweeps();
    await session.look('recent', never);
    expect(sweeps()).toBe(before);
    await clock.advance(1_000);
    await session.look('recent', never);
    expect(sweeps()).toBe(before + 1);
    await session.close();
  });

  it('leaves servers alone after a failure, twice as long each time, and asks again then', async () => {
    const { clock, session, world, make, sweeps } = start();
    await clock.advance(0);
    await make();
    world.fail({ method: 'see', times: 2 });
    const before = sweeps();
    await expect(session.look('fresh', never)).rejects.toMatchObject({ kind: 'unreachable' });
    await expect(session.look('fresh', never)).rejects.toMatchObject({ kind: 'unreachable' });
    expect(sweeps()).toBe(before + 1);
    expect(session.retryMs()).toBe(2_000);
    await clock.advance(2_000);
    await expect(session.look('recent', never)).rejects.toMatchObject({ kind: 'unreachable' });
    expect(session.retryMs()).toBe(4_000);
    await clock.advance(4_000);
    await session.look('recent', never);
    expect(sweeps()).toBe(before + 3);
    expect(session.retryMs()).toBe(0);
    await session.close();
  });
});
