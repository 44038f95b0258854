/**
 * The intent of a move, kept as an annotation of the VirtualDisk: a lost status must not make anybody take a pool for
 * empty that the data was on its way to. It says where to look and what was begun; whether a copy is complete, and
 * which, is for the servers and hosts to say (docs/adr/0015-moving-disks.md). Pure.
 */
import { z } from 'zod';
import { MOVE_ANNOTATION, POOL_ANNOTATION } from './identity.ts';
import { dnsSubdomain, uid } from './kit.ts';
import type { VirtualDisk } from './virtual-disk.ts';

const side = z.object({
  /** UID of a StoragePool. */
  pool: uid(),
  /** Host object, on a HostLocal pool. */
  host: dnsSubdomain().optional(),
});

const schema = z.object({
  /** Of the disk: an annotation that came along with a backup says nothing of another one. */
  disk: uid(),
  from: side,
  to: side,
  /**
   * - `Copying`  the copy is made or compared; the data is at `from`.
   * - `Dropping` the copy is given up and removed; the data is at `from`.
   * - `Removing` the copy was compared and is the disk from now on; what is at `from` is removed.
   */
  phase: z.enum(['Copying', 'Dropping', 'Removing']),
});

/** Where a disk is or shall be. */
export type MoveSide = z.output<typeof side>;
export type MovePhase = z.output<typeof schema>['phase'];
export type MoveRecord = z.output<typeof schema>;

export const encodeMove = (record: MoveRecord): string => JSON.stringify(record);

const decoded = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Undefined when there is none, or none that can be meant for this disk where its status says that it is. */
export const moveOf = ({
  metadata,
  status,
}: Pick<VirtualDisk, 'metadata' | 'status'>): MoveRecord | undefined => {
  const text = metadata.annotations?.[MOVE_ANNOTATION];
  if (text === undefined || text.length > 2_048) return undefined;
  const parsed = schema.safeParse(decoded(text));
  if (!parsed.success) return undefined;
  const { disk, from, to } = parsed.data;
  const known = status?.volume?.pool;
  const elsewhere = known !== undefined && known !== from.pool && known !== to.pool;
  return disk === metadata.uid && from.pool !== to.pool && !elsewhere ? parsed.data : undefined;
};

/** What is written down together with our finalizer, before anything is made; with the host where one is known. */
export const encodePool = (diskUid: string, { pool, host }: MoveSide): string =>
  [diskUid, pool, ...(host === undefined ? [] : [host])].join('/');

/** Where the disk was made or went; undefined for one that was begun by an earlier version. */
export const recordedPlaceOf = ({ metadata }: Pick<VirtualDisk, 'metadata'>): MoveSide | undefined => {
  const [disk, pool, host] = metadata.annotations?.[POOL_ANNOTATION]?.split('/') ?? [];
  const parsed = side.safeParse({ pool, ...(host === undefined ? {} : { host }) });
  return disk === metadata.uid && parsed.success ? parsed.data : undefined;
};
