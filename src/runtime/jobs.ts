import type { Clock } from './clock.ts';
import type { Fault } from './fault.ts';
import type { Log } from './log.ts';

/** A job as its owner sees it. `failed` and `done` stay until `forget`. Times are wall-clock milliseconds. */
export type JobState<R> =
  | { readonly kind: 'queued'; readonly queuedMs: number }
  | { readonly kind: 'running'; readonly startedMs: number; readonly progress?: number }
  | { readonly kind: 'failed'; readonly fault: Fault; readonly atMs: number }
  | { readonly kind: 'done'; readonly result: R; readonly atMs: number };

/** Percent, 0 to 100; what lies outside is cut, what is not a number ignored, and it never goes back. */
export type Progress = (percent: number) => void;

export type JobRun<R> = (progress: Progress, signal: AbortSignal) => Promise<R>;

export interface JobsOptions<K extends string> {
  /** Running at the same time on one group (host), and in all. */
  readonly perGroupLimit: number;
  readonly totalLimit: number;
  readonly clock: Clock;
  readonly log: Log;
  /** The state of a job changed: enqueue its owner. Progress is told in steps of `stepPercent` (default 5) and at most every `everyMs` (default 2,000). */
  readonly onChange: (key: K) => void;
  readonly stepPercent?: number;
  readonly everyMs?: number;
}

/** Long work: the only thing that outlives a pass. Nothing here survives the process; evidence is on the server. */
export interface Jobs<K extends string, R> {
  /** Idempotent per key: a job that is queued, runs, failed or is done is left alone. Answers its state. */
  start(key: K, group: string, run: JobRun<R>): JobState<R>;
  get(key: K): JobState<R> | undefined;
  /** Removes a queued job, aborts a running one; resolves when it has ended and nothing of it is kept. */
  cancel(key: K): Promise<void>;
  /** Takes note of `failed` or `done`, so that the key can start again. A job that runs is left alone. */
  forget(key: K): void;
  /** Jobs that run and that wait, by group. */
  counts(): ReadonlyMap<string, { readonly running: number; readonly queued: number }>;
  /** Cancels all and waits for their end; nothing starts afterwards. */
  close(): Promise<void>;
}
