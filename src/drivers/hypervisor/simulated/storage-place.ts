/** Prepared places of a simulated host, and what may be asked of them. */
import { Fault } from '../../../runtime/fault.ts';
import type { ShareState } from '../../storage/simulated/world.ts';
import type { Change } from '../contract.ts';
import type { StoragePlace } from '../host-storage.ts';
import type { Gate } from './gate.ts';
import type { SimulatedDirectory, SimulatedHost, SimulatedPlace, SimulatedVolume } from './state.ts';

export interface StorageContext {
  readonly host: SimulatedHost;
  readonly gate: Gate;
  readonly emit: (change: Change) => void;
  /** The folder at a path: of this host alone, or of all that mount it. */
  readonly directoryAt: (host: SimulatedHost, place: StoragePlace) => SimulatedDirectory;
  readonly shareState: (share: string) => ShareState;
  /** Throws Fault unreachable once the session is closed. */
  readonly checkOpen: () => void;
}

export const availableBytes = (directory: SimulatedDirectory): number => {
  let free = directory.capacityBytes - directory.foreignBytes;
  for (const { allocatedBytes } of directory.volumes.values()) {
    free -= allocatedBytes;
  }
  return Math.max(0, free);
};

/** Throws Fault unreachable, reason StoragePoolFull: room may come by itself. */
export const checkRoom = ({ host, directory }: OpenPlace, bytes: number): void => {
  if (availableBytes(directory) < bytes) {
    const message = `No space is left for the file on ${host.name}.`;
    throw new Fault('unreachable', message, { reason: 'StoragePoolFull', where: host.name });
  }
};

export interface OpenPlace extends SimulatedPlace {
  readonly host: SimulatedHost;
}

/** Why what is mounted cannot be used; undefined for a folder, and for a mount that works. */
export const mountTrouble = (
  { host, shareState }: Pick<StorageContext, 'host' | 'shareState'>,
  place: StoragePlace,
): 'MountFailed' | 'MountLost' | undefined => {
  if (place.mount?.kind !== 'simulated') return undefined;
  if (host.unmounted.has(place.path)) return 'MountLost';
  return shareState(place.mount.share) === 'up' ? undefined : 'MountFailed';
};

/** Throws Fault conflict when nobody prepared the place on this host, unreachable when its mount is gone. */
export const openPlace = (context: StorageContext, place: StoragePlace): OpenPlace => {
  const { host } = context;
  const trouble = mountTrouble(context, place);
  if (trouble !== undefined) {
    const message = `The storage pool ${place.poolName} is not mounted on ${host.name}.`;
    throw new Fault('unreachable', message, { reason: trouble, where: host.name });
  }
  const open = host.places.get(place.path);
  if (open?.poolUid !== place.poolUid) {
    const message = `The storage pool ${place.poolName} is not prepared on ${host.name}.`;
    throw new Fault('conflict', message, { reason: 'StorageNotReady', where: host.name });
  }
  return { ...open, host };
};

/** Throws Fault invalid for a name that would leave the directory. */
export const checkName = (volume: string): void => {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/.test(volume)) {
    throw new Fault('invalid', 'A volume has a name that is no file name.');
  }
};

/** Throws Fault conflict unless the volume is there and complete. */
export const completeVolume = ({ directory, host }: OpenPlace, name: string): SimulatedVolume => {
  const volume = directory.volumes.get(name);
  if (volume?.complete !== true) {
    throw new Fault('conflict', `The volume ${name} is not complete on ${host.name}.`, { where: host.name });
  }
  return volume;
};
