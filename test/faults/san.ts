/** A simulated storage server under the machines of a scene: who has which of its disks. */
import { diskTargetIqn, hostInitiatorIqn } from '../../src/api/identity.ts';
import type { StorageWorld } from '../../src/drivers/storage/simulated/world.ts';
import type { Thing } from './api.ts';
import type { Lab } from './lab.ts';
import { image, storagePool } from './objects.ts';
import type { Scene } from './scene.ts';

export interface San {
  /** Throws when there is none of this name. */
  disk(name: string): Thing;
  targetOf(disk: string): ReturnType<StorageWorld['fabric']['targets']['get']>;
  /** Initiators that the disk's target lets in. */
  admitted(disk: string): readonly string[];
  /** Initiator of a host of the scene. */
  iqnOf(host: string | undefined): string;
  /** Name of the host that has the machine; empty while none has. */
  homeOf(vm: string): string;
  /** Deletes the machines, one after another. */
  drop(...machines: readonly string[]): Promise<void>;
}

/** Makes a StoragePool `pool` that is Ready, and an image `tiny` in the scene's own pool. */
export const setSan = async (lab: Lab, scene: Scene, pool: string, server: object): Promise<San> => {
  const { name } = scene;
  await lab.api.apply(
    storagePool(pool, [name], { topology: 'Shared', roles: ['Disks'], simulated: { server } }),
    image('tiny', name, name, lab.image.url, lab.image.checksum),
  );
  await scene.told('StoragePool', pool, 'Ready', 'True');
  const disk: San['disk'] = (it) => {
    const found = lab.api.get('VirtualDisk', it, name);
    if (found === undefined) throw new Error(`no disk ${it}`);
    return found;
  };
  const targetOf: San['targetOf'] = (it) =>
    lab.storage.fabric.targets.get(diskTargetIqn(disk(it).metadata.uid));
  return {
    disk,
    targetOf,
    admitted: (it) => [...(targetOf(it)?.admitted ?? [])],
    iqnOf: (host) => {
      const uid = lab.api.get('Host', `${name}.${host}`)?.metadata.uid;
      if (uid === undefined) throw new Error(`no host ${host}`);
      return hostInitiatorIqn(uid);
    },
    homeOf: (vm) => scene.domain(vm)?.host ?? '',
    drop: async (...machines) => {
      for (const vm of machines) {
        await lab.api.remove('VirtualMachine', vm, name);
        await scene.gone('VirtualMachine', vm);
      }
    },
  };
};
