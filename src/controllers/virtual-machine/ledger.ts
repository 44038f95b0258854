/**
 * What this process remembers of machines between passes and may lose: since when a guest has been asked to shut
 * down, and how often it was started lately. After a restart of the operator a guest is asked anew and given its
 * full time again; nothing is done sooner because of a loss.
 */
import type { Asked } from './world.ts';

/** Starts that followed a stop nobody asked for. */
export interface Relapses {
  readonly count: number;
  readonly lastMs: number;
}

export interface Ledger {
  asked(uid: string): Asked | undefined;
  noteAsked(uid: string, nowMs: number): void;
  relapses(uid: string): Relapses | undefined;
  /** A start after the guest went down by itself. */
  noteRelapse(uid: string, nowMs: number): void;
  /** The machine is off: the next stop begins anew. */
  clearAsked(uid: string): void;
  /** Our finalizer was just put on an object without any record: nothing was ever made for it. */
  noteFresh(uid: string): void;
  isFresh(uid: string): boolean;
  /** Something is about to be made on a host. */
  noteMade(uid: string): void;
  forget(uid: string): void;
}

/** A guest that stayed up this long has recovered. */
const recoveredMs = 600_000;

export const createLedger = (): Ledger => {
  const asked = new Map<string, Asked>();
  const relapses = new Map<string, Relapses>();
  const fresh = new Set<string>();
  return {
    asked: (uid) => asked.get(uid),
    noteAsked: (uid, nowMs) => asked.set(uid, { sinceMs: asked.get(uid)?.sinceMs ?? nowMs, lastMs: nowMs }),
    relapses: (uid) => relapses.get(uid),
    noteRelapse: (uid, nowMs) => {
      const last = relapses.get(uid);
      const count = last === undefined || nowMs - last.lastMs > recoveredMs ? 1 : last.count + 1;
      relapses.set(uid, { count, lastMs: nowMs });
    },
    clearAsked: (uid) => asked.delete(uid),
    noteFresh: (uid) => fresh.add(uid),
    isFresh: (uid) => fresh.has(uid),
    noteMade: (uid) => fresh.delete(uid),
    forget: (uid) => {
      fresh.delete(uid);
      asked.delete(uid);
      relapses.delete(uid);
    },
  };
};

/** The first relapse is undone at once; the next after 10 s, 20 s, … up to 5 minutes. */
export const relapseDelayMs = (count: number): number => Math.min(300_000, 10_000 * 2 ** (count - 1));
