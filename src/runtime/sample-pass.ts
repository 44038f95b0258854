/** A pass to test with. */
import type { Outcome } from './controller.ts';
import { silentLog } from './log.ts';
import { createPass, type Effect, type PassOptions, type PassParts, type Plan, type Taken } from './pass.ts';
import { createTestClock } from './test-clock.ts';

/** A lamp that is to be as bright as its spec says; each step adds one. */
export interface World {
  readonly wanted: number;
  readonly claimed: boolean;
  readonly status: Status | undefined;
}
export interface Seen {
  readonly bright: number;
}
export type Step = { readonly kind: 'claim' } | { readonly kind: 'raise' };
export interface Status {
  readonly bright?: number;
  readonly doing?: string;
  readonly error?: string;
}
export type Lamp = PassParts<string, World, Seen, Step, Status>;

export const never = new AbortController().signal;

export const plan = (world: World, seen: Seen): Plan<Step> => {
  if (seen.bright >= world.wanted) {
    return { kind: 'settled' };
  }
  return { kind: 'step', step: world.claimed ? { kind: 'raise' } : { kind: 'claim' } };
};

export const setUp = (change: Partial<Lamp> = {}, options: Partial<PassOptions> = {}) => {
  const clock = createTestClock();
  const room = { world: { wanted: 3, claimed: false, status: undefined } as World | undefined, bright: 0 };
  const calls: string[] = [];
  const take = async (_world: World, _seen: Seen, step: Step): Promise<Taken<Seen>> => {
    if (step.kind === 'claim') {
      room.world = room.world && { ...room.world, claimed: true };
      return { kind: 'wrote' };
    }
    room.bright += 1;
    return { kind: 'done', seen: { bright: room.bright } };
  };
  const parts: Lamp = {
    gather: () => room.world,
    see: async () => ({ bright: room.bright }),
    plan,
    take,
    statusOf: (_world, seen, planned, fault) => ({
      ...(seen === undefined ? {} : { bright: seen.bright }),
      ...(planned?.kind === 'step' ? { doing: planned.step.kind } : {}),
      ...(fault === undefined ? {} : { error: fault.message }),
    }),
    current: (world) => world.status,
    write: async (_world, status) => {
      room.world = room.world && { ...room.world, status };
      return undefined;
    },
    observe: ({ wrote }) => {
      calls.push(wrote ? 'observed write' : 'observed');
    },
    ...change,
  };
  const effect: Effect = (name, run) => {
    calls.push(name);
    return run();
  };
  const pass = createPass(parts, { clock, effect, ...options });
  const run = (signal: AbortSignal = never): Promise<Outcome> => pass('a/lamp', silentLog, signal);
  return { clock, room, calls, run, parts };
};

export const writes = (calls: readonly string[]): number =>
  calls.filter((call) => call === 'write status').length;
