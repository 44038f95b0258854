/** What is written on disks of a simulated world, wherever they are. */
import { diskVolumeName } from '../../src/api/identity.ts';
import type { SimulatedDirectory, SimulatedVolume } from '../../src/drivers/hypervisor/simulated/state.ts';
import type { Piece } from '../../src/drivers/storage/simulated/disk-content.ts';
import type { Thing } from './api.ts';
import type { Lab } from './lab.ts';

const FAR = 700_000_000;

/** Something at the begin and something far behind it. */
export const marker: readonly Piece[] = [
  { at: 5_000, bytes: new TextEncoder().encode('the data of the disk') },
  { at: FAR, bytes: new TextEncoder().encode('and its end') },
];

/** Letters that are on the disk, from begin to end. */
export const written = (pieces: readonly Piece[] = []): string => {
  const [begin, end] = [Buffer.alloc(6_000), Buffer.alloc(100)];
  for (const { at, bytes } of pieces) {
    for (const [index, byte] of bytes.entries()) {
      const from = at + index;
      if (from < begin.byteLength) begin[from] = byte;
      if (from >= FAR && from < FAR + end.byteLength) end[from - FAR] = byte;
    }
  }
  return Buffer.concat([begin, end]).toString('latin1').replaceAll('\0', '');
};

export interface DiskData {
  thing(name: string): Thing;
  filesOf(name: string): readonly SimulatedVolume[];
  /** How many there are of it, unfinished ones too. */
  copies(name: string): number;
  contentOf(name: string): string;
  /** Of each copy that there is. */
  contents(name: string): readonly string[];
  /** Writes the marker, as a guest would. */
  fill(name: string): void;
  isAnywhere(uid: string): boolean;
}

export const diskDataIn = ({ api, world, storage }: Lab, namespace: string): DiskData => {
  const thing = (name: string): Thing => {
    const found = api.get('VirtualDisk', name, namespace);
    if (found === undefined) throw new Error(`no disk ${name}`);
    return found;
  };
  const uidOf = (name: string): string => thing(name).metadata.uid;
  const folders = (): readonly SimulatedDirectory[] => [
    ...new Set(world.hosts().flatMap((host) => [...host.places.values()].map(({ directory }) => directory))),
  ];
  const filesWith = (uid: string): readonly SimulatedVolume[] =>
    folders().flatMap((it) => it.volumes.get(diskVolumeName(uid, 'qcow2')) ?? []);
  const filesOf = (name: string): readonly SimulatedVolume[] => filesWith(uidOf(name));
  return {
    thing,
    filesOf,
    copies: (name) => filesOf(name).length + (storage.disks.has(uidOf(name)) ? 1 : 0),
    contentOf: (name) => written(filesOf(name)[0]?.pieces ?? storage.disks.get(uidOf(name))?.pieces),
    contents: (name) =>
      [...filesOf(name), storage.disks.get(uidOf(name))].flatMap((it) =>
        it?.pieces === undefined ? [] : written(it.pieces),
      ),
    fill: (name) => {
      for (const volume of filesOf(name)) volume.pieces = marker;
      const served = storage.disks.get(uidOf(name));
      if (served !== undefined) storage.disks.set(uidOf(name), { ...served, pieces: marker });
    },
    isAnywhere: (uid) => storage.disks.has(uid) || filesWith(uid).length > 0,
  };
};

/**
 * Spoils the next copy of the disk that is finished, on a host or on a storage server, before anybody can look at it.
 * Answers how often that was done.
 */
export const spoilNextCopy = ({ world, storage }: Lab, uid: string): { spoilt(): number; leave(): void } => {
  let spoilt = 0;
  const bad: readonly Piece[] = [{ at: 5_000, bytes: Uint8Array.of(1, 2, 3) }];
  const unhook = world.calls.hook((call, phase) => {
    const name = diskVolumeName(uid, 'qcow2');
    if (spoilt > 0 || phase !== 'after' || call.method !== 'storage.finish' || call.subject !== name) return;
    spoilt += 1;
    for (const { directory } of world.find(call.host)?.places.values() ?? []) {
      const volume = directory.volumes.get(name);
      if (volume !== undefined) volume.pieces = bad;
    }
  });
  const { disks } = storage;
  disks.set = (key, disk) => {
    const spoils = spoilt === 0 && key === uid && disk.complete;
    if (spoils) spoilt += 1;
    return Map.prototype.set.call(disks, key, spoils ? { ...disk, pieces: bad } : disk) as typeof disks;
  };
  return {
    spoilt: () => spoilt,
    leave: () => {
      unhook();
      Reflect.deleteProperty(disks, 'set');
    },
  };
};

/** Holds calls of that name on disks until released. */
export const holdCalls = (
  { world }: Lab,
  method: string,
): { readonly held: Promise<void>; release(): void } => {
  const [held, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const leave = world.calls.hook(async (call, phase) => {
    if (phase !== 'before' || call.method !== method || call.subject?.startsWith('ovcp-disk-') !== true)
      return;
    held.resolve();
    await gate.promise;
  });
  return {
    held: held.promise,
    release: () => {
      leave();
      gate.resolve();
    },
  };
};
