/** What the operator may cost at most, as counts of the API server's own audit log and of the simulated hosts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isWriteOfOperator, type Life, lateMs, live } from '../bench/figures/api-writes.ts';
import { isRenewal, requestsByKind } from '../bench/figures/idle.ts';
import { sleep } from '../bench/harness/cluster.ts';
import {
  createDisks,
  diskName,
  failedCalls,
  mostAtOnce,
  servedPool,
  servedPoolName,
} from '../bench/harness/disks.ts';
import { followDisks } from '../bench/harness/machines.ts';
import { simulatedPool } from '../bench/harness/objects.ts';
import type { Counts } from '../bench/harness/operator-protocol.ts';
import {
  converge,
  imageFlags,
  type SimulatedLab,
  startSimulatedLab,
} from '../bench/harness/simulated-lab.ts';

const machines = 12;
const servedDisks = 200;
/** The shortest that a HostPool may have. */
const auditSeconds = 30;

let lab: SimulatedLab;
beforeAll(async () => {
  lab = await startSimulatedLab({ hosts: 2, audit: 'all' });
});
afterAll(async () => lab.close());

/** The machine's own four, none refused: finalizer, intent, what came of it and, at the very end, the finalizer off. */
const frugal: readonly string[] = ['patch', 'patch', 'patch status', 'patch status'];

const expectFrugal = (life: Life): void => {
  expect(life.machine.toSorted()).toEqual(frugal);
  expect(life.machine.at(-1)).toBe('patch');
  expect(life.events).toBeLessThanOrEqual(3);
};

describe('writes over the life of a machine whose guest is silent', () => {
  beforeAll(async () => lab.operator.guests({ agent: false }));

  it('are four, none of them refused, and at most three Events', async () => {
    expectFrugal(await live(lab, 'plain', 'none'));
  });

  it('are four more for a templated disk: made, told, deleted, let go', async () => {
    const life = await live(lab, 'disked', 'blank');
    expectFrugal(life);
    expect(life.disk).toEqual(['create', 'patch status', 'delete', 'patch']);
  });

  it('are no more for a linked clone of an image', async () => {
    await lab.importImage('lives');
    const life = await live(lab, 'cloned', 'linkedClone');
    expectFrugal(life);
    expect(life.disk).toEqual(['create', 'patch status', 'delete', 'patch']);
  });
});

it('a guest that tells of itself costs one more write', async () => {
  await lab.operator.guests({ agent: true, bootMs: lateMs });
  const { machine } = await live(lab, 'talking', 'none', 'talking');
  expect(machine.toSorted()).toEqual([...frugal, 'patch status']);
});

it('makes many disks that are asked for at once on a storage server, and no call of it fails for load', async () => {
  await lab.cluster.apply(simulatedPool(2, { auditPeriodSeconds: auditSeconds }), servedPool());
  const disks = await followDisks(lab.cluster);
  await lab.operator.driven();
  await createDisks(lab.cluster, 'load', servedPoolName, { count: servedDisks });
  for (let index = 0; index < servedDisks; index += 1)
    await disks.when(`load/${diskName(index)}`, (it) => it?.status?.volume !== undefined, 300_000);
  await disks.stop();
  const calls = await lab.operator.driven();
  expect(failedCalls(calls)).toEqual([]);
  const made = calls.filter(({ call }) => call === 'disk.createBlank');
  expect(made).toHaveLength(servedDisks);
  expect(mostAtOnce(made)).toBeLessThanOrEqual(2);
});

describe('a converged fleet', () => {
  beforeAll(async () => {
    await lab.operator.guests({ agent: false });
    await lab.burst('fleet', machines, 'blank');
    await converge(lab);
  });

  const since = async (before: number) => (await lab.cluster.plane.audit()).slice(before);

  it('is asked nothing while nothing happens, but leases, watches and surveys', async () => {
    const before = (await lab.cluster.plane.audit()).length;
    const calls = await lab.operator.counts();
    await sleep(10_000);
    const requests = [...requestsByKind(await since(before)).keys()];
    expect(requests.filter((name) => !isRenewal(name))).toEqual([]);
    const after = await lab.operator.counts();
    // An audit may fall into these seconds: one survey per host.
    const besides = (counts: Counts) => Object.entries(counts.calls).filter(([name]) => name !== 'survey');
    expect(besides(after)).toEqual(besides(calls));
    expect(after.mutating).toBe(calls.mutating);
  });

  it('has a storage server swept as a whole, and none of the disks on it asked about', async () => {
    await lab.operator.driven();
    await sleep(1.5 * auditSeconds * 1000);
    const calls = (await lab.operator.driven()).map(({ call }) => call);
    expect(new Set(calls)).toEqual(new Set(['sweep']));
    expect(calls.length).toBeLessThanOrEqual(2);
  });

  it('is not written to by an operator that starts again, nor are its hosts', async () => {
    const { mutating } = await lab.operator.counts();
    await lab.operator.stop();
    const before = (await lab.cluster.plane.audit()).length;
    await lab.operator.start(lab.cluster.plane.kubeconfig, imageFlags);
    await lab.operator.quiet(5_000);
    const entries = await since(before);
    const writes = entries.filter((it) => isWriteOfOperator(it) && it.resource !== 'leases');
    expect(writes).toEqual([]);
    expect((await lab.operator.counts()).mutating).toBe(mutating);
    expect((await lab.operator.progress()).ready).toBe(machines);
  });
});
