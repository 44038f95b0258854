/** What becomes of wishes for a StoragePool that is on its way out. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conditionOf } from './api.ts';
import { type Lab, startLab } from './lab.ts';
import { blank, disk, hostPool, storagePool } from './objects.ts';
import { type Scene, setScene } from './scene.ts';

let lab: Lab;
let scene: Scene;

beforeAll(async () => {
  lab = await startLab();
  await lab.start();
  scene = await setScene(lab, 'leaving');
});
afterAll(() => lab.close());

describe('a StoragePool that is being deleted', () => {
  it('takes nothing new, and goes', async () => {
    await lab.api.apply(storagePool('leaving', [scene.name]), disk('held', scene.name, 'leaving'));
    await lab.api.until(
      'pool',
      () => conditionOf(lab.api.get('StoragePool', 'leaving'), 'Ready')?.status === 'True',
    );
    await lab.api.remove('StoragePool', 'leaving');
    const waiting = (): boolean =>
      conditionOf(lab.api.get('StoragePool', 'leaving'), 'Deleting')?.reason === 'WaitingForDependents';
    await lab.api.until('pool', waiting);
    await lab.api.apply(disk('late', scene.name, 'leaving'));
    await scene.make('late', { disks: [blank('root', 'leaving')] });
    for (const kind of ['VirtualMachine', 'VirtualDisk'] as const) {
      const { message } = await scene.told(kind, 'late', 'Ready', 'False', 'StoragePoolNotFound');
      expect(message).toBe('StoragePool leaving is being deleted.');
    }
    await lab.api.remove('VirtualMachine', 'late', scene.name);
    await scene.gone('VirtualMachine', 'late');
    for (const name of ['late', 'held']) await lab.api.remove('VirtualDisk', name, scene.name);
    await lab.api.until('pool', () => lab.api.get('StoragePool', 'leaving') === undefined);
  });
});

describe('a StoragePool that a HostPool was taken out of', () => {
  it('leaves no file of a disk that is deleted later, which is on a host of that one', async () => {
    const { name } = scene;
    await lab.api.apply(hostPool('stays', [{ name: 'stays-1' }]), disk('left', name, name));
    await lab.api.apply(storagePool(name, [name, 'stays']));
    await scene.make('user', { disks: [{ name: 'left', diskRef: { name: 'left' } }] });
    await scene.running('user');
    const uid = lab.api.get('VirtualDisk', 'left', name)?.metadata.uid ?? '';
    const files = (): readonly string[] =>
      lab.world
        .hosts()
        .flatMap(({ directories }) => [...directories.values()].flatMap(({ volumes }) => [...volumes.keys()]))
        .filter((file) => file.includes(uid));
    expect(files()).toHaveLength(1);
    await lab.api.remove('VirtualMachine', 'user', name);
    await scene.gone('VirtualMachine', 'user');
    await lab.api.apply(storagePool(name, ['stays']));
    await lab.api.remove('VirtualDisk', 'left', name);
    await scene.gone('VirtualDisk', 'left');
    expect(files()).toEqual([]);
  });
});
