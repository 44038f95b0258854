/**
 * Imports of this process: which run, how far they are, and when one that failed is tried again. Nothing here is
 * evidence that a copy exists; that lies on the hosts.
 */
import type { Clock } from '../../runtime/clock.ts';
import { createJobs, type JobRun, type Jobs } from '../../runtime/jobs.ts';
import type { Log } from '../../runtime/log.ts';
import { backoffOf, delayMs } from '../../runtime/policy.ts';
import type { CopyKey, ImportState } from './world.ts';

export interface ImportRoomOptions {
  readonly perHostLimit: number;
  readonly totalLimit: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Something changed for the image of this uid. */
  readonly onChange: (uid: string) => void;
}

/** `maxImageBytes` is the limit the pool sets at this moment, `secretVersion` that of the Secret. */
export interface CopyStart {
  readonly uid: string;
  readonly key: CopyKey;
  readonly host: string;
  readonly maxImageBytes: number;
  readonly secretVersion?: string | undefined;
}

export interface ImportRoom {
  of(uid: string): ReadonlyMap<CopyKey, ImportState>;
  /** Does nothing while that copy is being imported. */
  start(copy: CopyStart, run: JobRun<void>): void;
  /** Ends all imports of an image, waits until they have ended, and forgets what failed. */
  cancel(uid: string): Promise<void>;
  readonly jobs: Jobs<string, void>;
}

interface Entry {
  readonly host: string;
  readonly maxImageBytes: number;
  readonly secretVersion: string | undefined;
  failures: number;
  failed: Extract<ImportState, { kind: 'failed' }> | undefined;
}

const separator = '/';

export const createImportRoom = (options: ImportRoomOptions): ImportRoom => {
  const { clock, random, log, perHostLimit, totalLimit, onChange } = options;
  const images = new Map<string, Map<CopyKey, Entry>>();

  const entryOf = (job: string): { uid: string; key: CopyKey; entry: Entry | undefined } => {
    const [uid = '', key = ''] = job.split(separator);
    return { uid, key, entry: images.get(uid)?.get(key) };
  };

  const forgetEntry = (uid: string, key: CopyKey): void => {
    const copies = images.get(uid);
    copies?.delete(key);
    if (copies?.size === 0) images.delete(uid);
  };

  /** The room keeps no ended jobs: a failure is remembered with its time, a success is seen on the host. */
  const settle = (job: string): void => {
    const state = jobs.get(job);
    const { uid, key, entry } = entryOf(job);
    if (state?.kind === 'done' || state === undefined) forgetEntry(uid, key);
    if (state?.kind === 'failed' && entry !== undefined) {
      entry.failures += 1;
      const wait = delayMs(backoffOf(state.fault), entry.failures, random);
      const dueMs = clock.monotonicMs() + Math.round(wait);
      const { host, maxImageBytes, secretVersion } = entry;
      entry.failed = { kind: 'failed', host, fault: state.fault, dueMs, maxImageBytes, secretVersion };
    }
    jobs.forget(job);
    onChange(uid);
  };

  const jobs: Jobs<string, void> = createJobs<string, void>({
    perGroupLimit: perHostLimit,
    totalLimit,
    clock,
    log,
    onChange: settle,
  });

  const stateOf = (job: string, entry: Entry): ImportState => {
    const state = jobs.get(job);
    return state === undefined && entry.failed !== undefined
      ? entry.failed
      : {
          kind: 'running',
          host: entry.host,
          ...(state?.kind === 'running' && state.progress !== undefined ? { percent: state.progress } : {}),
        };
  };

  return {
    of: (uid) =>
      new Map(
        [...(images.get(uid) ?? [])].map(([key, entry]) => [key, stateOf(`${uid}${separator}${key}`, entry)]),
      ),
    start: ({ uid, key, host, maxImageBytes, secretVersion }, run) => {
      const copies = images.get(uid) ?? new Map<CopyKey, Entry>();
      const job = `${uid}${separator}${key}`;
      if (jobs.get(job) !== undefined) return;
      images.set(uid, copies);
      const failures = copies.get(key)?.failures ?? 0;
      copies.set(key, { host, maxImageBytes, secretVersion, failures, failed: undefined });
      jobs.start(job, host, run);
    },
    cancel: async (uid) => {
      const keys = [...(images.get(uid)?.keys() ?? [])];
      images.delete(uid);
      await Promise.all(keys.map((key) => jobs.cancel(`${uid}${separator}${key}`)));
    },
    jobs,
  };
};
