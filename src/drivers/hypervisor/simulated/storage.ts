/** Directories, volumes and long work of a simulated host. */
import { Fault, toFault } from '../../../runtime/fault.ts';
import type {
  Chunk,
  FileRange,
  HostStorage,
  PlaceSeen,
  StoragePlace,
  StorageStep,
  StorageWork,
  VolumeSeen,
  VolumeSight,
} from '../host-storage.ts';
import type { SimulatedVolume } from './state.ts';
import {
  availableBytes,
  checkName,
  checkRoom,
  completeVolume,
  mountTrouble,
  type OpenPlace,
  openPlace,
  type StorageContext,
} from './storage-place.ts';
import { pieces } from './storage-read.ts';
import { createStorageWork } from './storage-work.ts';

/** What an empty qcow2 file takes: header, tables and refcounts. */
const emptyQcow2Bytes = 196_616;

const seenOf = (place: StoragePlace, volume: SimulatedVolume): VolumeSeen => ({
  name: volume.name,
  path: `${place.path}/${volume.name}`,
  format: volume.format,
  sizeBytes: volume.sizeBytes,
  allocatedBytes: volume.allocatedBytes,
  backingPath: volume.backingPath,
  complete: volume.complete,
  digest: volume.digest,
});

const seePlace = (context: StorageContext, place: StoragePlace): PlaceSeen => {
  const open = context.host.places.get(place.path);
  if (open === undefined || open.poolUid !== place.poolUid) {
    return { kind: 'absent' };
  }
  const trouble = mountTrouble(context, place);
  if (trouble !== undefined) {
    const message = `The storage pool ${place.poolName} is no longer mounted.`;
    return { kind: 'broken', reason: trouble, message };
  }
  return {
    kind: 'ready',
    capacityBytes: open.directory.capacityBytes,
    availableBytes: availableBytes(open.directory),
    sharedMarker: place.topology === 'HostLocal' || open.directory.marker === place.poolUid,
  };
};

/** What is served can be mounted, also again; a share that is not there cannot. */
const mount = ({ host, shareState }: StorageContext, place: StoragePlace): void => {
  if (place.mount === undefined) return;
  if (place.mount.kind !== 'simulated') {
    throw new Fault('unsupported', 'A simulated host mounts simulated shares alone.', { where: host.name });
  }
  if (shareState(place.mount.share) !== 'up') {
    const message = `The share ${place.mount.share} cannot be mounted on ${host.name}.`;
    throw new Fault('unreachable', message, { reason: 'MountFailed', where: host.name });
  }
  host.unmounted.delete(place.path);
};

const preparePlace = (context: StorageContext, place: StoragePlace): void => {
  const { host, directoryAt } = context;
  const open = host.places.get(place.path);
  if (open !== undefined && open.poolUid !== place.poolUid) {
    const message = `Another storage pool uses the folder of ${place.poolName} on ${host.name}.`;
    throw new Fault('denied', message, { reason: 'NameTaken', where: host.name });
  }
  mount(context, place);
  host.places.set(place.path, { poolUid: place.poolUid, directory: directoryAt(host, place) });
};

const forgetPlace = ({ host }: StorageContext, place: StoragePlace, withMarker: boolean): void => {
  const open = host.places.get(place.path);
  if (open?.poolUid !== place.poolUid) return;
  if (withMarker && open.directory.marker === place.poolUid) open.directory.marker = undefined;
  host.places.delete(place.path);
};

const put = (open: OpenPlace, volume: SimulatedVolume): void => {
  checkName(volume.name);
  checkRoom(open, volume.allocatedBytes);
  open.directory.volumes.set(volume.name, volume);
};

const createLinked = (
  place: StoragePlace,
  open: OpenPlace,
  step: Extract<StorageStep, { kind: 'createLinked' }>,
): void => {
  const backing = completeVolume(open, step.backing);
  if (step.sizeBytes < backing.sizeBytes) {
    throw new Fault('invalid', 'The disk is smaller than its image.', { reason: 'DiskSmallerThanImage' });
  }
  put(open, {
    name: step.volume,
    format: 'qcow2',
    sizeBytes: step.sizeBytes,
    allocatedBytes: emptyQcow2Bytes,
    backingPath: `${place.path}/${backing.name}`,
    complete: true,
    digest: undefined,
    bytes: undefined,
  });
};

const onVolume = (
  place: StoragePlace,
  open: OpenPlace,
  step: Exclude<StorageStep, { kind: 'preparePlace' | 'writeSharedMarker' | 'forgetPlace' }>,
): void => {
  const existing = open.directory.volumes.get(step.volume);
  switch (step.kind) {
    case 'createBlank':
      if (existing?.complete !== true) {
        const allocatedBytes = step.format === 'qcow2' ? emptyQcow2Bytes : 0;
        const rest = { backingPath: undefined, complete: true, digest: undefined, bytes: undefined };
        put(open, {
          name: step.volume,
          format: step.format,
          sizeBytes: step.sizeBytes,
          allocatedBytes,
          ...rest,
        });
      }
      return;
    case 'createLinked':
      if (existing?.complete !== true) {
        createLinked(place, open, step);
      }
      return;
    case 'grow': {
      const volume = completeVolume(open, step.volume);
      volume.sizeBytes = Math.max(volume.sizeBytes, step.sizeBytes);
      return;
    }
    case 'delete':
      open.directory.volumes.delete(step.volume);
      return;
    case 'putSmall': {
      const sizeBytes = step.bytes.byteLength;
      const rest = { backingPath: undefined, complete: true, digest: undefined, bytes: step.bytes };
      put(open, { name: step.volume, format: 'iso', sizeBytes, allocatedBytes: sizeBytes, ...rest });
      return;
    }
    default:
      step satisfies never;
  }
};

const takeStep = (context: StorageContext, place: StoragePlace, step: StorageStep): void => {
  switch (step.kind) {
    case 'preparePlace':
      preparePlace(context, place);
      return;
    case 'forgetPlace':
      forgetPlace(context, place, step.withMarker === true);
      return;
    case 'writeSharedMarker':
      openPlace(context, place).directory.marker = place.poolUid;
      return;
    default:
      onVolume(place, openPlace(context, place), step);
  }
};

/** A host's storage as one session sees it. */
export const createHostStorage = (context: StorageContext): HostStorage => {
  const { host, gate, emit, checkOpen } = context;
  const work = createStorageWork(context);

  const ask = async <T>(
    method: string,
    subject: string | undefined,
    mutating: boolean,
    effect: () => T,
    signal: AbortSignal,
  ): Promise<T> => {
    checkOpen();
    return gate.run(host, { method: `storage.${method}`, mutating, subject }, effect, signal);
  };

  async function* read(
    place: StoragePlace,
    name: string,
    { offset, length }: FileRange,
    signal: AbortSignal,
  ): AsyncGenerator<Chunk, void, void> {
    const volume = await ask(
      'read',
      name,
      false,
      () => completeVolume(openPlace(context, place), name),
      signal,
    );
    for (const piece of pieces(volume, offset, length)) {
      checkOpen();
      yield piece;
    }
  }

  return {
    read,
    seePlace: (place, signal) =>
      ask('seePlace', place.poolUid, false, () => seePlace(context, place), signal),
    see: (place, name, signal) =>
      ask(
        'see',
        name,
        false,
        (): VolumeSight => {
          const volume = openPlace(context, place).directory.volumes.get(name);
          return volume === undefined
            ? { kind: 'absent' }
            : { kind: 'present', volume: seenOf(place, volume) };
        },
        signal,
      ),
    list: (place, signal) =>
      ask(
        'list',
        place.poolUid,
        false,
        () =>
          [...openPlace(context, place).directory.volumes.values()]
            .filter(({ name }) => name.startsWith('ovcp-'))
            .map((volume) => seenOf(place, volume)),
        signal,
      ),
    take: async (place, step, signal) => {
      const subject = 'volume' in step ? step.volume : place.poolUid;
      const effect = (): void => {
        takeStep(context, place, step);
        emit({ kind: 'storage', host: host.name });
      };
      await ask(step.kind, subject, true, effect, signal);
    },
    work: async (place, what: StorageWork, progress, signal) => {
      checkOpen();
      try {
        await work(place, what, progress, signal);
      } catch (error) {
        throw toFault(error);
      }
      emit({ kind: 'storage', host: host.name });
    },
  };
};
