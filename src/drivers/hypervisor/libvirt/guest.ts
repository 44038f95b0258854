/**
 * What the guests of one host say of themselves, kept until something hints that it changed. While a running guest
 * lacks the address of a card it is asked again with growing pauses from one timer per host; a settled fleet costs nothing.
 */
import type { Clock } from '../../../runtime/clock.ts';
import type { GuestSeen } from '../contract.ts';

export interface GuestWatch {
  /** Without asking. */
  known(uuid: string): GuestSeen | undefined;
  /** Asks in the background and tells when the answer differs from what was handed out. */
  refresh(uuid: string): void;
  /** Asks now when nothing is known yet, but waits no longer than a moment. */
  first(uuid: string, signal: AbortSignal): Promise<GuestSeen | undefined>;
  forget(uuid: string): void;
  close(): void;
}

interface Watched {
  seen: GuestSeen | undefined;
  /** What was last handed out; undefined until somebody was told anything. */
  told: GuestSeen | undefined;
  asking: Promise<void> | undefined;
  again: boolean;
  /** Ends the wait for the rest of what a guest that comes up has to say. */
  cancelTelling: (() => void) | undefined;
  /** Tries without an address so far, and when the next is due. */
  tries: number;
  dueMs: number | undefined;
}

export interface GuestAnswer {
  readonly seen: GuestSeen;
  /** How many cards have their cable plugged in: as many addresses are waited for. */
  readonly cards: number;
}

export interface GuestWatchOptions {
  readonly clock: Clock;
  /** What the guest says now; undefined when the machine does not run. */
  readonly ask: (uuid: string, signal: AbortSignal) => Promise<GuestAnswer | undefined>;
  readonly onChange: (uuid: string) => void;
}

const FIRST_WAIT_MS = 2_000;
const FIRST_PAUSE_MS = 1_000;
const PAUSE_GROWTH = 1.3;
const LONGEST_PAUSE_MS = 15_000;
/** About five minutes of asking; after that only events and fresh looks ask again. */
const MAX_TRIES = 30;
/** An address by lease is worth telling soon, whether or not an agent follows. */
const AGENT_WAIT_MS = 3_000;
/** An agent that answers before the guest has its addresses: nobody waits for the agent's word alone. */
const ADDRESS_WAIT_MS = 10_000;
/** One silent guest must not fill the daemon's slots. */
const MAX_ASKING = 2;

/** What nobody has heard of yet. */
const silent: GuestSeen = { agent: 'Disconnected', addresses: [] };

const same = (a: GuestSeen | undefined, b: GuestSeen | undefined): boolean =>
  JSON.stringify(a) === JSON.stringify(b);

/** Runs so many at a time, the others in order. */
const createLimit = (limit: number) => {
  const queue: (() => Promise<void>)[] = [];
  let running = 0;
  const pump = (): void => {
    while (running < limit) {
      const next = queue.shift();
      if (next === undefined) return;
      running += 1;
      void next().finally(() => {
        running -= 1;
        pump();
      });
    }
  };
  return {
    run: (work: () => Promise<void>): void => {
      queue.push(work);
      pump();
    },
    clear: (): void => {
      queue.length = 0;
    },
  };
};

/** When a guest that lacks an address on some card is asked again; undefined: no more. */
const nextPauseMs = ({ seen, cards }: GuestAnswer, tries: number): number | undefined =>
  seen.addresses.length >= cards || tries >= MAX_TRIES
    ? undefined
    : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * PAUSE_GROWTH ** tries);

const unheard = (): Watched => ({
  seen: undefined,
  told: undefined,
  asking: undefined,
  again: false,
  cancelTelling: undefined,
  tries: 0,
  dueMs: undefined,
});

/** A guest that comes up says one thing after the other: how long the rest is waited for, so that it is told once. */
const waitMs = (told: GuestSeen, { seen, cards }: GuestAnswer): number => {
  const complete = seen.agent === 'Connected' && seen.addresses.length >= cards;
  if (complete || told.agent === 'Connected' || seen.addresses.length < told.addresses.length) return 0;
  return seen.addresses.length === 0 ? ADDRESS_WAIT_MS : AGENT_WAIT_MS;
};

export const createGuestWatch = ({ clock, ask, onChange }: GuestWatchOptions): GuestWatch => {
  const guests = new Map<string, Watched>();
  const ending = new AbortController();
  const limit = createLimit(MAX_ASKING);
  let cancelTimer: (() => void) | undefined;

  const entry = (uuid: string): Watched => {
    const known = guests.get(uuid);
    if (known !== undefined) return known;
    const made = unheard();
    guests.set(uuid, made);
    return made;
  };
  const hush = (watched: Watched): void => {
    watched.cancelTelling?.();
    watched.cancelTelling = undefined;
  };
  const drop = (uuid: string): void => {
    const watched = guests.get(uuid);
    if (watched !== undefined) hush(watched);
    guests.delete(uuid);
  };
  const handOut = (watched: Watched): GuestSeen | undefined => {
    watched.told = watched.seen ?? silent;
    return watched.seen;
  };
  const schedule = (): void => {
    cancelTimer?.();
    const due = [...guests.values()].flatMap(({ dueMs }) => dueMs ?? []);
    if (due.length === 0 || ending.signal.aborted) return;
    cancelTimer = clock.after(Math.max(50, Math.min(...due) - clock.monotonicMs()), () => {
      for (const [uuid, watched] of guests) {
        if (watched.dueMs !== undefined && watched.dueMs <= clock.monotonicMs()) enqueue(uuid, watched);
      }
      // A timer may fire a moment early, and others are due later.
      schedule();
    });
  };
  const settle = (uuid: string, watched: Watched, answer: GuestAnswer | undefined): void => {
    if (guests.get(uuid) !== watched) return;
    if (answer === undefined) {
      drop(uuid);
      return;
    }
    const { seen } = answer;
    const pauseMs = nextPauseMs(answer, watched.tries);
    watched.tries += 1;
    watched.dueMs = pauseMs === undefined ? undefined : clock.monotonicMs() + pauseMs;
    watched.seen = seen;
    announce(uuid, watched, answer);
    schedule();
  };
  const announce = (uuid: string, watched: Watched, answer: GuestAnswer): void => {
    if (watched.told === undefined || same(watched.told, answer.seen)) return;
    const afterMs = waitMs(watched.told, answer);
    const tellNow = (): void => {
      hush(watched);
      onChange(uuid);
    };
    if (afterMs === 0) tellNow();
    else watched.cancelTelling ??= clock.after(afterMs, tellNow);
  };
  const run = async (uuid: string, watched: Watched): Promise<void> => {
    do {
      watched.again = false;
      try {
        settle(uuid, watched, await ask(uuid, ending.signal));
      } catch {
        // The connection broke: what was said before stays until the next look.
      }
    } while (watched.again && !ending.signal.aborted);
    watched.asking = undefined;
  };
  const enqueue = (uuid: string, watched: Watched): void => {
    watched.dueMs = undefined;
    if (watched.asking !== undefined) {
      watched.again = true;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    watched.asking = promise;
    limit.run(() => run(uuid, watched).finally(resolve));
  };
  return {
    known: (uuid) => handOut(entry(uuid)),
    refresh: (uuid) => {
      const watched = entry(uuid);
      watched.tries = 0;
      enqueue(uuid, watched);
    },
    first: async (uuid, signal) => {
      const watched = entry(uuid);
      if (watched.seen !== undefined) return handOut(watched);
      enqueue(uuid, watched);
      const over = new AbortController();
      const both = AbortSignal.any([signal, over.signal, ending.signal]);
      await Promise.race([watched.asking, clock.sleep(FIRST_WAIT_MS, both).catch(() => undefined)]);
      over.abort();
      // It may have stopped meanwhile.
      return guests.get(uuid) === watched ? handOut(watched) : undefined;
    },
    forget: drop,
    close: () => {
      ending.abort();
      cancelTimer?.();
      for (const uuid of [...guests.keys()]) drop(uuid);
      limit.clear();
    },
  };
};
