/**
 * What changes in masses or behind the operator: many hosts at once (F16), what another version wrote (F17), Secrets that
 * go (F19), a leader that dies (F13), and hosts that were never reached while a status says otherwise (I1).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Thing } from './api.ts';
import { type Lab, startLab } from './lab.ts';
import { blank, secret } from './objects.ts';
import type { OperatorProcess } from './operator-process.ts';
import { type Scene, setScene } from './scene.ts';
import { writesOf } from './writes.ts';

let lab: Lab;
let operator: OperatorProcess;
let scene: Scene;
const hard = { shutdown: { mode: 'Hard' } };

beforeAll(async () => {
  lab = await startLab();
  operator = await lab.start();
  scene = await setScene(lab, 'upheaval');
});
afterAll(() => lab.close());

const writesTo = (...names: readonly string[]): Promise<readonly string[]> => writesOf(lab.plane, names);

/** Steps taken on hosts since the log was cleared. */
const steps = (): readonly string[] => lab.world.calls.log().map(({ method, host }) => `${method} ${host}`);

const drop = async (...names: readonly string[]): Promise<void> => {
  await Promise.all(names.map((name) => lab.api.remove('VirtualMachine', name, scene.name)));
  await Promise.all(names.map((name) => scene.gone('VirtualMachine', name)));
};

const isOn = (name: string): boolean => scene.domain(name)?.machine.running !== undefined;

describe('a third of the hosts that vanishes at once (F16)', () => {
  it('changes nothing anywhere: their machines are unknown, and the same when they are back (I3, I19)', async () => {
    const names = Array.from({ length: 10 }, (_, at) => `mass-${at}`);
    const mass = await setScene(lab, 'mass', { hosts: names.map((name) => ({ name })) });
    const machines = Array.from({ length: 20 }, (_, at) => `m${at}`);
    await Promise.all(machines.map((name) => mass.make(name)));
    await Promise.all(machines.map((name) => mass.running(name)));
    const homes = new Map(machines.map((name) => [name, mass.domain(name)?.host]));
    const started = new Map(machines.map((name) => [name, mass.domain(name)?.machine.startedMs]));
    const lost = names.slice(0, 3);
    const gone = machines.filter((name) => lost.includes(homes.get(name) ?? ''));
    expect(gone.length).toBeGreaterThan(0);
    await operator.quiet();
    lab.world.calls.clearLog();
    const before = (await writesTo(...machines)).length;
    for (const host of lost) lab.world.host.partition(host);
    await Promise.all(
      gone.map((name) => mass.told('VirtualMachine', name, 'Ready', 'Unknown', 'HostUnreachable')),
    );
    await operator.quiet();
    for (const host of lost) lab.world.host.heal(host);
    await Promise.all(gone.map((name) => mass.told('VirtualMachine', name, 'Ready', 'True', 'Running')));
    await operator.quiet();
    expect(steps()).toEqual([]);
    for (const name of machines) {
      expect([mass.domain(name)?.host, mass.domain(name)?.machine.startedMs], name).toEqual([
        homes.get(name),
        started.get(name),
      ]);
    }
    // One write to say it and one to take it back, of those machines alone.
    expect((await writesTo(...machines)).length - before).toBeLessThanOrEqual(2 * gone.length);
    await lab.api.remove('Namespace', 'mass');
    await Promise.all(machines.map((name) => mass.gone('VirtualMachine', name)));
  });
});

describe('what another version wrote (F17)', () => {
  const condition = (type: string) => ({
    type,
    status: 'True',
    reason: 'FromAnotherVersion',
    message: 'Another version knows of this.',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  });

  it('stays or goes with at most one write each, and makes nobody write again and again', async () => {
    await scene.make('aged', { disks: [blank('root', scene.name)] });
    await scene.running('aged');
    await operator.quiet();
    await operator.stop();
    const objects = [
      ['VirtualMachine', 'aged', scene.name],
      ['VirtualDisk', 'aged.root', scene.name],
      ['StoragePool', scene.name, undefined],
      ['VirtualNetwork', scene.name, undefined],
      ['HostPool', scene.name, undefined],
      ['Host', `${scene.name}.${scene.hosts[0]}`, undefined],
    ] as const;
    for (const [kind, name, at] of objects) {
      const { status } = (await lab.api.read(kind, name, at)) as Thing;
      const conditions = [...(status?.conditions ?? []), condition('Quantum')];
      await lab.api.patch(kind, name, at, { status: { conditions, oldField: 1 } }, 'status');
    }
    const names = objects.map(([, name]) => name);
    operator = await lab.start();
    await operator.quiet();
    const settled = await writesTo(...names);
    // Something happens to each of them.
    for (const [kind, name, at] of objects) {
      await lab.api.patch(kind, name, at, { metadata: { labels: { touched: 'yes' } } });
    }
    lab.world.hand.destroy(scene.uuid('aged'));
    await lab.api.until('it runs again', () => isOn('aged'));
    await operator.quiet();
    const later = (await writesTo(...names)).slice(settled.length);
    // Of the machine alone, that it was off, is being started and runs again.
    expect(later.filter((it) => !it.endsWith(' aged'))).toEqual([]);
    expect(later.length).toBeLessThanOrEqual(3);
    await drop('aged');
  });
});

describe('a Secret that goes while it is used (F19)', () => {
  it('stops no machine; the next start waits for it, says so, and tells nothing of it', async () => {
    const data = secret('ci', scene.name, { userData: '#cloud-config\npassword: canary-word-1' });
    await lab.api.apply(data);
    await scene.make('seeded', {
      disks: [blank('root', scene.name)],
      cloudInit: { hostname: 'seeded', userDataSecretRef: { name: 'ci' } },
      ...hard,
    });
    await scene.running('seeded');
    await lab.api.remove('Secret', 'ci', scene.name);
    await scene.patch('seeded', { memory: '512Mi' });
    const { message } = await scene.told('VirtualMachine', 'seeded', 'Ready', 'False', 'SecretNotFound');
    expect(message).toBe('Secret ci does not exist in this namespace.');
    expect(isOn('seeded')).toBe(true);
    // Looked at again for another reason, it is still told.
    await lab.api.patch('VirtualMachine', 'seeded', scene.name, { metadata: { annotations: { note: 'x' } } });
    await operator.quiet();
    await scene.told('VirtualMachine', 'seeded', 'Ready', 'False', 'SecretNotFound');
    await scene.patch('seeded', { powerState: 'PoweredOff' });
    await lab.api.until('it is off', () => !isOn('seeded'));
    await scene.patch('seeded', { powerState: 'PoweredOn' });
    await scene.told('VirtualMachine', 'seeded', 'Ready', 'False', 'SecretNotFound');
    expect(isOn('seeded')).toBe(false);
    await lab.api.apply(secret('ci', scene.name, { userData: '#cloud-config\npassword: canary-word-2' }));
    await scene.patch('seeded', { memory: '768Mi' });
    await scene.running('seeded');
    expect(JSON.stringify(scene.vm('seeded'))).not.toContain('canary');
    await drop('seeded');
  });
});

describe('cloud-init in a Secret that is over its limit', () => {
  it('is told with the limit, and nothing is made of it', async () => {
    await lab.api.apply(secret('big', scene.name, { userData: `#cloud-config\n#${'x'.repeat(600_000)}` }));
    await scene.make('big', {
      disks: [blank('root', scene.name)],
      cloudInit: { userDataSecretRef: { name: 'big' } },
    });
    const { message } = await scene.told('VirtualMachine', 'big', 'Stalled', 'True', 'CloudInitTooLarge');
    expect(message).toMatch(/the cloud-init user-data is over its limit of \d+ bytes/);
    expect(scene.domain('big')).toBeUndefined();
    await drop('big');
  });
});

describe('a standby', () => {
  it('looks on, takes over when the leader is killed, and goes on with what was begun (F13)', async () => {
    await operator.stop();
    const times = ['--lease-duration-seconds', '8', '--lease-renew-deadline-seconds', '6'];
    const flags = ['--leader-elect', 'true', ...times, '--lease-retry-seconds', '2'];
    const first = await lab.start({ flags, identity: 'first' });
    await expect.poll(() => first.operator.state()).toBe('leading');
    const second = await lab.start({ flags, identity: 'second' });
    await scene.make('inherited', hard);
    await scene.running('inherited');
    expect(second.operator.state()).not.toBe('leading');
    const startedMs = scene.domain('inherited')?.machine.startedMs;
    const unhook = lab.world.calls.hook((call, phase) => {
      if (call.method === 'define' && phase === 'after') first.kill();
    });
    await scene.make('begun', { disks: [blank('root', scene.name)], ...hard });
    await expect.poll(() => first.killed).toBe(true);
    unhook();
    await scene.running('begun');
    expect([second.operator.state(), scene.domain('inherited')?.machine.startedMs]).toEqual([
      'leading',
      startedMs,
    ]);
    await drop('inherited', 'begun');
    await second.stop();
    operator = await lab.start();
  });
});

describe('a host that was never reached (I1)', () => {
  it('is not taken out of question by a forged status: nothing is made elsewhere until it was looked at', async () => {
    const dark = await setScene(lab, 'dark');
    const [one = '', two = ''] = dark.hosts;
    const spec = { disks: [blank('root', 'dark')], ...hard };
    await dark.make('m', spec);
    await dark.make('n', spec);
    await Promise.all([dark.running('m'), dark.running('n')]);
    const home = dark.domain('m')?.host ?? '';
    const other = home === one ? two : one;
    const neighbours = ['m', 'n'].filter((name) => dark.domain(name)?.host === other);
    await operator.stop();
    lab.world.host.partition(home);
    await lab.api.patch('VirtualMachine', 'm', 'dark', { status: { host: `dark.${other}` } }, 'status');
    lab.world.calls.clearLog();
    operator = await lab.start();
    const { message } = await dark.told('VirtualMachine', 'm', 'Ready', 'Unknown', 'HostUnreachable');
    expect(message).toBe(`dark.${home} cannot be reached and may hold the machine.`);
    await operator.quiet();
    expect(steps()).toEqual([]);
    // What is seen on the other host is not kept from anything.
    for (const name of neighbours) {
      await dark.patch(name, { powerState: 'PoweredOff' });
      await lab.api.until(`${name} is off`, () => dark.vm(name)?.status?.powerState === 'PoweredOff');
      await lab.api.remove('VirtualMachine', name, 'dark');
      await dark.gone('VirtualMachine', name);
      await dark.gone('VirtualDisk', `${name}.root`);
    }
    expect(neighbours).toHaveLength(1);
    lab.world.host.heal(home);
    await dark.told('VirtualMachine', 'm', 'Ready', 'True', 'Running');
    expect([dark.domain('m')?.host, lab.world.violations()]).toEqual([home, []]);
  });
});

it('keeps every invariant meanwhile', async () => {
  await operator.quiet();
  expect(lab.checker.atRest()).toEqual([]);
});
