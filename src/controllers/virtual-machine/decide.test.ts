import { describe, expect, it } from 'vitest';
import { decide } from './decide.ts';
import type { Decision } from './decision.ts';
import {
  sampleCandidate,
  sampleDisk,
  sampleMachine,
  sampleRecord,
  sampleSight,
  sampleSighting,
  sampleWorld,
  wishedShape,
} from './sample-world.ts';
import type { SeedSight, VmWorld } from './world.ts';

const stepOf = (decision: Decision) => (decision.plan.kind === 'step' ? decision.plan.step : undefined);
const driven = (decision: Decision) => {
  const it = stepOf(decision);
  return it?.kind === 'drive' ? it.step : undefined;
};
const withDisk = (claimed: boolean, change: Partial<VmWorld> = {}, heldBy?: string): VmWorld =>
  sampleWorld(sampleMachine(), {
    disks: [
      {
        name: 'root',
        diskName: 'web-1.root',
        hostLocal: true,
        storagePool: 'local',
        state: { kind: 'ready', shape: sampleDisk, claimed, heldBy },
      },
    ],
    ...change,
  });
const deleting = { deletionTimestamp: '2026-01-02T00:00:00Z' };

describe('a new machine', () => {
  it('gets our finalizer first', () => {
    const world = sampleWorld(sampleMachine({}, { metadata: { finalizers: [] }, status: undefined }));
    expect(stepOf(decide(world, sampleSight([])))).toEqual({ kind: 'addFinalizer' });
  });

  it('then a host, written down before anything is made', () => {
    const world = sampleWorld(sampleMachine({}, { status: {}, metadata: {} }));
    const vm = { ...world.vm, status: { conditions: [] } };
    expect(stepOf(decide({ ...world, vm }, sampleSight([])))).toEqual({ kind: 'place', host: 'kvm.node1' });
  });

  it('is defined with a record that makes its first start due', () => {
    const step = driven(decide(sampleWorld(), sampleSight([])));
    expect(step).toMatchObject({
      kind: 'define',
      host: 'node1',
      record: { startDue: true, restartHandledAt: '2026-01-01T00:00:00Z' },
    });
  });

  it('waits with the reasons of every host when none fits', () => {
    const hosts = [{ name: 'kvm.node1', id: 'node1', candidate: sampleCandidate({ memoryMiB: 100 }) }];
    const world = sampleWorld(sampleMachine({}, { status: {} }), { hosts });
    const decision = decide({ ...world, vm: { ...world.vm, status: {} } }, sampleSight([]));
    expect(decision).toMatchObject({ plan: { kind: 'wait' }, reason: 'NoHostFits' });
    expect(decision.message).toContain('256 MiB of memory wanted, 100 MiB free');
  });

  it('is not made while a host that may hold it cannot be seen', () => {
    const decision = decide(sampleWorld(), sampleSight([], { unseen: ['node2'] }));
    expect(decision).toMatchObject({ plan: { kind: 'wait' }, reason: 'HostUnreachable', health: 'unknown' });
  });

  it('does not wait for a host that was declared gone', () => {
    const [first, second] = sampleWorld().hosts;
    if (first === undefined || second === undefined) throw new Error('two hosts');
    const world = sampleWorld(sampleMachine(), { hosts: [first, { ...second, declaredDown: 'burnt' }] });
    expect(driven(decide(world, sampleSight([], { unseen: ['node2'] })))?.kind).toBe('define');
  });

  it('leaves a machine of the same name alone', () => {
    const namesakes = [{ host: 'node1', uuid: 'x', ownership: { kind: 'none' } }] as const;
    expect(decide(sampleWorld(), sampleSight([], { namesakes }))).toMatchObject({
      // Nothing tells us when somebody else's machine goes.
      plan: { kind: 'wait', afterMs: 10_000 },
      reason: 'NameTaken',
    });
  });

  it('leaves its former self under another uid alone', () => {
    const namesakes = [
      { host: 'node1', uuid: 'x', ownership: { kind: 'other', clusterId: 'cluster-1', uid: 'old' } },
    ] as const;
    expect(decide(sampleWorld(), sampleSight([], { namesakes }))).toMatchObject({
      reason: 'IdentityConflict',
    });
  });
});

describe('a machine that shall run', () => {
  it('is settled when it does, and as wished', () => {
    const world = sampleWorld();
    expect(decide(world, sampleSight([sampleSighting(world, { kind: 'running' })]))).toMatchObject({
      plan: { kind: 'settled' },
      reason: 'Running',
      health: 'ok',
    });
  });

  it('notes that its due start has happened', () => {
    const world = sampleWorld();
    const ownership = { kind: 'ours', record: sampleRecord({ startDue: true }) } as const;
    const sight = sampleSight([sampleSighting(world, { kind: 'running' }, { ownership })]);
    const step = { kind: 'setRecord', record: { startDue: false } };
    // Whoever waits for it is told first, when nothing else is left to do.
    expect(decide(world, sight)).toMatchObject({
      plan: { kind: 'settled', chore: { kind: 'drive', step } },
      reason: 'Running',
      health: 'ok',
    });
    const waiting = withDisk(false);
    const there = sampleSight([sampleSighting(waiting, { kind: 'running' }, { ownership })]);
    expect(driven(decide(waiting, there))).toMatchObject(step);
  });

  it('starts only with the claim on its disks', () => {
    const waiting = withDisk(false);
    const off = { kind: 'off', cause: 'NeverStarted' } as const;
    expect(decide(waiting, sampleSight([sampleSighting(waiting, off)]))).toMatchObject({
      plan: { kind: 'wait' },
      reason: 'WaitingForDisk',
    });
    const claimed = withDisk(true);
    expect(driven(decide(claimed, sampleSight([sampleSighting(claimed, off)])))).toEqual({
      kind: 'start',
      host: 'node1',
    });
  });

  it('gets a disk attached live, but not one that belongs to another machine', () => {
    const claimed = withDisk(true);
    const bare = { ...wishedShape(claimed), disks: [] };
    const seen = (world: VmWorld) =>
      sampleSight([sampleSighting(world, { kind: 'running' }, { running: bare, next: bare })]);
    expect(driven(decide(claimed, seen(claimed)))?.kind).toBe('attachDisk');
    expect(driven(decide(withDisk(false), seen(claimed)))).toBeUndefined();
    expect(decide(withDisk(false, {}, 'other'), seen(claimed))).toMatchObject({ reason: 'DiskInUse' });
  });

  it('keeps a disk whose object cannot be resolved now', () => {
    const there = withDisk(true);
    const lacking = withDisk(true, {
      disks: [
        {
          name: 'root',
          diskName: 'web-1.root',
          hostLocal: true,
          state: {
            kind: 'lacking',
            lack: { condition: 'StorageReady', reason: 'WaitingForDisk', message: 'x' },
          },
        },
      ],
    });
    expect(
      driven(decide(lacking, sampleSight([sampleSighting(there, { kind: 'running' })]))),
    ).toBeUndefined();
  });

  it('is started again after virsh destroy at once, and less and less often when the guest goes down itself', () => {
    const world = sampleWorld(sampleMachine(), { relapses: { count: 3, lastMs: 999_000 } });
    const seen = (cause: 'Destroyed' | 'Crashed') =>
      sampleSight([sampleSighting(world, { kind: 'off', cause })]);
    expect(driven(decide(world, seen('Destroyed')))?.kind).toBe('start');
    expect(decide(world, seen('Crashed'))).toMatchObject({
      plan: { kind: 'wait', afterMs: 39_000 },
      reason: 'CrashLoop',
    });
  });

  it('comes back when it was undefined while running', () => {
    const world = sampleWorld();
    const { next: _gone, ...transient } = sampleSighting(world, { kind: 'running' });
    expect(driven(decide(world, sampleSight([transient])))?.kind).toBe('define');
  });

  it('that vanished is made again under Enforce only', () => {
    const status = { observedGeneration: 1, host: 'kvm.node1', powerState: 'PoweredOn' } as const;
    expect(driven(decide(sampleWorld(sampleMachine({}, { status })), sampleSight([])))?.kind).toBe('define');
    const reporting = sampleWorld(sampleMachine({ driftPolicy: 'Report' }, { status }));
    expect(decide(reporting, sampleSight([]))).toMatchObject({
      plan: { kind: 'settled' },
      reason: 'MissingOnHost',
    });
  });
});

describe('a restart', () => {
  const token = '2026-03-01T00:00:00Z';

  it('stops, notes the token and starts', () => {
    const world = sampleWorld(sampleMachine({ restartRequestedAt: token }));
    expect(stepOf(decide(world, sampleSight([sampleSighting(world, { kind: 'running' })])))).toEqual({
      kind: 'askShutdown',
    });
    const off = sampleSighting(world, { kind: 'off', cause: 'GuestShutdown' });
    expect(driven(decide(world, sampleSight([off])))).toMatchObject({
      kind: 'setRecord',
      record: { restartHandledAt: token, startDue: true },
    });
    const noted = {
      ...off,
      ownership: { kind: 'ours', record: sampleRecord({ restartHandledAt: token, startDue: true }) },
    } as const;
    expect(driven(decide(world, sampleSight([noted])))?.kind).toBe('start');
  });

  it('is not repeated for a token that was reverted or handled', () => {
    for (const restartRequestedAt of ['2025-12-31T00:00:00Z', '2026-01-01T00:00:00Z']) {
      const world = sampleWorld(sampleMachine({ restartRequestedAt }));
      expect(decide(world, sampleSight([sampleSighting(world, { kind: 'running' })]))).toMatchObject({
        plan: { kind: 'settled' },
      });
    }
  });
});

describe('a machine that shall be off', () => {
  const off = (
    shutdown = { mode: 'GracefulThenHard', timeoutSeconds: 60 } as const,
    asked?: VmWorld['asked'],
  ): VmWorld => sampleWorld(sampleMachine({ powerState: 'PoweredOff', shutdown }), { asked });
  const running = (world: VmWorld) => sampleSight([sampleSighting(world, { kind: 'running' })]);

  it('is asked, asked again, and switched off when its time is over', () => {
    expect(stepOf(decide(off(), running(off())))).toEqual({ kind: 'askShutdown' });
    const waiting = off(undefined, { sinceMs: 995_000, lastMs: 995_000 });
    expect(decide(waiting, running(waiting))).toMatchObject({
      plan: { kind: 'wait', afterMs: 5_000 },
      reason: 'Stopping',
    });
    const again = off(undefined, { sinceMs: 985_000, lastMs: 985_000 });
    expect(stepOf(decide(again, running(again)))).toEqual({ kind: 'askShutdown' });
    const over = off(undefined, { sinceMs: 940_000, lastMs: 999_000 });
    expect(driven(decide(over, running(over)))).toEqual({ kind: 'destroy', host: 'node1' });
  });

  it('is never switched off hard with mode Graceful', () => {
    const world = off({ mode: 'Graceful', timeoutSeconds: 60 } as never, { sinceMs: 0, lastMs: 999_000 });
    expect(decide(world, running(world))).toMatchObject({ plan: { kind: 'wait' }, health: 'trouble' });
  });

  it('is switched off at once with mode Hard', () => {
    const world = off({ mode: 'Hard', timeoutSeconds: 60 } as never);
    expect(driven(decide(world, running(world)))?.kind).toBe('destroy');
  });

  it('is healthy once off, and its next start is due', () => {
    const world = off();
    const sighting = sampleSighting(world, { kind: 'off', cause: 'Destroyed' });
    expect(driven(decide(world, sampleSight([sighting])))).toMatchObject({
      kind: 'setRecord',
      record: { startDue: true },
    });
    const due = {
      ...sighting,
      ownership: { kind: 'ours', record: sampleRecord({ startDue: true }) },
    } as const;
    expect(decide(world, sampleSight([due]))).toMatchObject({
      plan: { kind: 'settled' },
      health: 'ok',
      reason: 'PoweredOff',
    });
  });
});

describe('the end of a machine', () => {
  it('is stopped, undefined, its disks deleted, and let go', () => {
    const vm = sampleMachine({ shutdown: { mode: 'Hard', timeoutSeconds: 1 } }, { metadata: deleting });
    const world = sampleWorld(vm, { ownedDisks: [{ name: 'web-1.root', uid: 'd', deleting: false }] });
    expect(driven(decide(world, sampleSight([sampleSighting(world, { kind: 'running' })])))?.kind).toBe(
      'destroy',
    );
    expect(
      driven(decide(world, sampleSight([sampleSighting(world, { kind: 'off', cause: 'Destroyed' })])))?.kind,
    ).toBe('undefine');
    expect(stepOf(decide(world, sampleSight([])))).toEqual({
      kind: 'deleteDisk',
      diskName: 'web-1.root',
      uid: 'd',
    });
    const bare = sampleWorld(vm);
    expect(stepOf(decide(bare, sampleSight([])))).toEqual({ kind: 'removeFinalizer' });
  });

  it('leaves no cloud-init data behind, even when it went in one pass', () => {
    const world = sampleWorld(sampleMachine({}, { metadata: deleting }));
    const at = (seed: SeedSight) => stepOf(decide(world, { ...sampleSight([]), seed }));
    const place = {
      clusterId: 'c',
      poolUid: 'p',
      poolName: 'local',
      path: '/p',
      topology: 'HostLocal',
    } as const;
    expect(at({ kind: 'keep' })).toEqual({ kind: 'findSeeds' });
    expect(at({ kind: 'left', place, found: [{ host: 'node1', volumes: ['seed'] }] })).toEqual({
      kind: 'dropSeeds',
    });
    expect(at({ kind: 'left', place, found: [] })).toEqual({ kind: 'removeFinalizer' });
  });

  it('waits for hosts that cannot be seen', () => {
    const world = sampleWorld(sampleMachine({}, { metadata: deleting }));
    expect(decide(world, sampleSight([], { unseen: ['node1'] }))).toMatchObject({
      plan: { kind: 'wait' },
      reason: 'HostUnreachable',
    });
  });

  it('only lets go of a machine that is retained, running as it is', () => {
    const world = sampleWorld(sampleMachine({ deletionPolicy: 'Retain' }, { metadata: deleting }));
    expect(driven(decide(world, sampleSight([sampleSighting(world, { kind: 'running' })])))).toEqual({
      kind: 'release',
      host: 'node1',
    });
  });

  it('never touches a machine that does not carry our tag', () => {
    const world = sampleWorld(sampleMachine({}, { metadata: deleting }));
    const foreign = sampleSighting(world, { kind: 'running' }, { ownership: { kind: 'none' } });
    expect(stepOf(decide(world, sampleSight([foreign])))).toEqual({ kind: 'removeFinalizer' });
  });
});

it('does nothing to a paused machine', () => {
  const world = sampleWorld(sampleMachine(), { pausedBy: 'ann: moving racks' });
  expect(decide(world, sampleSight([]))).toMatchObject({ plan: { kind: 'settled' }, reason: 'Paused' });
});
