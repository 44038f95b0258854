/**
 * F1, the crash sweep: a fault-free run of each stage of a machine's life enumerates every effectful await; then the
 * operator dies at each of them in each of three ways, a new one starts, and the end must be that of the fault-free
 * run, with every invariant kept on the way. Runs share one API server, in namespaces of their own. At an await that
 * another sort of disks has as well, and was swept with, the operator dies in one of the three ways only.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conditionOf, has } from './api.ts';
import { type Crasher, createCrasher, modes, type Point, type Target, wordsOf } from './crash-points.ts';
import { LAN, LOGINS, POOL, SAN, STORE, type Stage, stagesOn } from './flows.ts';
import { type Lab, startLab } from './lab.ts';
import { differences, normalized } from './normalize.ts';
import { hostPool, network, storagePool } from './objects.ts';
import type { OperatorProcess } from './operator-process.ts';

const lanes = 8;
const convergeMs = 180_000;
/** Among other lanes; whoever misses that often is aimed at alone. */
const maxAttempts = 4;
/**
 * A status between two settled ones is written only when it has lasted a while (src/runtime/pass.ts): a life that is
 * quicker than the recorded one goes by without such a write, and nobody can die at it.
 */
const isPassing = ({ effect, nth }: Point): boolean => effect === 'write status' && nth > 1;
/** Awaits that only look. */
const reads: ReadonlySet<string> = new Set(['see', 'take renderSeed', 'take findSeeds']);
/** What was swept in every way so far. */
const known = new Set<string>();

const targetsOf = (points: readonly Point[]): readonly Target[] =>
  points.flatMap((point, at) => {
    const ways = known.has(wordsOf(point)) ? modes.filter((_, way) => way === at % modes.length) : modes;
    return ways.map((mode) => ({ ...point, mode }));
  });

describe.each([
  ['of files', STORE],
  ['of single disks of a storage server', SAN],
  ['of single disks that hosts log in to', LOGINS],
])('crash sweep %s', (_title, disks) => {
  const stages = stagesOn(disks);
  let lab: Lab;
  let operator: OperatorProcess;
  let crasher: Crasher;
  let starts = 0;
  const expected = new Map<string, unknown>();
  let points: readonly Point[] = [];
  const unwrapped = new Set<string>();

  const startNext = async (): Promise<void> => {
    starts += 1;
    operator = await lab.start({
      onEffect: (pass, name, run, kill) =>
        crasher.hook(pass, name, run, () => {
          if (!kill()) return false;
          void startNext();
          return true;
        }),
    });
  };

  /**
   * Nothing is left to do for the operator that lives. The last crash of a sweep may come with the very answer that ends
   * a life: then the operator at hand is dead, and the next one is still starting.
   */
  const quiet = async (): Promise<void> => {
    for (;;) {
      const current = operator;
      await current.quiet().catch((error: unknown) => {
        if (!current.killed) throw error;
      });
      if (current === operator && !current.killed) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };

  beforeAll(async () => {
    lab = await startLab();
    crasher = createCrasher();
    lab.world.guests.setDefault({ shutdownMs: 20 });
    lab.world.calls.hook((call, phase) => {
      if (call.mutating && phase === 'before' && !crasher.inEffect()) unwrapped.add(call.method);
    });
    await startNext();
    const { api } = lab;
    await api.apply(
      hostPool(POOL, [{ name: 'alpha' }, { name: 'beta' }]),
      storagePool(STORE, [POOL]),
      storagePool(SAN, [POOL], {
        topology: 'Shared',
        roles: ['Disks'],
        simulated: { server: { serves: 'Disks' } },
      }),
      storagePool(LOGINS, [POOL], {
        topology: 'Shared',
        roles: ['Disks'],
        simulated: { server: { serves: 'Disks', attach: 'Host' } },
      }),
      network(LAN, POOL),
    );
    for (const name of [STORE, SAN, LOGINS])
      await api.until('storage', () => has(api.get('StoragePool', name), 'Ready', 'True'));
    await api.until('network', () => has(api.get('VirtualNetwork', LAN), 'Ready', 'True'));
  });
  afterAll(() => lab.close());

  const loginsLeft = (): readonly string[] => lab.world.hosts().flatMap(({ logins }) => [...logins.keys()]);
  const stateOf = (at: string): unknown => normalized(lab.checker.facts(), at);

  const arrived = (at: string, stage: Stage): boolean => {
    const goal = expected.get(stage.name);
    const vm = lab.api.get('VirtualMachine', 'm', at);
    if (stage.name === 'delete') {
      if (vm !== undefined) return false;
    } else if (
      vm?.status?.observedGeneration !== vm?.metadata.generation ||
      conditionOf(vm, 'Ready') === undefined
    ) {
      return false;
    }
    return JSON.stringify(stateOf(at)) === JSON.stringify(goal);
  };

  const reach = async (at: string, stage: Stage, what: string): Promise<void> => {
    crasher.enter(at, stage.name);
    await stage.act(lab, at);
    try {
      await lab.api.until(what, () => arrived(at, stage), convergeMs);
    } catch {
      const found = differences(expected.get(stage.name), stateOf(at)).join('\n  ');
      throw new Error(
        `${what}: ${stage.name} in ${at} did not end as without a fault:\n  ${found}\n  ${lab.checker.violations().join('\n  ')}`,
      );
    }
  };

  it('records every effectful await of a fault-free life', async () => {
    const at = 'recording';
    for (const stage of stages) {
      crasher.enter(at, stage.name);
      await stage.act(lab, at);
      await operator.quiet(2_500);
      expected.set(stage.name, stateOf(at));
      if (stage.name !== 'delete') {
        const vm = lab.api.get('VirtualMachine', 'm', at);
        expect(conditionOf(vm, 'Ready'), stage.name).toMatchObject({ status: 'True' });
      }
    }
    expect(expected.get('delete')).toEqual({ machines: [], objects: [], targets: [], volumes: [] });
    expect(lab.checker.atRest()).toEqual([]);
    expect(lab.storage.fabric.targets.size).toBe(0);
    expect(loginsLeft()).toEqual([]);
    expect([...unwrapped], 'host calls outside of any effect').toEqual([]);
    points = crasher.recorded(at).filter(({ effect }) => !reads.has(effect));
    expect(points.length).toBeGreaterThan(30);
    console.info(points.map(wordsOf).join('\n'));
  });

  it('ends as without a fault, wherever the operator dies', { timeout: 3_600_000 }, async () => {
    const queue = targetsOf(points).map((target) => ({ target, attempt: 1 }));
    const all = queue.length;
    const stubborn: Target[] = [];
    const missed: string[] = [];
    const passedBy: string[] = [];
    const failures: string[] = [];
    let serial = 0;

    /** Answers whether the operator died at the target. */
    const run = async (target: Target): Promise<boolean> => {
      serial += 1;
      const at = `sweep-${serial}`;
      const what = `${wordsOf(target)}, ${target.mode}`;
      crasher.aim(at, target);
      for (const stage of stages.slice(0, -1)) {
        await reach(at, stage, what);
        if (stage.name === target.stage) break;
      }
      const last = stages.at(-1);
      if (last !== undefined) await reach(at, last, what);
      return crasher.fired(at);
    };
    const attemptAt = async (target: Target, missedIt: () => void): Promise<void> => {
      try {
        if (!(await run(target))) missedIt();
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        failures.push(message);
        console.error(message);
      }
    };

    const lane = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined && failures.length < 10; next = queue.shift()) {
        const { target, attempt } = next;
        // Another lane's crash carried it past this point: it is aimed at once more.
        await attemptAt(target, () => {
          if (attempt < maxAttempts) queue.push({ target, attempt: attempt + 1 });
          else stubborn.push(target);
        });
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    // With nobody beside it a life comes by its point, unless two writes of it happened to become one.
    for (const target of stubborn) {
      let missedIt = true;
      for (let attempt = 1; missedIt && attempt <= maxAttempts && failures.length === 0; attempt += 1) {
        missedIt = false;
        await attemptAt(target, () => {
          missedIt = true;
        });
      }
      if (missedIt) (isPassing(target) ? passedBy : missed).push(`${wordsOf(target)}, ${target.mode}`);
    }
    await quiet();
    for (const point of points) known.add(wordsOf(point));
    console.info(
      `crash sweep: ${all - missed.length - passedBy.length} of ${all} points swept (${points.length} awaits, ${modes.length} ways to die where an await is new), ${serial} lives, ${stubborn.length} alone, ${starts} operators`,
    );
    if (passedBy.length > 0)
      console.info(`statuses that lasted in the recorded life alone: ${passedBy.join('; ')}`);
    expect(failures).toEqual([]);
    expect(missed).toEqual([]);
    expect(loginsLeft()).toEqual([]);
    expect(lab.checker.atRest()).toEqual([]);
  });
});
