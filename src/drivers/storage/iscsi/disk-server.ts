/** Single disks of an iSCSI pool: each call is one request to the program on the server. */
import { z } from 'zod';
import { Fault, isFault } from '../../../runtime/fault.ts';
import type {
  DiskIdentity,
  DiskServer,
  IscsiWish,
  PoolIdentity,
  ServedDisk,
  ServedFill,
  ServedSight,
  ServedStep,
} from '../contract.ts';
import type { ServerLink } from '../server-link.ts';
import { type AgentRequest, ask, send } from './agent.ts';
import { DISK_LUN, isInitiatorIqn, isUid, unitSerial, unitWwn } from './names.ts';
import type { TargetSoftware } from './software.ts';
import { fillFrames, readDisk, TRANSFER_IDLE_MS } from './transfer.ts';

/** A copy on the server and zeroing of a thick volume take as long as they take. */
const COPY_LIMIT_MS = 24 * 3_600_000;
const STEP_LIMIT_MS = 120_000;

/** An open pool as its parts need it. */
export interface IscsiPool {
  readonly link: ServerLink;
  readonly identity: PoolIdentity;
  readonly wish: IscsiWish;
  readonly software: TargetSoftware;
  /** The whole program, with the software's part. */
  readonly program: string;
  /** Throws Fault `invalid` when the wish cannot be met as it stands, and `unreachable` after `close`. */
  check(): void;
}

/** What every request says of the pool. */
export const poolRequest = (pool: IscsiPool, op: string, more: object = {}): AgentRequest => ({
  op,
  pool: pool.identity,
  backing: pool.wish.backing,
  portals: pool.wish.portals,
  chap: pool.wish.chap ?? null,
  settings: pool.software.settings,
  ...more,
});

const sightSchema = z.object({
  stamp: z.string(),
  disk: z
    .object({
      size: z.number(),
      allocated: z.number(),
      complete: z.boolean(),
      published: z.array(z.string()),
      sessions: z.array(z.string()),
    })
    .nullable(),
});
/** What a step answers: null when the disk could not be looked at after it. */
const afterSchema = z.object({ seen: sightSchema }).nullable();

const checkUid = ({ diskUid }: DiskIdentity): void => {
  if (!isUid(diskUid)) throw new Fault('invalid', 'The uid of a disk is not one.');
};

const malformed = (where: string): Fault =>
  new Fault('bug', `Server ${where} gave an answer that cannot be read.`, {
    reason: 'MalformedAnswer',
    where,
  });

/** How a host reaches the disk; derived, so that it is the same before and after everything. */
export const servedDisk = ({ wish, software, identity }: IscsiPool, diskUid: string): ServedDisk => ({
  protocol: 'iscsi',
  portals: wish.portals,
  targetIqn: software.targetOf(diskUid, identity.poolUid),
  lun: DISK_LUN,
  serial: unitSerial(diskUid),
  wwn: unitWwn(diskUid),
});

const lookAt = async (pool: IscsiPool, disk: DiskIdentity, signal: AbortSignal) => {
  const request = poolRequest(pool, 'see', { disk: disk.diskUid });
  const value = await ask(pool.link, pool.program, request, {}, signal);
  const seen = sightSchema.safeParse(value);
  if (!seen.success) throw malformed(pool.link.endpoint.name);
  return seen.data;
};

const sightOf = (
  pool: IscsiPool,
  disk: DiskIdentity,
  { stamp, disk: found }: z.output<typeof sightSchema>,
): ServedSight => {
  if (found === null) return { kind: 'absent' };
  const { size, allocated, complete, published, sessions } = found;
  const served = servedDisk(pool, disk.diskUid);
  return {
    kind: 'present',
    sizeBytes: size,
    allocatedBytes: allocated,
    complete,
    published,
    sessions,
    served,
    stamp,
  };
};

const seeDisk = async (pool: IscsiPool, disk: DiskIdentity, signal: AbortSignal): Promise<ServedSight> =>
  sightOf(pool, disk, await lookAt(pool, disk, signal));

/** What makes a request that is stuck on its way worthless once somebody was let in or out after it. */
const stampOf = async (
  pool: IscsiPool,
  disk: DiskIdentity,
  step: ServedStep,
  signal: AbortSignal,
): Promise<{ readonly stamp?: string }> => {
  if ('stamp' in step && step.stamp !== undefined) return { stamp: step.stamp };
  if (step.kind !== 'publish') return {};
  return { stamp: (await lookAt(pool, disk, signal)).stamp };
};

const initiatorOf = (step: Extract<ServedStep, { kind: 'publish' | 'revoke' }>): { initiator: string } => {
  const { iqn } = step.initiator;
  if (!isInitiatorIqn(iqn)) throw new Fault('invalid', 'The initiator name of the host is no iSCSI name.');
  return { initiator: iqn };
};

/** The request of a step, and how long it may take. */
const requestOf = (step: ServedStep): { op: string; more: object; limitMs: number } => {
  switch (step.kind) {
    case 'createBlank':
      return { op: 'blank', more: { size: step.sizeBytes }, limitMs: COPY_LIMIT_MS };
    case 'createClone': {
      checkUid(step.from);
      const more = { size: step.sizeBytes, from: step.from.diskUid };
      return { op: 'clone', more, limitMs: COPY_LIMIT_MS };
    }
    case 'grow':
      return { op: 'grow', more: { size: step.sizeBytes }, limitMs: COPY_LIMIT_MS };
    case 'delete':
      return { op: 'delete', more: {}, limitMs: STEP_LIMIT_MS };
    case 'publish':
      return {
        op: 'publish',
        more: { ...initiatorOf(step), alone: step.alone === true },
        limitMs: STEP_LIMIT_MS,
      };
    case 'revoke':
      return { op: 'revoke', more: initiatorOf(step), limitMs: STEP_LIMIT_MS };
    default:
      return step satisfies never;
  }
};

const fillDisk = async (
  pool: IscsiPool,
  disk: DiskIdentity,
  fill: ServedFill,
  progress: (percent: number) => void,
  signal: AbortSignal,
): Promise<void> => {
  let failure: { readonly error: unknown } | undefined;
  const frames = fillFrames(fill, progress, (error) => {
    failure = { error };
  });
  const request = poolRequest(pool, 'fill', { disk: disk.diskUid, size: fill.sizeBytes });
  const limits = { timeoutMs: Number.POSITIVE_INFINITY, idleMs: TRANSFER_IDLE_MS };
  try {
    await send(pool.link, pool.program, request, frames, limits, signal);
  } catch (error) {
    // What the source says is the cause; the server only says that we gave up.
    const cause = failure === undefined ? error : failure.error;
    throw isFault(cause) ? cause : new Fault('bug', 'The source of a disk failed.', { cause });
  }
  progress(100);
};

const listDisks = async (pool: IscsiPool, signal: AbortSignal): Promise<readonly DiskIdentity[]> => {
  const value = await ask(pool.link, pool.program, poolRequest(pool, 'list'), {}, signal);
  const uids = z.array(z.string()).safeParse(value);
  if (!uids.success) throw malformed(pool.link.endpoint.name);
  return uids.data.map((diskUid) => ({ diskUid }));
};

export const createDiskServer = (pool: IscsiPool): DiskServer => {
  const checked = (disk: DiskIdentity): void => {
    pool.check();
    checkUid(disk);
  };
  return {
    growsOnline: pool.software.growsOnline(pool.wish.backing),
    see: async (disk, signal) => {
      checked(disk);
      return seeDisk(pool, disk, signal);
    },
    list: async (signal) => {
      pool.check();
      return listDisks(pool, signal);
    },
    take: async (disk, step, signal) => {
      checked(disk);
      const { op, more, limitMs } = requestOf(step);
      const stamp = await stampOf(pool, disk, step, signal);
      const request = poolRequest(pool, op, { disk: disk.diskUid, ...more, ...stamp });
      const after = afterSchema.safeParse(
        await ask(pool.link, pool.program, request, { timeoutMs: limitMs }, signal),
      );
      if (!after.success) throw malformed(pool.link.endpoint.name);
      return after.data === null ? undefined : sightOf(pool, disk, after.data.seen);
    },
    fill: async (disk, fill, progress, signal) => {
      // Whoever told the end may do so before anybody listens.
      fill.finished.catch(() => {});
      checked(disk);
      await fillDisk(pool, disk, fill, progress, signal);
    },
    read: async function* (disk, signal) {
      checked(disk);
      yield* readDisk(pool.link, pool.program, poolRequest(pool, 'read', { disk: disk.diskUid }), signal);
    },
    revokeAll: async ({ iqn }, signal) => {
      pool.check();
      if (!isInitiatorIqn(iqn))
        throw new Fault('invalid', 'The initiator name of the host is no iSCSI name.');
      const request = poolRequest(pool, 'revoke_all', { initiator: iqn });
      await ask(pool.link, pool.program, request, { timeoutMs: STEP_LIMIT_MS }, signal);
    },
  };
};
