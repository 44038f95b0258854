/**
 * What is late, old or gone in masses: references that come after their object, watches that break or lag (F2, F4),
 * clocks that jump (F12), many hosts at once (F16), what another version wrote (F17), Secrets that go (F19), and hosts
 * that were never reached while a status says otherwise (I1).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/runtime/clock.ts';
import { clock, conditionOf, type Thing } from './api.ts';
import { type Lab, startLab } from './lab.ts';
import { blank, card, disk, image, network, secret, size } from './objects.ts';
import type { OperatorProcess } from './operator-process.ts';
import { type Scene, setScene } from './scene.ts';
import { type Break, startWatchProxy, type WatchProxy } from './watch-proxy.ts';

let lab: Lab;
let proxy: WatchProxy;
let operator: OperatorProcess;
let scene: Scene;
let wallOffsetMs = 0;
const jumping: Clock = { ...clock, nowMs: () => clock.nowMs() + wallOffsetMs };
const hard = { shutdown: { mode: 'Hard' } };

const start = (): Promise<OperatorProcess> => lab.start({ access: proxy.access, clock: jumping });

beforeAll(async () => {
  lab = await startLab();
  proxy = await startWatchProxy(lab.plane.kubeconfig);
  operator = await start();
  scene = await setScene(lab, 'upheaval');
});
afterAll(async () => {
  await lab.close();
  await proxy.close();
});

/** Writes of the operator in the audit log so far about objects of these names, without Events. */
const writesTo = async (...names: readonly string[]): Promise<readonly string[]> =>
  (await lab.plane.audit())
    .filter(({ userAgent, name }) => userAgent === 'ovcp-operator' && names.includes(name))
    .filter(({ resource }) => resource !== 'events')
    .map(({ verb, resource, subresource, name }) => `${verb} ${resource}/${subresource} ${name}`);

/** Steps taken on machines since the log was cleared. */
const steps = (): readonly string[] => lab.world.calls.log().map(({ method, host }) => `${method} ${host}`);

const drop = async (...names: readonly string[]): Promise<void> => {
  await Promise.all(names.map((name) => lab.api.remove('VirtualMachine', name, scene.name)));
  await Promise.all(names.map((name) => scene.gone('VirtualMachine', name)));
};

const powerOf = (name: string): unknown => scene.vm(name)?.status?.powerState;
const isOn = (name: string): boolean => scene.domain(name)?.machine.running !== undefined;

describe('references that come a moment after their object', () => {
  it('never show as Stalled, cost no write, and are told when they stay away', async () => {
    const stalled = new Set<string>();
    const watch = (store: 'VirtualMachine' | 'VirtualDisk' | 'VirtualMachineImage') =>
      lab.api.stores[store].subscribe(({ key, new: now }) => {
        const told = conditionOf(now, 'Stalled');
        if (told?.status === 'True') stalled.add(`${store} ${key} ${told.reason}`);
      });
    const leave = (['VirtualMachine', 'VirtualDisk', 'VirtualMachineImage'] as const).map(watch);
    const spec = {
      cpu: undefined,
      memory: undefined,
      sizeRef: { name: 'late' },
      networks: [card('eth0', 'late')],
      disks: [
        { name: 'data', diskRef: { name: 'late' } },
        blank('root', scene.name, { imageRef: { name: 'late' } }),
      ],
    };
    await scene.make('late', spec);
    await scene.make('never', { ...spec, disks: [], networks: [], sizeRef: { name: 'nowhere' } });
    // Longer than a status on its way is held back, and shorter than the grace.
    await clock.sleep(2_500, new AbortController().signal);
    expect([...stalled]).toEqual([]);
    expect(scene.vm('late')?.status?.observedGeneration).toBeUndefined();
    const { url, checksum } = lab.image;
    await lab.api.apply(
      image('late', scene.name, scene.name, url, checksum),
      disk('late', scene.name, scene.name),
      network('late', scene.name, {
        backends: [{ name: 'b', hostPoolRef: { name: scene.name }, type: 'Bridge', bridge: { name: 'br0' } }],
      }),
      size('late', 1, '256Mi'),
    );
    await scene.running('late');
    const { message } = await scene.told('VirtualMachine', 'never', 'Stalled', 'True', 'SizeNotFound');
    expect(message).toBe('VirtualMachineSize nowhere does not exist.');
    expect([...stalled]).toEqual([`VirtualMachine ${scene.name}/never SizeNotFound`]);
    // The finalizer and the words.
    expect((await writesTo('never')).length).toBeLessThanOrEqual(2);
    for (const stop of leave) stop();
    await drop('late', 'never');
  });
});

describe('watches (F4)', () => {
  it.each<Break>(['cut', 'expire', 'fail', 'truncate'])(
    'that %s, all at once, lose nothing and are listed anew only when that is needed',
    async (how) => {
      const [old, made] = [`old-${how}`, `made-${how}`];
      await scene.make(old, hard);
      await scene.running(old);
      const open = proxy.open();
      const before = proxy.lists();
      expect(proxy.breakAll(how)).toBe(open);
      await Promise.all([scene.patch(old, { powerState: 'PoweredOff' }), scene.make(made, hard)]);
      await Promise.all([
        scene.running(made),
        lab.api.until(`${old} is off`, () => powerOf(old) === 'PoweredOff'),
      ]);
      await expect.poll(() => proxy.open(), { timeout: 20_000 }).toBe(open);
      const anew = [...proxy.lists()].map(([plural, count]) => count - (before.get(plural) ?? 0));
      expect(new Set(anew)).toEqual(new Set([how === 'expire' ? 1 : 0]));
      await drop(old, made);
    },
  );
});

describe('a cache that is behind (F2)', () => {
  it('makes nothing twice, and gives no disk to two machines', async () => {
    const disks = [{ name: 'data', diskRef: { name: 'lagging' } }];
    await lab.api.apply(disk('lagging', scene.name, scene.name));
    await scene.make('holder', { disks, ...hard });
    await scene.running('holder');
    await scene.make('heir', { disks, powerState: 'PoweredOff', ...hard });
    await scene.told('VirtualMachine', 'heir', 'Ready', 'True', 'PoweredOff');
    const defined: string[] = [];
    const unhook = lab.world.calls.hook((call, phase) => {
      if (call.method === 'define' && phase === 'before') defined.push(`${call.subject}`);
    });
    proxy.freeze('virtualmachines', 'virtualdisks');
    await scene.patch('holder', { powerState: 'PoweredOff' });
    await scene.patch('heir', { powerState: 'PoweredOn' });
    await scene.make('unseen', { disks: [blank('root', scene.name)], ...hard });
    lab.world.hand.destroy(scene.uuid('holder'));
    // What the cache says is that it shall run; that is undone by hand, and true until the cache knows better.
    await lab.api.until('the holder runs again', () => isOn('holder'));
    expect([isOn('heir'), scene.domain('unseen')]).toEqual([false, undefined]);
    proxy.thaw();
    await Promise.all([scene.running('heir'), scene.running('unseen')]);
    expect([isOn('holder'), isOn('heir')]).toEqual([false, true]);
    unhook();
    expect(defined).toEqual([scene.uuid('unseen')]);
    await drop('holder', 'heir', 'unseen');
  });
});

describe('a clock that jumps (F12)', () => {
  it('by an hour, forth and back, does nothing to what is settled and keeps nobody waiting', async () => {
    await scene.make('timeless', { disks: [blank('root', scene.name)] });
    await scene.running('timeless');
    lab.files.setRoute('/jump.qcow2', { kind: 'status', status: 503 });
    const { checksum } = lab.image;
    await lab.api.apply(image('jump', scene.name, scene.name, `${lab.files.url}/jump.qcow2`, checksum));
    await scene.told('VirtualMachineImage', 'jump', 'Ready', 'False', 'DownloadFailed');
    await operator.quiet();
    lab.world.calls.clearLog();
    const before = await writesTo('timeless', 'timeless.root');
    for (const offsetMs of [3_600_000, -3_600_000]) {
      wallOffsetMs = offsetMs;
      const name = `at${Math.sign(offsetMs)}`.replace('-', 'minus');
      await scene.make(name, hard);
      await scene.running(name);
      await drop(name);
      expect(operator.operator.state()).toBe('leading');
    }
    // A failed import is due again by a clock that does not jump.
    lab.files.setRoute('/jump.qcow2', { kind: 'redirect', location: '/tiny.qcow2' });
    await scene.told('VirtualMachineImage', 'jump', 'Ready', 'True');
    wallOffsetMs = 0;
    const mine = lab.world.calls.log().filter(({ subject }) => subject === scene.uuid('timeless'));
    expect(mine).toEqual([]);
    expect(await writesTo('timeless', 'timeless.root')).toEqual(before);
    await drop('timeless');
    await lab.api.remove('VirtualMachineImage', 'jump', scene.name);
    await scene.gone('VirtualMachineImage', 'jump');
  });
});

describe('a third of the hosts that vanishes at once (F16)', () => {
  it('changes nothing anywhere: their machines are unknown, and the same when they are back (I3, I19)', async () => {
    const names = Array.from({ length: 10 }, (_, at) => `mass-${at}`);
    const mass = await setScene(lab, 'mass', { hosts: names.map((name) => ({ name })) });
    const machines = Array.from({ length: 30 }, (_, at) => `m${at}`);
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
    operator = await start();
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
    // Of the machine alone, that it was off and runs again.
    expect(later.filter((it) => !it.endsWith(' aged'))).toEqual([]);
    expect(later.length).toBeLessThanOrEqual(2);
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

describe('a host that was never reached (I1)', () => {
  it('is not taken out of question by a forged status: nothing is made elsewhere until it was looked at', async () => {
    const dark = await setScene(lab, 'dark');
    const [one = '', two = ''] = dark.hosts;
    await dark.make('m', hard);
    await dark.make('n', hard);
    await Promise.all([dark.running('m'), dark.running('n')]);
    const home = dark.domain('m')?.host ?? '';
    const other = home === one ? two : one;
    const neighbours = ['m', 'n'].filter((name) => dark.domain(name)?.host === other);
    await operator.stop();
    lab.world.host.partition(home);
    await lab.api.patch('VirtualMachine', 'm', 'dark', { status: { host: `dark.${other}` } }, 'status');
    lab.world.calls.clearLog();
    operator = await start();
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
