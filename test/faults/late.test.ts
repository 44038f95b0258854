/** What is late or behind: references that come after their object, watches that break or lag (F2, F4), clocks that jump (F12). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/runtime/clock.ts';
import { clock, conditionOf } from './api.ts';
import { type Lab, startLab } from './lab.ts';
import { blank, card, disk, image, network, size } from './objects.ts';
import type { OperatorProcess } from './operator-process.ts';
import { type Scene, setScene } from './scene.ts';
import { type Break, startWatchProxy, type WatchProxy } from './watch-proxy.ts';
import { writesOf } from './writes.ts';

let lab: Lab;
let proxy: WatchProxy;
let operator: OperatorProcess;
let scene: Scene;
let wallOffsetMs = 0;
/** While it is held, time that counts goes by at the test's word alone: nothing depends on how busy the machine is. */
let heldMs: number | undefined;
let shiftMs = 0;
const jumping: Clock = {
  ...clock,
  nowMs: () => clock.nowMs() + wallOffsetMs,
  monotonicMs: () => heldMs ?? clock.monotonicMs() + shiftMs,
};
const hold = (): void => {
  heldMs = jumping.monotonicMs();
};
const pass = (ms: number): void => {
  heldMs = jumping.monotonicMs() + ms;
};
const letGo = (): void => {
  shiftMs = jumping.monotonicMs() - clock.monotonicMs();
  heldMs = undefined;
};
const hard = { shutdown: { mode: 'Hard' } };

beforeAll(async () => {
  lab = await startLab();
  proxy = await startWatchProxy(lab.plane.kubeconfig);
  operator = await lab.start({ access: proxy.access, clock: jumping });
  scene = await setScene(lab, 'late');
});
afterAll(async () => {
  await lab.close();
  await proxy.close();
});

const writesTo = (...names: readonly string[]): Promise<readonly string[]> => writesOf(lab.plane, names);

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
      sizeRef: { name: 'tardy' },
      networks: [card('eth0', 'tardy')],
      disks: [
        { name: 'data', diskRef: { name: 'late' } },
        blank('root', scene.name, { imageRef: { name: 'late' } }),
      ],
    };
    hold();
    await scene.make('late', spec);
    await scene.make('never', { ...spec, disks: [], networks: [], sizeRef: { name: 'nowhere' } });
    await operator.quiet();
    // Longer than a status on its way is held back, and shorter than the grace.
    pass(2_500);
    for (const name of ['late', 'never']) {
      await lab.api.patch('VirtualMachine', name, scene.name, { metadata: { labels: { looked: 'at' } } });
    }
    await operator.quiet();
    expect([...stalled]).toEqual([]);
    expect(scene.vm('late')?.status?.observedGeneration).toBeUndefined();
    const { url, checksum } = lab.image;
    await lab.api.apply(
      image('late', scene.name, scene.name, url, checksum),
      disk('late', scene.name, scene.name),
      network('tardy', scene.name, {
        backends: [{ name: 'b', hostPoolRef: { name: scene.name }, type: 'Bridge', bridge: { name: 'br0' } }],
      }),
      size('tardy', 1, '256Mi'),
    );
    await operator.quiet();
    letGo();
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
      await expect.poll(() => proxy.open()).toBe(open);
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

it('keeps every invariant meanwhile', async () => {
  await operator.quiet();
  expect(lab.checker.atRest()).toEqual([]);
});
