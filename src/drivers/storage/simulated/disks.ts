/** Single disks of a simulated storage server. */
import { DISK_LUN, diskTargetIqn } from '../../../api/identity.ts';
import { Fault } from '../../../runtime/fault.ts';
import type {
  DiskIdentity,
  DiskServer,
  PoolIdentity,
  ServedDisk,
  ServedFill,
  ServedSight,
  ServedStep,
} from '../contract.ts';
import { contentOf, type Piece } from './disk-content.ts';
import { hasQuorum, type SimulatedDisk, type StorageWorld } from './world.ts';

export interface DisksContext {
  readonly world: StorageWorld;
  readonly identity: PoolIdentity;
  readonly latencyMs: number;
  /** Throws Fault unreachable once the session is closed. */
  readonly checkOpen: () => void;
}

const PORTAL = { address: 'simulated', port: 3260 };

const servedDisk = (diskUid: string): ServedDisk => ({
  protocol: 'iscsi',
  portals: [PORTAL],
  targetIqn: diskTargetIqn(diskUid),
  lun: DISK_LUN,
  serial: diskUid.replaceAll('-', ''),
  wwn: diskUid.replaceAll('-', ''),
});

/** Throws Fault unreachable, unless the server runs. */
const checkUp = ({ world, identity }: DisksContext): void => {
  const volume = world.volumes.get(identity.poolName);
  if (volume?.started === true && hasQuorum(volume)) return;
  throw new Fault('unreachable', 'The storage server does not answer.', { reason: 'ServerUnreachable' });
};

const ownDisk = ({ world, identity }: DisksContext, { diskUid }: DiskIdentity): SimulatedDisk | undefined => {
  const disk = world.disks.get(diskUid);
  return disk?.poolUid === identity.poolUid ? disk : undefined;
};

const completeDisk = (context: DisksContext, disk: DiskIdentity): SimulatedDisk => {
  const found = ownDisk(context, disk);
  if (found?.complete === true) return found;
  throw new Fault('conflict', 'The disk is not on the server, or not complete.');
};

const admittedTo = ({ world }: DisksContext, { diskUid }: DiskIdentity): readonly string[] =>
  [...(world.fabric.targets.get(diskTargetIqn(diskUid))?.admitted ?? [])].toSorted();

const see = (context: DisksContext, disk: DiskIdentity): ServedSight => {
  const found = ownDisk(context, disk);
  if (found === undefined) return { kind: 'absent' };
  const { sizeBytes, allocatedBytes, complete, stamp } = found;
  const served = servedDisk(disk.diskUid);
  const sessions = [...context.world.fabric.users].flatMap((user) => user.sessions(served.targetIqn));
  return {
    kind: 'present',
    sizeBytes,
    allocatedBytes,
    complete,
    published: admittedTo(context, disk),
    sessions: [...new Set(sessions)].toSorted(),
    served,
    stamp: `${stamp}`,
  };
};

const UID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const IQN = /^iqn\.[0-9]{4}-[0-9]{2}\.[a-z0-9.-]+(:[A-Za-z0-9._:-]+)?$/;

const checkNames = ({ diskUid }: DiskIdentity, step?: ServedStep): void => {
  if (!UID.test(diskUid)) throw new Fault('invalid', 'The uid of a disk is not one.');
  if (step !== undefined && 'initiator' in step && !IQN.test(step.initiator.iqn))
    throw new Fault('invalid', 'The initiator name of the host is no iSCSI name.');
};

/** Throws Fault unreachable, reason StoragePoolFull: room may come by itself. */
const checkRoom = ({ world, identity }: DisksContext, bytes: number): void => {
  const volume = world.volumes.get(identity.poolName);
  const taken = [...world.disks.values()]
    .filter(({ poolUid }) => poolUid === identity.poolUid)
    .reduce((sum, { allocatedBytes }) => sum + allocatedBytes, 0);
  if (volume === undefined || volume.usedBytes + taken + bytes <= volume.capacityBytes) return;
  throw new Fault('unreachable', 'No space is left for the disk.', { reason: 'StoragePoolFull' });
};

const put = (
  context: DisksContext,
  { diskUid }: DiskIdentity,
  made: Omit<SimulatedDisk, 'poolUid' | 'stamp'>,
): void => {
  const { world, identity } = context;
  world.disks.set(diskUid, { ...made, poolUid: identity.poolUid, stamp: (world.stamps += 1) });
  // What an earlier disk of the name left must not be written to by who had that one.
  const old = world.fabric.targets.get(diskTargetIqn(diskUid));
  for (const iqn of old?.admitted ?? [])
    for (const user of world.fabric.users) user.cut(diskTargetIqn(diskUid), iqn);
  world.fabric.targets.delete(diskTargetIqn(diskUid));
  if (!made.complete) return;
  const target = { lun: DISK_LUN, sizeBytes: made.sizeBytes, admitted: new Set<string>() };
  world.fabric.targets.set(diskTargetIqn(diskUid), target);
};

/** Throws Fault conflict for a disk that somebody may write to. */
const unusedDisk = (context: DisksContext, disk: DiskIdentity): SimulatedDisk => {
  if (admittedTo(context, disk).length > 0)
    throw new Fault('conflict', 'A disk that a host may write to is neither read nor copied.');
  return completeDisk(context, disk);
};

const clone = (
  context: DisksContext,
  disk: DiskIdentity,
  step: Extract<ServedStep, { kind: 'createClone' }>,
): void => {
  const { sizeBytes, allocatedBytes, pieces } = unusedDisk(context, step.from);
  if (step.sizeBytes < sizeBytes)
    throw new Fault('invalid', 'The copy is smaller than its source.', { reason: 'DiskSmallerThanImage' });
  checkRoom(context, allocatedBytes);
  put(context, disk, { sizeBytes: step.sizeBytes, allocatedBytes, complete: true, pieces });
};

const grow = (context: DisksContext, disk: DiskIdentity, sizeBytes: number): void => {
  const found = completeDisk(context, disk);
  const target = context.world.fabric.targets.get(diskTargetIqn(disk.diskUid));
  if (found.sizeBytes >= sizeBytes) return;
  if (!context.world.growsOnline && (target?.admitted.size ?? 0) > 0)
    throw new Fault('conflict', 'The disk cannot grow while a host may use it.');
  found.sizeBytes = sizeBytes;
  if (target !== undefined) target.sizeBytes = sizeBytes;
};

/** Throws Fault conflict for a step that was decided by an older look. */
const checkStamp = (context: DisksContext, disk: DiskIdentity, step: ServedStep): void => {
  const found = ownDisk(context, disk);
  if (!('stamp' in step) || step.stamp === undefined || found === undefined) return;
  if (step.stamp !== `${found.stamp}`)
    throw new Fault('conflict', 'Somebody was let in to the disk or out of it meanwhile.');
};

const restamp = (context: DisksContext, disk: DiskIdentity): void => {
  const found = ownDisk(context, disk);
  if (found !== undefined) found.stamp = context.world.stamps += 1;
};

const publish = ({ world }: DisksContext, { diskUid }: DiskIdentity, iqn: string): void => {
  const admitted = world.fabric.targets.get(diskTargetIqn(diskUid))?.admitted;
  if (admitted?.has(iqn) === false && admitted.size >= 2)
    throw new Fault('conflict', 'The disk is open to two hosts already.');
  admitted?.add(iqn);
};

const revoke = (context: DisksContext, disk: DiskIdentity, iqn: string): void => {
  const { world } = context;
  if (ownDisk(context, disk) === undefined) return;
  restamp(context, disk);
  const targetIqn = diskTargetIqn(disk.diskUid);
  world.fabric.targets.get(targetIqn)?.admitted.delete(iqn);
  for (const user of world.fabric.users) user.cut(targetIqn, iqn);
};

const takeStep = (context: DisksContext, disk: DiskIdentity, step: ServedStep): void => {
  const { world } = context;
  const targetIqn = diskTargetIqn(disk.diskUid);
  switch (step.kind) {
    case 'createBlank':
      if (ownDisk(context, disk)?.complete === true) return;
      return put(context, disk, {
        sizeBytes: step.sizeBytes,
        allocatedBytes: 0,
        complete: true,
        pieces: [],
      });
    case 'createClone':
      return ownDisk(context, disk)?.complete === true ? undefined : clone(context, disk, step);
    case 'grow':
      return grow(context, disk, step.sizeBytes);
    case 'delete':
      if (admittedTo(context, disk).length > 0) throw new Fault('conflict', 'A host may still use the disk.');
      if (ownDisk(context, disk) === undefined) return;
      world.disks.delete(disk.diskUid);
      world.fabric.targets.delete(targetIqn);
      return;
    case 'publish':
      completeDisk(context, disk);
      restamp(context, disk);
      return publish(context, disk, step.initiator.iqn);
    case 'revoke':
      return revoke(context, disk, step.initiator.iqn);
    default:
      step satisfies never;
  }
};

const receive = async (
  context: DisksContext,
  found: SimulatedDisk,
  pieces: Piece[],
  { chunks, finished, sizeBytes }: ServedFill,
  progress: (percent: number) => void,
  check: () => void,
): Promise<void> => {
  let at = 0;
  for await (const chunk of chunks) {
    check();
    const isHole = 'hole' in chunk;
    at += isHole ? chunk.hole : chunk.byteLength;
    if (at > sizeBytes) throw new Fault('invalid', 'More came than the disk holds.');
    if (!isHole) {
      checkRoom(context, chunk.byteLength);
      found.allocatedBytes += chunk.byteLength;
      pieces.push({ at: at - chunk.byteLength, bytes: Uint8Array.from(chunk) });
    }
    progress(Math.floor((at / sizeBytes) * 99));
  }
  await finished;
};

const createFill =
  (context: DisksContext): DiskServer['fill'] =>
  async (disk, fill, progress, signal) => {
    fill.finished.catch(() => undefined);
    checkNames(disk);
    const { world, latencyMs, checkOpen } = context;
    const call = <T>(method: string, effect: () => T): Promise<T> =>
      world.call(
        method,
        { mutating: true, latencyMs },
        () => {
          checkOpen();
          checkUp(context);
          return effect();
        },
        signal,
      );
    const found = await call('disk.fill', () => {
      if (ownDisk(context, disk)?.complete === true) return undefined;
      put(context, disk, { sizeBytes: fill.sizeBytes, allocatedBytes: 0, complete: false, pieces: [] });
      return ownDisk(context, disk);
    });
    if (found === undefined) return;
    const pieces: Piece[] = [];
    try {
      await receive(context, found, pieces, fill, progress, () => {
        if (signal.aborted)
          throw new Fault('unreachable', 'The fill was given up.', { cause: signal.reason });
        checkOpen();
      });
      const { sizeBytes, allocatedBytes } = found;
      await call('disk.finish', () =>
        put(context, disk, { sizeBytes, allocatedBytes, complete: true, pieces }),
      );
    } catch (error) {
      // A session that is closed cannot clean up; whoever comes next makes the disk anew.
      if (!signal.aborted && ownDisk(context, disk) === found) world.disks.delete(disk.diskUid);
      throw error;
    }
    progress(100);
  };

export const createDisks = (context: DisksContext): DiskServer => {
  const { world, latencyMs, checkOpen, identity } = context;
  const ask = async <T>(
    method: string,
    mutating: boolean,
    effect: () => T,
    signal: AbortSignal,
  ): Promise<T> => {
    checkOpen();
    const guarded = (): T => {
      checkUp(context);
      return effect();
    };
    return world.call(`disk.${method}`, { mutating, latencyMs }, guarded, signal);
  };
  return {
    get growsOnline() {
      return world.growsOnline;
    },
    see: (disk, signal) =>
      ask(
        'see',
        false,
        () => {
          checkNames(disk);
          return see(context, disk);
        },
        signal,
      ),
    list: (signal) =>
      ask(
        'list',
        false,
        () =>
          [...world.disks]
            .filter(([, { poolUid }]) => poolUid === identity.poolUid)
            .map(([diskUid]) => ({ diskUid })),
        signal,
      ),
    take: (disk, step, signal) =>
      ask(
        step.kind,
        true,
        () => {
          checkNames(disk, step);
          checkStamp(context, disk, step);
          takeStep(context, disk, step);
        },
        signal,
      ),
    fill: createFill(context),
    read: async function* (disk, signal) {
      const found = await ask('read', false, () => unusedDisk(context, disk), signal);
      yield* contentOf(found.pieces, 0, found.sizeBytes);
    },
    revokeAll: ({ iqn }, signal) =>
      ask(
        'revokeAll',
        true,
        () => {
          for (const [diskUid, { poolUid }] of world.disks)
            if (poolUid === identity.poolUid) revoke(context, { diskUid }, iqn);
        },
        signal,
      ),
  };
};
