import type { Clock } from './clock.ts';
import { createCoalescer } from './coalescer.ts';
import type { Outcome } from './controller.ts';
import { statusEqual } from './equal.ts';
import { type Fault, toFault } from './fault.ts';
import type { Log } from './log.ts';
import { type End, outcomeOf, settled, sooner } from './pass-outcome.ts';
import { policyOf } from './policy.ts';
import { createResidue } from './residue.ts';
import { within } from './within.ts';

/**
 * What a pure plan answers: one step to take now, or that something else must happen first (an event is awaited;
 * `afterMs` polls, and a slow poll stays even without it), or that the world is as it should be. A `chore` is one
 * more step that nobody waits for: it is taken once the status is written. No status shows that it failed; it is
 * logged, counted and tried again.
 */
export type Plan<Step> =
  | { readonly kind: 'step'; readonly step: Step }
  | { readonly kind: 'wait'; readonly afterMs?: number }
  | { readonly kind: 'settled'; readonly chore?: Step };

/**
 * How a step ended when no fault was thrown.
 * - `done`    its effect is there; `seen` is the new sighting and the plan is asked again.
 * - `wrote`   it changed the object itself (intent, finalizer): the world is gathered again, the sighting kept unless
 *             another one is told.
 * - `started` long work is under way: the pass ends, an event or the poll after `afterMs` brings the next.
 * - `gone`    the last finalizer was removed: there is nothing left to write a status to.
 */
export type Taken<Seen> =
  | { readonly kind: 'done'; readonly seen: Seen }
  | { readonly kind: 'wrote'; readonly seen?: Seen }
  | { readonly kind: 'started'; readonly afterMs?: number }
  | { readonly kind: 'gone' };

/** Wraps every effectful await of a pass. A crash sweep injects its own; the default calls `run`. */
export type Effect = <T>(name: string, run: () => Promise<T>) => Promise<T>;

/** The effect wrapper of production. */
export const plainEffect: Effect = (_name, run) => run();

/** What a pass did, handed to the observer once its status is safely written (or needed no write). */
export interface PassReport<World, Seen, Step, Status> {
  readonly world: World;
  readonly seen: Seen | undefined;
  readonly steps: readonly Step[];
  readonly fault: Fault | undefined;
  readonly before: Status | undefined;
  readonly after: Status | undefined;
  readonly wrote: boolean;
}

export interface PassParts<K extends string, World, Seen, Step extends { readonly kind: string }, Status> {
  /**
   * From stores alone, which are never older than our own last write; undefined when the object is gone. What it
   * throws ends the pass at once.
   */
  gather(key: K): World | undefined;
  /** What is really there. Never mutates. */
  see(world: World, signal: AbortSignal): Promise<Seen>;
  /** Pure. */
  plan(world: World, seen: Seen, nowMs: number): Plan<Step>;
  /** One idempotent step. */
  take(world: World, seen: Seen, step: Step, signal: AbortSignal): Promise<Taken<Seen>>;
  /**
   * Pure. `seen` is undefined when `see` failed, `plan` when there was none; `fault` is one a person should know of
   * (hidden kinds are not handed on). A fault together with a plan of kind `step` says which step failed.
   * A plan of kind `step` without a fault means that this step was started or is being waited for.
   */
  statusOf(
    world: World,
    seen: Seen | undefined,
    plan: Plan<Step> | undefined,
    fault: Fault | undefined,
    nowMs: number,
  ): Status;
  /** The status as the world has it, to skip a write that would change nothing. */
  current(world: World): Status | undefined;
  /** Answers the status that the object has now, where that is told. */
  write(world: World, status: Status, signal: AbortSignal): Promise<Status | undefined>;
  /** Whether the status tells of a lack that may be made up for in a moment: it is held back for `graceMs`. */
  isEarly?(before: Status | undefined, after: Status): boolean;
  /** Metrics and events. Runs after the write; what it throws is logged and changes nothing. */
  observe?(report: PassReport<World, Seen, Step, Status>): void;
}

export interface PassOptions {
  readonly clock: Clock;
  readonly effect?: Effect;
  /** Steps per pass before other keys get their turn; default 16. */
  readonly maxSteps?: number;
  /** Slow poll of a plan that waits without saying how long, in ms; default 60,000. */
  readonly pollMs?: number;
  /** Time for see and take together, below the controller's deadline so that a status can still be written; default 45,000. */
  readonly workMs?: number;
  /**
   * A status between two settled ones is written only once it has lasted this long, and not sooner than this after
   * the one before it (an intent that a step wrote is one too), in ms; default 2,000, 0 is off.
   */
  readonly coalesceMs?: number;
  /** For how long a status that `isEarly` is not written, in ms; default 5,000. */
  readonly graceMs?: number;
}

/** One reconcile: throws a Fault for the controller's policy, after the status says so. */
export type Pass<K extends string> = (key: K, log: Log, signal: AbortSignal) => Promise<Outcome>;

/** Where see, plan and take have led so far; the one mutable thing of a pass. */
interface Trail<World, Seen, Step> {
  /** The world that the pass began with. */
  readonly from: World;
  world: World;
  seen: Seen | undefined;
  plan: Plan<Step> | undefined;
  readonly steps: Step[];
}

type Parts<K extends string, World, Seen, Step extends { readonly kind: string }, Status> = PassParts<
  K,
  World,
  Seen,
  Step,
  Status
>;

/** see, then plan and take until the plan has no step, a step does not end at once, or the bound is reached. */
const follow = async <K extends string, World, Seen, Step extends { readonly kind: string }, Status>(
  parts: Parts<K, World, Seen, Step, Status>,
  options: Required<PassOptions>,
  key: K,
  trail: Trail<World, Seen, Step>,
  signal: AbortSignal,
): Promise<End> => {
  const { clock, effect, maxSteps } = options;
  let seen: Seen = await effect('see', () => parts.see(trail.world, signal));
  for (;;) {
    trail.seen = seen;
    const plan = parts.plan(trail.world, seen, clock.nowMs());
    trail.plan = plan;
    if (plan.kind !== 'step') {
      return { kind: 'planned' };
    }
    if (trail.steps.length >= maxSteps) {
      return { kind: 'more' };
    }
    const { step } = plan;
    signal.throwIfAborted();
    const looked = seen;
    const taken = await effect(`take ${step.kind}`, () => parts.take(trail.world, looked, step, signal));
    trail.steps.push(step);
    switch (taken.kind) {
      case 'done':
        seen = taken.seen;
        break;
      case 'wrote': {
        const world = parts.gather(key);
        if (world === undefined) {
          return { kind: 'gone' };
        }
        trail.world = world;
        seen = taken.seen ?? seen;
        break;
      }
      case 'started':
        return { kind: 'started', afterMs: taken.afterMs };
      case 'gone':
        return { kind: 'gone' };
      default:
        return taken satisfies never;
    }
  }
};

/** The report of an object that this very pass let go. */
const farewell = <K extends string, World, Seen, Step extends { readonly kind: string }, Status>(
  parts: Parts<K, World, Seen, Step, Status>,
  { world, seen, steps }: Trail<World, Seen, Step>,
): PassReport<World, Seen, Step, Status> => {
  const before = parts.current(world);
  return { world, seen, steps, fault: undefined, before, after: undefined, wrote: false };
};

const quietly = (run: () => void, log: Log): void => {
  try {
    run();
  } catch (error) {
    log.error({ err: error }, 'observer of a pass failed');
  }
};

/** Whether the status can be told: not on a conflict (our world is old), nor on a hidden fault before any sighting. */
const canTell = (end: End, seen: unknown): boolean => {
  if (end.kind !== 'fault') {
    return true;
  }
  const policy = policyOf(end.fault.kind);
  return policy.retry !== 'now' && (policy.shown || seen !== undefined);
};

/**
 * The one reconcile pass: gather, see, plan, take (again while steps are done), statusOf, at most one write of
 * status. A fault of see, plan or take is shown by the status first and thrown then. After an abort of `signal`
 * nothing is written: the leader may be another by now.
 */
export const createPass = <K extends string, World, Seen, Step extends { readonly kind: string }, Status>(
  parts: Parts<K, World, Seen, Step, Status>,
  given: PassOptions,
): Pass<K> => {
  const times = { pollMs: 60_000, workMs: 45_000, coalesceMs: 2_000, graceMs: 5_000 };
  const options: Required<PassOptions> = { effect: plainEffect, maxSteps: 16, ...times, ...given };
  const { clock, effect, pollMs, workMs } = options;
  const coalescer = createCoalescer<K>(options);
  const residue = createResidue<K, Status>();
  const forget = (key: K): void => {
    coalescer.forget(key);
    residue.forget(key);
  };

  const walk = async (key: K, trail: Trail<World, Seen, Step>, signal: AbortSignal): Promise<End> => {
    try {
      return await within({ clock, limitMs: workMs, signal }, (inner) =>
        follow(parts, options, key, trail, inner),
      );
    } catch (error) {
      signal.throwIfAborted();
      return { kind: 'fault', fault: toFault(error) };
    }
  };

  /** Writes the status if it differs and its time has come. Answers the ms for which it is held back. */
  const publish = async (
    key: K,
    trail: Trail<World, Seen, Step>,
    end: End,
    log: Log,
    signal: AbortSignal,
  ): Promise<number> => {
    const { from, world, seen, plan, steps } = trail;
    const fault = end.kind === 'fault' && policyOf(end.fault.kind).shown ? end.fault : undefined;
    const before = parts.current(world);
    const after = parts.statusOf(world, seen, plan, fault, clock.nowMs());
    const wrote = !statusEqual(before, after) && !residue.explains(key, before, after);
    const final = fault !== undefined || (end.kind === 'planned' && plan?.kind === 'settled');
    if (!statusEqual(parts.current(from), before)) {
      coalescer.wrote(key);
    }
    if (wrote) {
      const early = parts.isEarly?.(before, after) === true;
      const heldMs = coalescer.heldMs(key, early ? 'early' : final ? 'final' : 'between');
      if (heldMs > 0) {
        return heldMs;
      }
      residue.note(key, after, await effect('write status', () => parts.write(world, after, signal)));
      coalescer.wrote(key);
    } else {
      coalescer.same(key);
    }
    if (final) {
      coalescer.forget(key);
    }
    quietly(() => parts.observe?.({ world, seen, steps, fault, before, after, wrote }), log);
    return 0;
  };

  /** What it leads to, if anything, is for another pass. */
  const doChore = async (key: K, seen: Seen, chore: Step, signal: AbortSignal): Promise<Outcome> => {
    const world = parts.gather(key);
    if (world === undefined) {
      return settled;
    }
    const taken = await within({ clock, limitMs: workMs, signal }, (inner) =>
      effect(`take ${chore.kind}`, () => parts.take(world, seen, chore, inner)),
    );
    const plan = taken.kind === 'done' ? parts.plan(world, taken.seen, clock.nowMs()) : undefined;
    return plan?.kind === 'settled' && plan.chore === undefined ? settled : { kind: 'again', afterMs: 0 };
  };

  return async (key, log, signal) => {
    const world = parts.gather(key);
    if (world === undefined) {
      forget(key);
      return settled;
    }
    const trail: Trail<World, Seen, Step> = {
      from: world,
      world,
      seen: undefined,
      plan: undefined,
      steps: [],
    };
    const end = await walk(key, trail, signal);
    signal.throwIfAborted();
    if (end.kind === 'gone') {
      forget(key);
      quietly(() => parts.observe?.(farewell(parts, trail)), log);
      return settled;
    }
    const heldMs = canTell(end, trail.seen) ? await publish(key, trail, end, log, signal) : 0;
    // What is not told yet is no failure yet: it is looked at again when it is to be told.
    if (end.kind === 'fault' && heldMs > 0) return { kind: 'again', afterMs: heldMs };
    const { plan, seen } = trail;
    if (
      end.kind === 'planned' &&
      plan?.kind === 'settled' &&
      plan.chore !== undefined &&
      seen !== undefined
    ) {
      return doChore(key, seen, plan.chore, signal);
    }
    return sooner(outcomeOf(end, trail.plan, pollMs), heldMs);
  };
};
