/** Seam 3 over libvirt: places, volumes and work of one host. */
import type { Clock } from '../../../runtime/clock.ts';
import { Fault } from '../../../runtime/fault.ts';
import type { HostId } from '../contract.ts';
import type { Chunk, FileRange, HostStorage, StoragePlace, StorageStep } from '../host-storage.ts';
import type { HostProfile } from './facts.ts';
import type { HostLink } from './host-link.ts';
import type { PlaceTurns } from './place-turns.ts';
import { upload } from './storage-content.ts';
import { checkMarked, forgetGroup, prepareGroup, seeGroup } from './storage-group.ts';
import { tidyUp } from './storage-group-work.ts';
import {
  checkMounted,
  forgetPlace,
  isGroup,
  preparePlace,
  seePlace,
  writeSharedMarker,
} from './storage-place.ts';
import { createRead } from './storage-read.ts';
import {
  beginMaking,
  checkUndisguised,
  checkVolumeName,
  completeVolume,
  createVolume,
  deleteVolume,
  endMaking,
  handleOf,
  listVolumes,
  type Shelf,
  seeVolume,
} from './storage-volumes.ts';
import { doWork } from './storage-work.ts';
import { toHostFault } from './to-fault.ts';

const isWhole = async (shelf: Shelf, volume: string, signal: AbortSignal): Promise<boolean> => {
  const sight = await seeVolume(shelf, volume, signal);
  if (sight.kind === 'absent') return false;
  if (!sight.volume.complete) await deleteVolume(shelf, volume, signal);
  return sight.volume.complete;
};

type OnVolume<K extends StorageStep['kind']> = (
  shelf: Shelf,
  step: Extract<StorageStep, { readonly kind: K }>,
  signal: AbortSignal,
) => Promise<void>;

const createBlank: OnVolume<'createBlank'> = async (shelf, { volume, format, sizeBytes }, signal) => {
  checkVolumeName(volume);
  if (await isWhole(shelf, volume, signal)) return;
  await createVolume(shelf, { name: volume, format, sizeBytes }, signal);
};

const createLinked: OnVolume<'createLinked'> = async (shelf, { volume, backing, sizeBytes }, signal) => {
  checkVolumeName(volume);
  if (await isWhole(shelf, volume, signal)) return;
  const below = await completeVolume(shelf, backing, signal);
  if (sizeBytes < below.sizeBytes) {
    throw new Fault('invalid', 'The disk is smaller than its image.', { reason: 'DiskSmallerThanImage' });
  }
  const format = below.name.endsWith('.raw') ? 'raw' : 'qcow2';
  const under = { path: `${shelf.place.path}/${backing}`, format } as const;
  await createVolume(shelf, { name: volume, format: 'qcow2', sizeBytes, backing: under }, signal);
};

const grow: OnVolume<'grow'> = async (shelf, { volume, sizeBytes }, signal) => {
  const seen = await completeVolume(shelf, volume, signal);
  checkUndisguised(seen);
  if (seen.sizeBytes >= sizeBytes) return;
  const args = { vol: handleOf(shelf.place, volume), capacity: BigInt(sizeBytes), flags: 0 };
  await shelf.remote.call('STORAGE_VOL_RESIZE', args, signal);
};

const putSmall: OnVolume<'putSmall'> = async (shelf, { volume, bytes }, signal) => {
  checkVolumeName(volume);
  await beginMaking(shelf, volume, signal);
  await createVolume(shelf, { name: volume, format: 'raw', sizeBytes: bytes.byteLength }, signal);
  const whole = async function* () {
    yield bytes;
  };
  await upload(shelf, volume, whole(), signal);
  await endMaking(shelf, volume, undefined, signal);
};

/** Everything else in a group is work, because volumes have to be written over, or belongs to files. */
const takeInGroup = (shelf: Shelf, step: StorageStep, signal: AbortSignal): Promise<void> => {
  switch (step.kind) {
    case 'preparePlace':
      return prepareGroup(shelf, signal);
    case 'forgetPlace':
      return forgetGroup(shelf, signal);
    case 'delete':
      return deleteVolume(shelf, step.volume, signal);
    case 'grow':
      return tidyUp(shelf, step, signal);
    case 'writeSharedMarker':
    case 'createBlank':
    case 'createLinked':
    case 'putSmall':
      throw new Fault('unsupported', 'A volume group takes whole disks alone.', { reason: 'Unsupported' });
    default:
      return step satisfies never;
  }
};

const takeStep = (shelf: Shelf, step: StorageStep, signal: AbortSignal): Promise<void> => {
  if (isGroup(shelf.place)) return takeInGroup(shelf, step, signal);
  switch (step.kind) {
    case 'preparePlace':
      return preparePlace(shelf.remote, shelf.place, signal);
    case 'writeSharedMarker':
      return writeSharedMarker(shelf.remote, shelf.place, signal);
    case 'forgetPlace':
      return forgetPlace(shelf.remote, shelf.place, step.withMarker === true, signal);
    case 'createBlank':
      return createBlank(shelf, step, signal);
    case 'createLinked':
      return createLinked(shelf, step, signal);
    case 'grow':
      return grow(shelf, step, signal);
    case 'delete':
      return deleteVolume(shelf, step.volume, signal);
    case 'putSmall':
      return putSmall(shelf, step, signal);
    default:
      return step satisfies never;
  }
};

/** `hostOf` throws Fault when the host is not in the pool (any more). */
export const createHostStorage = (
  host: HostId,
  hostOf: () => { readonly link: HostLink<HostProfile>; readonly turns: PlaceTurns },
  clock: Clock,
): HostStorage => {
  const on = async <T>(
    place: StoragePlace,
    work: (shelf: Shelf, link: HostLink<HostProfile>) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> => {
    try {
      const { link, turns } = hostOf();
      const { remote, session } = await link.up(signal);
      const { hostUuid } = session.facts;
      const sleep: Shelf['sleep'] = (delayMs, signal) => clock.sleep(delayMs, signal);
      return await work({ remote: turns.remoteFor(remote, place), place, hostUuid, sleep }, link);
    } catch (error) {
      throw toHostFault(error, host);
    }
  };
  const readVolume = createRead();
  async function* read(
    place: StoragePlace,
    volume: string,
    range: FileRange,
    signal: AbortSignal,
  ): AsyncGenerator<Chunk, void, void> {
    try {
      checkVolumeName(volume);
      const bulk = await hostOf().link.bulk(signal);
      yield* readVolume(bulk, place, volume, range, signal);
    } catch (error) {
      throw toHostFault(error, host);
    }
  }
  /**
   * For whatever touches volumes: in a folder that is not mounted they would be absent, or land where nobody finds
   * them; in a volume group without our mark they are not ours.
   */
  const inside: typeof on = (place, work, signal) =>
    on(
      place,
      async (shelf, link) => {
        await (isGroup(place) ? checkMarked(shelf, signal) : checkMounted(shelf.remote, place, signal));
        return work(shelf, link);
      },
      signal,
    );
  return {
    read,
    seePlace: (place, signal) =>
      on(
        place,
        (shelf) => (isGroup(place) ? seeGroup(shelf, signal) : seePlace(shelf.remote, place, signal)),
        signal,
      ),
    see: (place, volume, signal) => inside(place, (shelf) => seeVolume(shelf, volume, signal), signal),
    list: (place, signal) => inside(place, (shelf) => listVolumes(shelf, signal), signal),
    take: (place, step, signal) =>
      ('volume' in step ? inside : on)(place, (shelf) => takeStep(shelf, step, signal), signal),
    work: (place, work, progress, signal) =>
      inside(
        place,
        async (shelf, link) => doWork({ ...shelf, bulk: await link.bulk(signal) }, work, progress, signal),
        signal,
      ),
  };
};
