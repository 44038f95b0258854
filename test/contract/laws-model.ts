import {
  type AsyncCommand,
  assert,
  asyncModelRun,
  asyncProperty,
  boolean,
  commands,
  constant,
  constantFrom,
} from 'fast-check';
import { expect } from 'vitest';
import type { HypervisorPool, VmIdentity, VmStep } from '../../src/drivers/hypervisor/contract.ts';
import { isFault } from '../../src/runtime/fault.ts';
import { clean, type DriverFixture, identity, type Law, never, plainShape, recordOf } from './fixture.ts';
import { look } from './laws-power.ts';

/** One machine, as little of it as the laws speak of. Sizes are MiB of memory. */
interface Model {
  next: number | undefined;
  running: number | undefined;
  autostart: boolean;
  startDue: boolean;
}

interface Real {
  readonly fixture: DriverFixture;
  readonly pool: HypervisorPool;
  readonly vm: VmIdentity;
}

type Effect = (model: Model) => 'done' | 'conflict';
const exists = ({ next, running }: Model): boolean => next !== undefined || running !== undefined;

const check = async ({ fixture, pool, vm }: Real, model: Model): Promise<void> => {
  const seen = await look(fixture, pool, vm);
  expect(seen !== undefined).toBe(exists(model));
  expect(seen?.running?.memoryMiB).toBe(model.running);
  expect(seen?.next?.memoryMiB).toBe(model.next);
  expect(seen === undefined || (seen.power.kind === 'running') === (model.running !== undefined)).toBe(true);
  if (seen !== undefined) {
    expect(seen.ownership).toEqual({ kind: 'ours', record: recordOf(vm, { startDue: model.startDue }) });
  }
  if (seen?.next !== undefined) {
    expect(seen.next.autostart).toBe(model.autostart);
  }
};

const command = (
  name: string,
  stepOf: (real: Real) => VmStep,
  effect: Effect,
): AsyncCommand<Model, Real> => ({
  check: () => true,
  run: async (model, real) => {
    const expected = effect(model);
    const outcome = await real.pool.take(real.vm, stepOf(real), never).then(
      ({ kind }) => kind,
      (error: unknown) => (isFault(error) ? error.kind : 'not a Fault'),
    );
    expect(outcome, name).toBe(expected);
    await check(real, model);
  },
  toString: () => name,
});

const onExisting =
  (act: (model: Model) => void): Effect =>
  (model) => {
    if (!exists(model)) return 'conflict';
    act(model);
    return 'done';
  };

const defineCommand = (memoryMiB: number): AsyncCommand<Model, Real> =>
  command(
    `define ${memoryMiB}`,
    ({ fixture, vm }) => ({
      kind: 'define',
      host: fixture.host,
      shape: { ...plainShape, memoryMiB },
      record: recordOf(vm),
    }),
    (model) => {
      Object.assign(model, { next: memoryMiB, autostart: false, startDue: true });
      return 'done';
    },
  );

const powerCommands = [
  command(
    'start',
    ({ fixture }) => ({ kind: 'start', host: fixture.host }),
    onExisting((model) => {
      model.running ??= model.next;
    }),
  ),
  command(
    'destroy',
    ({ fixture }) => ({ kind: 'destroy', host: fixture.host }),
    (model) => {
      model.running = undefined;
      return 'done';
    },
  ),
];

// Of a machine that is off: nobody asks it of a running one.
const undefineCommand: AsyncCommand<Model, Real> = {
  ...command(
    'undefine',
    ({ fixture }) => ({ kind: 'undefine', host: fixture.host }),
    (model) => {
      model.next = undefined;
      return 'done';
    },
  ),
  check: (model) => model.running === undefined,
};

const anyCommand = [
  constantFrom(64, 96, 128).map(defineCommand),
  ...powerCommands.map((one) => constant(one)),
  constant(undefineCommand),
  boolean().map((autostart) =>
    command(
      `setAutostart ${autostart}`,
      ({ fixture }) => ({ kind: 'setAutostart', host: fixture.host, autostart }),
      onExisting((model) => {
        model.autostart = autostart;
      }),
    ),
  ),
  boolean().map((startDue) =>
    command(
      `setRecord ${startDue}`,
      ({ fixture, vm }) => ({ kind: 'setRecord', host: fixture.host, record: recordOf(vm, { startDue }) }),
      onExisting((model) => {
        model.startDue = startDue;
      }),
    ),
  ),
];

export const modelLaws = (numRuns: number): readonly Law[] => [
  {
    id: 'H-09',
    title: 'random sequences of steps agree with the model',
    check: async (fixture, pool) => {
      const property = asyncProperty(commands(anyCommand, { maxCommands: 25 }), async (sequence) => {
        const vm = identity(fixture);
        const setup = () => ({
          model: { next: undefined, running: undefined, autostart: false, startDue: true } as Model,
          real: { fixture, pool, vm },
        });
        await asyncModelRun(setup, sequence);
        await clean(fixture, pool, vm);
      });
      await assert(property, { numRuns });
    },
  },
];
