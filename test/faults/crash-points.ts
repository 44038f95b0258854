/** The points at which an operator can die, and the effect hook that records them and makes it die there (F1). */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Fault } from '../../src/runtime/fault.ts';
import type { EffectHook, PassId } from './operator-process.ts';

/** `before` it is sent; `effect`: it happened and nobody heard; `reply`: it was heard of and then all ended. */
export const modes = ['before', 'effect', 'reply'] as const;
export type Mode = (typeof modes)[number];

/** One effectful await of a flow: the `nth` of this name by this controller on this object in this stage. */
export interface Point {
  readonly stage: string;
  readonly controller: string;
  /** Name of the object within its namespace. */
  readonly object: string;
  readonly effect: string;
  readonly nth: number;
}

export interface Target extends Point {
  readonly mode: Mode;
}

export const wordsOf = ({ stage, controller, object, effect, nth }: Point): string =>
  `${stage}: ${controller} ${object}: ${effect} #${nth}`;

export interface Crasher {
  readonly hook: EffectHook;
  /** Stage that a namespace is in from now on. */
  enter(namespace: string, stage: string): void;
  /** Dies at this point, once, when this namespace comes to it. */
  aim(namespace: string, target: Target): void;
  fired(namespace: string): boolean;
  /** Leaf effects seen in a namespace, in order. */
  recorded(namespace: string): readonly Point[];
  /** Whether an effect is under way in the present asynchronous context. */
  inEffect(): boolean;
}

const crash = (): Fault => new Fault('busy', 'The process was killed here.', { reason: 'Killed' });

const split = (pass: PassId): readonly [string, string] => {
  const slash = pass.key.indexOf('/');
  return slash < 0 ? ['', pass.key] : [pass.key.slice(0, slash), pass.key.slice(slash + 1)];
};

export const createCrasher = (): Crasher => {
  const frames = new AsyncLocalStorage<{ leaf: boolean }>();
  const stages = new Map<string, string>();
  const counts = new Map<string, number>();
  const aims = new Map<string, Target>();
  const done = new Set<string>();
  const seen = new Map<string, Point[]>();

  const pointOf = (pass: PassId | undefined, effect: string): [string, Point] | undefined => {
    if (pass === undefined) return undefined;
    const [namespace, object] = split(pass);
    const stage = stages.get(namespace);
    if (stage === undefined) return undefined;
    const key = [namespace, stage, pass.controller, object, effect].join(' ');
    const nth = (counts.get(key) ?? 0) + 1;
    counts.set(key, nth);
    return [namespace, { stage, controller: pass.controller, object, effect, nth }];
  };

  const hits = (namespace: string, point: Point): Mode | undefined => {
    const aim = aims.get(namespace);
    if (aim === undefined || done.has(namespace) || wordsOf(aim) !== wordsOf(point)) return undefined;
    done.add(namespace);
    return aim.mode;
  };

  const hook: EffectHook = async (pass, name, run, kill) => {
    const parent = frames.getStore();
    if (parent !== undefined) parent.leaf = false;
    const frame = { leaf: true };
    const found = pointOf(pass, name);
    const mode = found === undefined ? undefined : hits(...found);
    if (mode === 'before') {
      kill();
      throw crash();
    }
    const result = await frames.run(frame, run).finally(() => {
      if (found !== undefined && frame.leaf) {
        const [namespace, point] = found;
        seen.set(namespace, [...(seen.get(namespace) ?? []), point]);
      }
    });
    if (mode === 'effect') {
      kill();
      throw crash();
    }
    if (mode === 'reply') setImmediate(kill);
    return result;
  };

  return {
    hook,
    enter: (namespace, stage) => void stages.set(namespace, stage),
    aim: (namespace, target) => void aims.set(namespace, target),
    fired: (namespace) => done.has(namespace),
    recorded: (namespace) => seen.get(namespace) ?? [],
    inEffect: () => frames.getStore() !== undefined,
  };
};
