/** What the laws of disk servers need to know of one: how to open it, and hands that do not go through it. */
import type {
  DiskIdentity,
  DiskServer,
  ServedDisk,
  ServedSight,
  StorageServer,
} from '../../src/drivers/storage/contract.ts';
import { freshUid, never } from './fixture.ts';

/** What is done to a server, or asked of it, without the driver. */
export interface ServerHands {
  /** Logs in as that host; false when the server refuses. */
  logsIn(initiator: string, served: ServedDisk): Promise<boolean>;
  /** Writes one byte value over a range as that host. */
  write(initiator: string, served: ServedDisk, byte: number, offset: number, length: number): Promise<void>;
  /** Whether a range is all of one byte value, as that host sees it. */
  holds(
    initiator: string,
    served: ServedDisk,
    byte: number,
    offset: number,
    length: number,
  ): Promise<boolean>;
  /** Opens a session that stays until it is closed or ended by the server. */
  stayLoggedIn(initiator: string, served: ServedDisk): Promise<{ close(): Promise<void> }>;
  /** Ends and starts what serves; sessions break. */
  restart(): Promise<void>;
  /** A disk that nobody finished. */
  putUnfinished(diskUid: string): Promise<void>;
  /** Makes a disk that is there one that nobody finished; what serves it stays. */
  spoil(diskUid: string): Promise<void>;
  /** Takes away what serves the disk, and leaves its data. */
  removeTarget(diskUid: string): Promise<void>;
  /** Lets another initiator in, beside the driver. */
  letIn(diskUid: string, initiator: string): Promise<void>;
  /** Leaves about so many bytes free; undefined gives everything back. */
  leaveRoom(bytes: number | undefined): Promise<void>;
  /** Everything of the server in a text that changes when any of it does. */
  snapshot(): Promise<string>;
  /** The same of what is not ours. */
  foreign(): Promise<string>;
}

export interface DiskServerFixture {
  /** The pool of the laws: prepared, with no disk. */
  open(): Promise<StorageServer>;
  /** Another pool on the same machine, with a place of its own. */
  openOther(): Promise<StorageServer>;
  readonly hands: ServerHands;
  /** How many disks are many; more than a server is asked at a time (src/wire/ssh/conversation.ts). */
  readonly many: number;
  teardown(): Promise<void>;
}

export interface DiskServerDriver {
  readonly name: string;
  /** Law ids that cannot be shown with it, and why. */
  readonly notSupported: Readonly<Record<string, string>>;
  /** Why it cannot run on this machine; undefined when it can. Under CI it has to run all the same. */
  readonly missing?: () => string | undefined;
  /** How long one law may take, where it is not the suite's own limit. */
  readonly timeoutMs?: number;
  start(): Promise<DiskServerFixture>;
}

/** What a law works with: an open pool. */
export interface Bench {
  readonly fixture: DiskServerFixture;
  readonly hands: ServerHands;
  readonly server: StorageServer;
  readonly disks: DiskServer;
}

export interface DiskLaw {
  readonly id: string;
  readonly title: string;
  readonly check: (bench: Bench) => Promise<void>;
}

export const hostA = 'iqn.2025-01.dev.ovcp:host.aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';
export const hostB = 'iqn.2025-01.dev.ovcp:host.bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb';
export const hostC = 'iqn.2025-01.dev.ovcp:host.cccccccc-cccc-4ccc-8ccc-cccccccccccc';

export const freshDiskId = (): DiskIdentity => ({ diskUid: freshUid() });

/** Takes the pool's steps until it is settled. */
export const settlePool = async (server: StorageServer): Promise<void> => {
  for (let steps = 0; steps < 10; steps += 1) {
    const plan = server.plan(await server.see(never));
    if (plan.kind === 'settled') return;
    if (plan.kind === 'wait') throw new Error(`the pool waits: ${plan.health.message}`);
    await server.take(plan.step, never);
  }
  throw new Error('the pool has a step after every step');
};

export type PresentDisk = Extract<ServedSight, { kind: 'present' }>;

/** The disk, which must be there. */
export const present = async ({ disks }: Bench, disk: DiskIdentity): Promise<PresentDisk> => {
  const sight = await disks.see(disk, never);
  if (sight.kind === 'absent') throw new Error('the disk is absent');
  return sight;
};

/** Whatever is left of these disks goes. */
export const dropDisks = async (
  { disks }: Pick<Bench, 'disks'>,
  ...all: readonly DiskIdentity[]
): Promise<void> => {
  for (const disk of all) {
    const sight = await disks.see(disk, never);
    for (const iqn of sight.kind === 'absent' ? [] : sight.published) {
      await disks.take(disk, { kind: 'revoke', initiator: { iqn } }, never);
    }
    await disks.take(disk, { kind: 'delete' }, never);
  }
};

/** A blank disk of so many bytes, published to these hosts. */
export const madeDisk = async (
  { disks }: Bench,
  sizeBytes: number,
  ...hosts: readonly string[]
): Promise<DiskIdentity> => {
  const disk = freshDiskId();
  await disks.take(disk, { kind: 'createBlank', sizeBytes }, never);
  for (const iqn of hosts) await disks.take(disk, { kind: 'publish', initiator: { iqn } }, never);
  return disk;
};
