import { describe, expect, it } from 'vitest';
import type { JobState } from '../../runtime/jobs.ts';
import { decide } from './decide.ts';
import { moving, movingDisk } from './sample-move.ts';
import { absentOn, madeStatus, presentOn, sampleDisk, sampleUser, sampleWorld } from './sample-world.ts';
import { statusOf } from './status.ts';
import type { CopySight, DiskSight, DiskWorld, MoveWorld } from './world.ts';

const world = (move: MoveWorld, change: Partial<DiskWorld> = {}): DiskWorld =>
  sampleWorld(movingDisk, { move, ...change });

const absent: CopySight = { kind: 'absent' };
const unseen: CopySight = { kind: 'unseen', reason: 'HostUnreachable', message: 'It is silent.' };
const copy = (change: object = {}): CopySight => ({
  kind: 'present',
  complete: true,
  marked: true,
  sizeBytes: 1,
  ...change,
});
const source = {
  complete: presentOn(),
  gone: absentOn(),
  unfinished: presentOn('kvm.node1', { complete: false }),
};
const unknown: DiskSight = { volumes: [], unseen: ['kvm.node1'] };
const both = (seen: DiskSight, copy: CopySight): DiskSight => ({ ...seen, copy });

const stepOf = (it: DiskWorld, seen: DiskSight): unknown => {
  const { plan, reason } = decide(it, seen);
  if (plan.kind !== 'step') return `${plan.kind} ${reason}`;
  return 'phase' in plan.step ? `${plan.step.kind} ${plan.step.phase}` : plan.step.kind;
};

describe('a disk that shall be in another pool', () => {
  it.each([
    [
      'begins when nobody has it',
      world(moving(undefined)),
      both(source.complete, absent),
      'markMove Copying',
    ],
    [
      'waits for a machine that has it',
      sampleWorld(
        sampleDisk(
          {},
          {
            status: madeStatus({
              claim: { purpose: 'run', vmUid: 'm1', vmName: 'web-1', host: 'kvm.node1' },
            }),
          },
        ),
        { move: moving(undefined), users: [sampleUser()] },
      ),
      source.complete,
      'settled MovesWhenDetached',
    ],
    [
      'waits for a machine that may have it',
      world(moving(undefined), { users: [sampleUser({ wantsToRun: false, unknown: true })] }),
      both(source.complete, absent),
      'settled MovesWhenDetached',
    ],
    [
      'lets go in a status first',
      sampleWorld(
        sampleDisk({}, { status: madeStatus({ claim: { purpose: 'run', vmUid: 'm1', vmName: 'web-1' } }) }),
        {
          move: moving(undefined),
          ghost: undefined,
          users: [sampleUser({ wantsToRun: false, released: true })],
        },
      ),
      { ...both(source.complete, absent), ghost: { sightings: [], unseen: [], namesakes: [] } },
      'wait Moving',
    ],
    [
      'waits for a copy that is made from it',
      world(moving(undefined), { copiedBy: ['twin'] }),
      both(source.complete, absent),
      'wait WaitingForDependents',
    ],
    [
      'says what speaks against it',
      world(moving(undefined, { lack: { reason: 'StorageRoleMissing', message: 'No disks.' } })),
      both(source.complete, absent),
      'wait StorageRoleMissing',
    ],
    [
      'waits for the other pool',
      world(moving(undefined)),
      both(source.complete, unseen),
      'wait HostUnreachable',
    ],
    [
      'does nothing to what may be the same volume',
      world(moving(undefined)),
      both(source.complete, copy({ marked: false })),
      'wait NameTaken',
    ],
    ['says that the data is lost', world(moving(undefined)), both(source.gone, absent), 'wait DiskLost'],
    ['is where its data is', world(moving(undefined)), both(source.gone, copy()), 'wait Moving'],
  ] as const)('%s', (_title, it, seen, wanted) => expect(stepOf(it, seen)).toBe(wanted));
});

describe('a move that was begun', () => {
  const job = (kind: 'running' | 'done'): JobState<void> =>
    kind === 'running' ? { kind, startedMs: 1, progress: 42 } : { kind, result: undefined, atMs: 1 };
  it.each([
    ['Copying', 'copies', {}, {}, both(source.complete, absent), 'move'],
    [
      'Copying',
      'copies what nobody finished',
      {},
      {},
      both(source.complete, copy({ complete: false })),
      'move',
    ],
    ['Copying', 'compares what is there', {}, {}, both(source.complete, copy()), 'move'],
    [
      'Copying',
      'waits for its job',
      {},
      { job: job('running') },
      both(source.complete, absent),
      'wait Moving',
    ],
    [
      'Copying',
      'believes what it compared',
      { compared: 'same' },
      {},
      both(source.complete, copy()),
      'markMove Removing',
    ],
    [
      'Copying',
      'believes no copy that is gone',
      { compared: 'same' },
      {},
      both(source.complete, absent),
      'move',
    ],
    [
      'Copying',
      'gives up when the spec says otherwise',
      { wanted: false },
      {},
      both(source.complete, copy()),
      'markMove Dropping',
    ],
    ['Copying', 'goes on while the source is silent', {}, {}, both(unknown, copy()), 'wait StorageNotReady'],
    [
      'Copying',
      'keeps the last copy there is',
      { wanted: false },
      {},
      both(source.gone, copy()),
      'markMove Removing',
    ],
    [
      'Copying',
      'never compares a volume with itself',
      {},
      {},
      both(source.complete, copy({ marked: false })),
      'wait NameTaken',
    ],
    [
      'Copying',
      'is lost with its source',
      {},
      {},
      both(source.gone, copy({ complete: false })),
      'wait DiskLost',
    ],
    ['Removing', 'compares again in another process', {}, {}, both(source.complete, copy()), 'move'],
    [
      'Removing',
      'removes what it compared',
      { compared: 'same' },
      {},
      both(source.complete, copy()),
      'clearSource',
    ],
    [
      'Removing',
      'removes nothing while the copy is silent',
      { compared: 'same' },
      {},
      both(source.complete, unseen),
      'wait HostUnreachable',
    ],
    [
      'Removing',
      'removes nothing without a copy',
      { compared: 'same' },
      {},
      both(source.complete, absent),
      'markMove Copying',
    ],
    [
      'Removing',
      'removes nothing that is the same volume',
      { compared: 'same' },
      {},
      both(source.complete, copy({ marked: false })),
      'wait NameTaken',
    ],
    [
      'Removing',
      'goes on whatever the spec says by now',
      { compared: 'same', wanted: false },
      {},
      both(source.complete, copy()),
      'clearSource',
    ],
    ['Removing', 'clears what is left of the source', {}, {}, both(source.unfinished, copy()), 'clearSource'],
    ['Removing', 'clears once more after a crash', {}, {}, both(source.gone, copy()), 'clearSource'],
    ['Removing', 'says where the disk is', { removed: true }, {}, both(source.gone, copy()), 'wait Moving'],
    ['Dropping', 'removes the copy', {}, {}, both(source.complete, copy()), 'dropCopy'],
    ['Dropping', 'removes what an import left', {}, {}, both(source.complete, absent), 'dropCopy'],
    [
      'Dropping',
      'ends its job first',
      {},
      { job: job('running') },
      both(source.complete, copy()),
      'cancelMake',
    ],
    [
      'Dropping',
      'removes nothing while the source is silent',
      {},
      {},
      both(unknown, copy()),
      'wait StorageNotReady',
    ],
    [
      'Dropping',
      'removes nothing when the source is gone',
      { wanted: false },
      {},
      both(source.gone, copy()),
      'wait DiskLost',
    ],
    [
      'Dropping',
      'uses the copy when the source is gone',
      {},
      {},
      both(source.gone, copy()),
      'markMove Removing',
    ],
    [
      'Dropping',
      'leaves what is the same volume',
      { wanted: false },
      {},
      both(source.complete, copy({ marked: false })),
      'endMove',
    ],
    ['Dropping', 'ends', { removed: true, wanted: false }, {}, both(source.complete, absent), 'endMove'],
    ['Dropping', 'begins anew', { removed: true }, {}, both(source.complete, absent), 'markMove Copying'],
    ['Dropping', 'is used meanwhile', { wanted: false }, {}, both(source.complete, unseen), 'wait Available'],
    [
      'Dropping',
      'ends when the pool is gone',
      { wanted: false, target: undefined },
      {},
      both(source.complete, unseen),
      'endMove',
    ],
  ] as const)('%s: %s', (phase, _title, change, more, seen, wanted) => {
    expect(stepOf(world(moving(phase, change), more), seen)).toBe(wanted);
  });

  it('gives the disk to nobody, but while a copy is removed that was given up', () => {
    const users = [sampleUser()];
    const claimIn = (move: MoveWorld): unknown =>
      statusOf(world(move, { users }), both(source.complete, absent), undefined, undefined, 0).claim;
    expect(claimIn(moving('Copying'))).toBeUndefined();
    expect(claimIn(moving('Removing', { wanted: false }))).toBeUndefined();
    expect(claimIn(moving('Dropping'))).toBeUndefined();
    const later = statusOf(
      world(moving('Dropping', { wanted: false }), { users }),
      both(source.complete, unseen),
      undefined,
      undefined,
      0,
    );
    expect(later.claim).toMatchObject({ vmName: 'web-1' });
    expect(later.move).toBeUndefined();
  });

  it('is told with pools and percent, and at its end with the new place', () => {
    const told = statusOf(
      world(moving('Copying'), { job: job('running') }),
      both(source.complete, absent),
      undefined,
      undefined,
      0,
    );
    expect(told).toMatchObject({ move: { from: 'local', to: 'far', percent: 42 }, volume: { pool: 'p1' } });
    const over = statusOf(
      world(moving('Removing', { removed: true })),
      both(source.gone, copy({ sizeBytes: 2 ** 30 })),
      undefined,
      undefined,
      0,
    );
    expect(over).toMatchObject({ volume: { pool: 'p2', name: 'ovcp-disk-d1.qcow2' }, size: '1Gi' });
    expect(over.host).toBeUndefined();
  });
});
