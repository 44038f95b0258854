/** What others do behind our back: on hosts, to objects, to statuses and finalizers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FINALIZER } from '../../src/api/identity.ts';
import { conditionOf, type Manifest, type Thing } from './api.ts';
import { type Lab, startLab } from './lab.ts';
import { blank, card, disk } from './objects.ts';
import type { OperatorProcess } from './operator-process.ts';
import { type Scene, setScene } from './scene.ts';

let lab: Lab;
let operator: OperatorProcess;
let scene: Scene;
beforeAll(async () => {
  lab = await startLab();
  operator = await lab.start();
  scene = await setScene(lab, 'drift');
});
afterAll(() => lab.close());

const hard = { shutdown: { mode: 'Hard' } };

const drop = async (name: string): Promise<void> => {
  await lab.api.remove('VirtualMachine', name, scene.name);
  await scene.gone('VirtualMachine', name);
};

const calls = (uuid: string): readonly string[] =>
  lab.world.calls
    .log()
    .filter(({ subject }) => subject === uuid)
    .map(({ method }) => method);

describe('driftPolicy', () => {
  it('Enforce: destroyed, it runs again; undefined, it is defined again; edited, it is set right', async () => {
    await scene.make('enforce', { disks: [blank('root', scene.name)], networks: [card('eth0', scene.name)] });
    await scene.running('enforce');
    const uuid = scene.uuid('enforce');
    const state = () => lab.world.hand.machine(uuid)?.machine;
    lab.world.hand.destroy(uuid);
    await lab.api.until('it runs again', () => state()?.power.kind === 'running');
    lab.world.hand.undefine(uuid);
    await lab.api.until('it is defined again', () => state()?.next !== undefined);
    lab.world.hand.edit(uuid, (shape) => ({ ...shape, memoryMiB: 64 }));
    await lab.api.until('its memory is set right', () => state()?.next?.memoryMiB === 256);
    lab.world.hand.editLive(uuid, (shape) => ({ ...shape, nics: [] }));
    await lab.api.until('its card is back', () => state()?.running?.nics.length === 1);
    lab.world.hand.pause(uuid);
    await lab.api.until('it goes on', () => state()?.power.kind === 'running');
    await scene.running('enforce');
    await drop('enforce');
  });

  it('Report: only tells, until the spec changes', async () => {
    await scene.make('report', { driftPolicy: 'Report' });
    await scene.running('report');
    const uuid = scene.uuid('report');
    lab.world.calls.clearLog();
    lab.world.hand.edit(uuid, (shape) => ({ ...shape, memoryMiB: 64 }));
    const { message } = await scene.told('VirtualMachine', 'report', 'UpToDate', 'False', 'DriftDetected');
    expect(message).toBe('The machine was changed on its host; driftPolicy Report only tells.');
    lab.world.hand.destroy(uuid);
    const off = await scene.told('VirtualMachine', 'report', 'Ready', 'False', 'DriftDetected');
    expect(off.message).toBe('The machine was switched off on its host; driftPolicy Report leaves it so.');
    expect(calls(uuid)).toEqual([]);
    await scene.patch('report', { driftPolicy: 'Enforce' });
    await scene.running('report');
    expect(lab.world.hand.machine(uuid)?.machine.running?.memoryMiB).toBe(256);
    await drop('report');
  });

  it('Ignore: says that it looks away', async () => {
    await scene.make('ignore', { driftPolicy: 'Ignore' });
    await scene.running('ignore');
    const uuid = scene.uuid('ignore');
    lab.world.calls.clearLog();
    lab.world.hand.destroy(uuid);
    const { message } = await scene.told('VirtualMachine', 'ignore', 'Ready', 'True', 'DriftIgnored');
    expect(message).toBe('The machine was switched off on its host; driftPolicy Ignore leaves it so.');
    expect(calls(uuid)).toEqual([]);
    await drop('ignore');
  });
});

it('a guest that goes down again and again is started less and less often, and it is said (I16)', async () => {
  await scene.make('crashy');
  await scene.running('crashy');
  const uuid = scene.uuid('crashy');
  lab.world.calls.clearLog();
  lab.world.hand.crash(uuid);
  await lab.api.until('it runs again', () => lab.world.hand.machine(uuid)?.machine.power.kind === 'running');
  lab.world.hand.crash(uuid);
  const { message } = await scene.told('VirtualMachine', 'crashy', 'Ready', 'False', 'CrashLoop');
  expect(message).toBe('The guest keeps going down; it is started again after a while.');
  expect(calls(uuid).filter((method) => method === 'start')).toHaveLength(1);
  // A person may always stop it.
  await scene.patch('crashy', { powerState: 'PoweredOff' });
  await scene.running('crashy');
  await drop('crashy');
});

describe('objects', () => {
  it('a status that is wiped comes back, and nothing happens on hosts meanwhile', async () => {
    await scene.make('wiped', { disks: [blank('root', scene.name)] });
    await scene.running('wiped');
    const [before, home] = [scene.vm('wiped')?.status, scene.domain('wiped')?.host];
    lab.world.calls.clearLog();
    const empty = { status: null };
    await lab.api.patch('VirtualMachine', 'wiped', scene.name, empty, 'status');
    await lab.api.patch('VirtualDisk', 'wiped.root', scene.name, empty, 'status');
    await lab.api.until('both statuses are back', () => {
      const root = lab.api.get('VirtualDisk', 'wiped.root', scene.name);
      return scene.vm('wiped')?.status?.['disks'] !== undefined && root?.status?.['claim'] !== undefined;
    });
    await scene.running('wiped');
    await operator.quiet();
    expect(scene.vm('wiped')?.status).toMatchObject({ host: before?.host, powerState: 'PoweredOn' });
    expect(scene.domain('wiped')?.host).toBe(home);
    expect(lab.world.calls.log()).toEqual([]);
    await drop('wiped');
  });

  it('a status that is wiped while the host is away: nobody starts it elsewhere (I1)', async () => {
    const away = await setScene(lab, 'away');
    await away.make('m', { disks: [blank('root', 'away')], ...hard });
    await away.running();
    const home = away.domain()?.host ?? '';
    const other = away.hosts.find((host) => host !== home) ?? '';
    lab.world.host.partition(home);
    await away.told('VirtualMachine', 'm', 'Ready', 'Unknown', 'HostUnreachable');
    await lab.api.patch('VirtualMachine', 'm', 'away', { status: null }, 'status');
    const { message } = await away.told('VirtualMachine', 'm', 'Ready', 'Unknown', 'HostUnreachable');
    expect(message).toContain(home);
    expect(lab.world.get(other).machines.size).toBe(0);
    lab.world.host.heal(home);
    await away.running();
    expect(away.domain()?.host).toBe(home);
  });

  it('a finalizer that is removed by hand comes back; on deletion nothing is destroyed by mistake', async () => {
    await scene.make('bare', { disks: [blank('root', scene.name)] });
    await scene.running('bare');
    const { metadata } = await lab.api.patch('VirtualMachine', 'bare', scene.name, {
      metadata: { finalizers: null },
    });
    expect(metadata.finalizers ?? []).toEqual([]);
    await lab.api.until('it is back', () => {
      const now = scene.vm('bare')?.metadata;
      return (
        Number(now?.resourceVersion) > Number(metadata.resourceVersion) &&
        now?.finalizers?.includes(FINALIZER) === true
      );
    });
    await scene.running('bare');
    await drop('bare');
  });

  it('namespace deleted: everything of it goes, from hosts as well (F15)', async () => {
    const town = await setScene(lab, 'town');
    await lab.api.apply(disk('data', 'town', 'town'));
    await town.make('a', {
      disks: [blank('root', 'town'), { name: 'data', diskRef: { name: 'data' } }],
      ...hard,
    });
    await town.make('b', { networks: [card('eth0', 'town')], ...hard });
    await Promise.all([town.running('a'), town.running('b')]);
    await lab.api.remove('Namespace', 'town');
    await Promise.all([town.gone('VirtualMachine', 'a'), town.gone('VirtualMachine', 'b')]);
    await Promise.all([town.gone('VirtualDisk', 'data'), town.gone('VirtualDisk', 'a.root')]);
    for (const host of town.hosts) expect(lab.world.get(host).machines.size).toBe(0);
    await operator.quiet();
    expect(lab.checker.atRest()).toEqual([]);
  });

  it('all objects restored with new uids while the machines run: nothing is touched, and it is said (F18)', async () => {
    await scene.make('restored', { disks: [blank('root', scene.name)] });
    await scene.running('restored');
    const uuid = scene.uuid('restored');
    const saved = [lab.api.get('VirtualDisk', 'restored.root', scene.name), scene.vm('restored')];
    lab.checker.forgive(/restored|I6/);
    await operator.stop();
    for (const it of saved) {
      const { name } = it?.metadata ?? { name: '' };
      const kind = it?.kind === 'VirtualDisk' ? 'VirtualDisk' : 'VirtualMachine';
      await lab.api.remove(kind, name, scene.name);
      await lab.api.patch(kind, name, scene.name, { metadata: { finalizers: null } });
      await scene.gone(kind, name);
    }
    const clean = ({ metadata, apiVersion, kind, spec }: Thing): Manifest => ({
      apiVersion,
      kind,
      metadata: { name: metadata.name, namespace: scene.name, annotations: metadata.annotations ?? {} },
      spec,
    });
    for (const it of saved) if (it !== undefined) await lab.api.create(clean(it));
    lab.world.calls.clearLog();
    operator = await lab.start();
    const { message } = await scene.told('VirtualMachine', 'restored', 'Ready', 'False', 'IdentityConflict');
    expect(message).toContain(`has this machine under another uid (${uuid}); import it or remove it there.`);
    expect(conditionOf(scene.vm('restored'), 'Stalled')?.status).toBe('True');
    expect(lab.world.calls.log().filter(({ method }) => !method.startsWith('storage.'))).toEqual([]);
    expect(lab.world.hand.machine(uuid)?.machine.power.kind).toBe('running');
    // Removing the object again takes nothing of the old machine along.
    await drop('restored');
    expect(lab.world.hand.machine(uuid)?.machine.power.kind).toBe('running');
  });
});

describe('events and replies of hosts', () => {
  it('duplicated, late and reordered events change nothing in the end (F11)', async () => {
    lab.world.events.trouble({ copies: 3, delayMs: () => Math.random() * 150 });
    try {
      const names = Array.from({ length: 8 }, (_, at) => `late${at}`);
      await Promise.all(names.map((name) => scene.make(name, { disks: [blank('root', scene.name)] })));
      await Promise.all(names.map((name) => scene.running(name)));
      await Promise.all(names.map((name) => scene.patch(name, { powerState: 'PoweredOff' })));
      await Promise.all(names.map((name) => scene.running(name)));
      for (const name of names) expect(scene.domain(name)?.machine.power.kind).toBe('off');
      await Promise.all(names.map(drop));
    } finally {
      lab.world.events.trouble();
    }
  });

  it('replies that are lost after the effect: each thing is made once (F7)', async () => {
    for (const method of [
      'define',
      'start',
      'setRecord',
      'undefine',
      'storage.createBlank',
      'storage.delete',
      'storage.putSmall',
    ]) {
      lab.world.calls.fail({ method, when: 'after', fault: 'unreachable', times: 1 });
    }
    await scene.make('lost', { disks: [blank('root', scene.name)], cloudInit: { hostname: 'x' } });
    await scene.running('lost');
    expect(lab.world.hosts().filter(({ machines }) => machines.has(scene.uuid('lost')))).toHaveLength(1);
    await drop('lost');
    await scene.gone('VirtualDisk', 'lost.root');
    expect(lab.checker.atRest()).toEqual([]);
  });

  it('no room: the disk says so, and goes on once there is room (F8)', async () => {
    const full = await setScene(lab, 'full', { hosts: [{ name: 'full-1' }] });
    lab.world.calls.fail({
      host: 'full-1',
      method: 'storage.createBlank',
      fault: 'unreachable',
      times: 2,
    });
    await full.make('m', { disks: [blank('root', 'full')] });
    await full.running();
  });
});

it('keeps every invariant meanwhile', async () => {
  await operator.quiet();
  expect(lab.checker.atRest()).toEqual([]);
});
