import type { Clock } from './clock.ts';
import { Fault, toFault } from './fault.ts';
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

interface Job<K, R> {
  readonly key: K;
  readonly group: string;
  readonly run: JobRun<R>;
  readonly ends: AbortController;
  /** Resolves when nothing of the job runs any more. */
  readonly ended: PromiseWithResolvers<void>;
  state: JobState<R>;
  /** Progress last told, and when (monotonic). */
  toldPercent: number;
  toldMs: number;
  cancelTell: (() => void) | undefined;
}

const newJob = <K, R>(key: K, group: string, run: JobRun<R>, queuedMs: number): Job<K, R> => ({
  key,
  group,
  run,
  ends: new AbortController(),
  ended: Promise.withResolvers<void>(),
  state: { kind: 'queued', queuedMs },
  toldPercent: 0,
  toldMs: Number.NEGATIVE_INFINITY,
  cancelTell: undefined,
});

/** Tells of progress when a step of percent is passed, at once or when `everyMs` since the last telling are over. */
const report = <K extends string, R>(
  job: Job<K, R>,
  percent: number,
  options: Required<JobsOptions<K>>,
): void => {
  const { clock, stepPercent, everyMs, onChange } = options;
  if (job.state.kind !== 'running' || !Number.isFinite(percent)) {
    return;
  }
  const progress = Math.max(job.state.progress ?? 0, Math.min(100, percent));
  job.state = { ...job.state, progress };
  const passed = Math.floor(progress / stepPercent) > Math.floor(job.toldPercent / stepPercent);
  if (!passed || job.cancelTell !== undefined) {
    return;
  }
  const tell = (): void => {
    job.cancelTell = undefined;
    if (job.state.kind === 'running') {
      job.toldPercent = job.state.progress ?? 0;
      job.toldMs = clock.monotonicMs();
      onChange(job.key);
    }
  };
  const waitMs = job.toldMs + everyMs - clock.monotonicMs();
  if (waitMs <= 0) {
    tell();
  } else {
    job.cancelTell = clock.after(waitMs, tell);
  }
};

/** Which queued jobs may start, oldest first, without passing either limit. */
const startable = <K, R>(
  jobs: ReadonlyMap<K, Job<K, R>>,
  perGroupLimit: number,
  totalLimit: number,
): readonly Job<K, R>[] => {
  const running = countRunning(jobs.values());
  let total = running.values().reduce((sum, count) => sum + count, 0);
  const chosen: Job<K, R>[] = [];
  for (const job of jobs.values()) {
    const inGroup = running.get(job.group) ?? 0;
    if (job.state.kind === 'queued' && total < totalLimit && inGroup < perGroupLimit) {
      running.set(job.group, inGroup + 1);
      total += 1;
      chosen.push(job);
    }
  }
  return chosen;
};

const countRunning = <K, R>(jobs: Iterable<Job<K, R>>): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const { group, state } of jobs) {
    if (state.kind === 'running') {
      counts.set(group, (counts.get(group) ?? 0) + 1);
    }
  }
  return counts;
};

const isOver = <R>(state: JobState<R>): boolean => state.kind === 'failed' || state.kind === 'done';

const closedReason = (): Fault => new Fault('busy', 'The operator is stopping.', { reason: 'Stopping' });

/** Carries a job from start to end and answers its last state, undefined when it was cancelled. */
const carry = async <K extends string, R>(
  job: Job<K, R>,
  options: Required<JobsOptions<K>>,
): Promise<JobState<R> | undefined> => {
  const { clock, log } = options;
  const fields = { job: job.key, group: job.group };
  try {
    const result = await job.run((percent) => report(job, percent, options), job.ends.signal);
    return { kind: 'done', result, atMs: clock.nowMs() };
  } catch (error) {
    if (job.ends.signal.aborted) {
      return undefined;
    }
    const fault = toFault(error);
    log.warn({ ...fields, fault: fault.kind, message: fault.message }, 'job failed');
    return { kind: 'failed', fault, atMs: clock.nowMs() };
  }
};

/** See Jobs. */
export const createJobs = <K extends string, R>(given: JobsOptions<K>): Jobs<K, R> => {
  const options: Required<JobsOptions<K>> = { stepPercent: 5, everyMs: 2_000, ...given };
  const { clock, onChange, perGroupLimit, totalLimit } = options;
  const jobs = new Map<K, Job<K, R>>();
  let closed = false;

  const launch = async (job: Job<K, R>): Promise<void> => {
    job.state = { kind: 'running', startedMs: clock.nowMs() };
    const last = await carry(job, options);
    job.cancelTell?.();
    if (last === undefined) {
      jobs.delete(job.key);
    } else {
      job.state = last;
    }
    job.ended.resolve();
    fill();
    if (!closed) {
      onChange(job.key);
    }
  };

  const fill = (): void => {
    if (!closed) {
      for (const job of startable(jobs, perGroupLimit, totalLimit)) {
        void launch(job);
      }
    }
  };

  const start = (key: K, group: string, run: JobRun<R>): JobState<R> => {
    if (closed) {
      throw closedReason();
    }
    const job = jobs.get(key) ?? newJob(key, group, run, clock.nowMs());
    jobs.set(key, job);
    fill();
    return job.state;
  };

  const cancel = async (key: K): Promise<void> => {
    const job = jobs.get(key);
    if (job?.state.kind === 'running') {
      job.ends.abort(closed ? closedReason() : new Fault('conflict', 'Cancelled.', { reason: 'Cancelled' }));
      await job.ended.promise;
    }
    if (jobs.get(key) === job) {
      jobs.delete(key);
    }
  };

  const forget = (key: K): void => {
    const job = jobs.get(key);
    if (job !== undefined && isOver(job.state)) {
      jobs.delete(key);
    }
  };

  const counts = (): ReadonlyMap<string, { running: number; queued: number }> => {
    const groups = new Map<string, { running: number; queued: number }>();
    for (const { group, state } of jobs.values()) {
      const { running, queued } = groups.get(group) ?? { running: 0, queued: 0 };
      groups.set(group, {
        running: running + (state.kind === 'running' ? 1 : 0),
        queued: queued + (state.kind === 'queued' ? 1 : 0),
      });
    }
    return groups;
  };

  const close = async (): Promise<void> => {
    closed = true;
    await Promise.all([...jobs.keys()].map(cancel));
  };

  return { start, get: (key) => jobs.get(key)?.state, cancel, forget, counts, close };
};
