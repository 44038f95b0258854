/**
 * An operator that dies before or after each thing it does to make and to erase a StoragePool with a server: the next
 * one comes to the same end, and nothing is made or left twice.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fault } from '../../../src/runtime/fault.ts';
import type { Effect } from '../../../src/runtime/pass.ts';
import { has, type Lab, type RunningOperator, simulatedPool, startLab, storagePool } from './operator-lab.ts';

type Moment = 'before' | 'after';

/** What is done to a pool, by how its effect is named. */
const made = ['add finalizer', 'server create', 'server start', 'preparePlace', 'write marker'] as const;
const erased = ['take takeStock', 'forgetPlace', 'server stop', 'server delete', 'remove finalizer'] as const;

const points = (names: readonly string[]) =>
  names.flatMap((name) => (['before', 'after'] as const).map((moment) => ({ name, moment })));

describe('an operator that dies at work on a StoragePool', () => {
  let lab: Lab;
  let operator: RunningOperator;
  let pools = 0;

  beforeAll(async () => {
    lab = await startLab();
    operator = await lab.startOperator();
    await lab.apply(simulatedPool('hp', ['h1', 'h2']));
    await lab.until('hostpool', 'hp', (it) => has(it, 'Ready', 'True', 'Ready'));
  });
  afterAll(async () => lab.close());

  /** Replaces the operator by one that dies at its first effect of that name; from then on it does nothing more. */
  const startMortal = async (name: string, moment: Moment): Promise<{ readonly death: Promise<void> }> => {
    await operator.stop();
    const died = Promise.withResolvers<void>();
    let dead = false;
    const die = (): never => {
      dead = true;
      died.resolve();
      throw new Fault('unreachable', 'The operator is dead.');
    };
    const effect: Effect = async (what, run) => {
      if (dead) throw new Fault('unreachable', 'The operator is dead.');
      const here = what.startsWith(name);
      if (here && moment === 'before') return die();
      const result = await run();
      return here || dead ? die() : result;
    };
    operator = await lab.startOperator({ effect });
    return { death: died.promise };
  };

  const another = async (death: Promise<void>): Promise<void> => {
    await death;
    await operator.stop();
    operator = await lab.startOperator();
  };

  const served = (name: string) =>
    storagePool(name, 'hp', {
      topology: 'Shared',
      simulated: { server: { serves: 'Files', deletionPolicy: 'Delete' } },
    });
  const apply = async (): Promise<string> => {
    pools += 1;
    const name = `mortal-${pools}`;
    await lab.apply(served(name));
    return name;
  };
  const untilMade = (name: string) =>
    lab.until('storagepool', name, (it) => has(it, 'Ready', 'True', 'Ready'));
  const remove = (name: string) => lab.plane.mustKubectl(['delete', 'storagepool', name, '--wait=false']);
  const untilErased = async (name: string, path: string): Promise<void> => {
    await lab.until('storagepool', name, (it) => it === undefined);
    expect(lab.storage.volumes.has(name)).toBe(false);
    expect(lab.world.hosts().some(({ places }) => places.has(path))).toBe(false);
  };

  it.each(points(made))('while it is made: $moment "$name"', async ({ name, moment }) => {
    const { death } = await startMortal(name, moment);
    const pool = await apply();
    await another(death);
    const done = await untilMade(pool);
    expect(done?.status).toMatchObject({ origin: 'Made', hostsReady: 2, sharedMarker: true });
    await remove(pool);
    await untilErased(pool, `/simulated/${done?.metadata.uid}`);
  });

  it.each(points(erased))('while it is erased: $moment "$name"', async ({ name, moment }) => {
    const pool = await apply();
    const done = await untilMade(pool);
    const { death } = await startMortal(name, moment);
    await remove(pool);
    await another(death);
    await untilErased(pool, `/simulated/${done?.metadata.uid}`);
  });
});
