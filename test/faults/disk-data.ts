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
    fill: (name) => {
      for (const volume of filesOf(name)) volume.pieces = marker;
      const served = storage.disks.get(uidOf(name));
      if (served !== undefined) storage.disks.set(uidOf(name), { ...served, pieces: marker });
    },
    isAnywhere: (uid) => storage.disks.has(uid) || filesWith(uid).length > 0,
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
