import { describe, expect, it } from 'vitest';
import type { StoragePoolStatus } from '../../api/storage-pool.ts';
import type { ServerHealth, ServerSeen } from '../../drivers/storage/contract.ts';
import { plan } from './plan.ts';
import {
  absent,
  type Change,
  GiB,
  healthy,
  nowMs,
  ready,
  served,
  settledServer,
  sightOf,
  site,
  worldOf,
} from './sample-world.ts';
import { statusOf } from './status.ts';
import type { PlaceSight, ServerSight } from './world.ts';

const world = (change: Change = {}) => worldOf({ served: true, ...change });

const next = (
  change: Change,
  hosts: Record<string, PlaceSight>,
  server: ServerSight,
  kept?: readonly string[],
) => {
  const answer = plan(world(change), sightOf(hosts, server, kept));
  return answer.kind === 'step' ? answer.step : answer;
};

const create = { what: 'create gv0', detail: 1 };
const making: ServerHealth = { state: 'Unusable', reason: 'Creating', message: 'The volume is being made.' };
const degraded: ServerHealth = {
  state: 'Degraded',
  reason: 'StorageDegraded',
  message: 'Brick a/a2 is down.',
};
const stepping = served({ kind: 'step', step: create, health: making });
const mending = served({ kind: 'wait', pollMs: 5_000, health: degraded }, { origin: 'Made' });
const silent: ServerSight = {
  kind: 'failed',
  reason: 'ServerUnreachable',
  message: 'The server g1 does not answer.',
  busy: false,
  retryMs: 4_000,
};
const marked: StoragePoolStatus = { sharedMarker: true };
const lost: PlaceSight = { kind: 'broken', reason: 'MountLost', message: 'The mount is dead.' };

describe('plan with a server side', () => {
  it('makes the volume before any host mounts it', () => {
    expect(next({}, { a: absent, b: absent }, stepping)).toEqual({ kind: 'server', step: create });
    const waiting = served({ kind: 'wait', pollMs: 1_000, health: making });
    expect(next({}, { a: absent, b: absent }, waiting)).toEqual({ kind: 'wait', afterMs: 1_000 });
    expect(next({}, { a: absent, b: ready() }, settledServer)).toEqual({ kind: 'prepare', hosts: ['a'] });
  });

  it('looks again when the servers are expected to have got further', () => {
    expect(next({}, { a: ready(), b: ready() }, mending)).toEqual({ kind: 'wait', afterMs: 5_000 });
    expect(next({}, { a: ready(), b: ready() }, settledServer)).toEqual({ kind: 'settled' });
  });

  it('mounts what was in use before although no server can be asked, and nothing else', () => {
    expect(next({}, { a: absent, b: ready() }, silent)).toEqual({ kind: 'wait', afterMs: 4_000 });
    expect(next({ status: marked }, { a: absent, b: ready() }, silent)).toEqual({
      kind: 'prepare',
      hosts: ['a'],
    });
  });

  it('mounts again where a mount died, is not the one with the marker, or comes from other servers', () => {
    const change = { status: marked };
    const outdated = { ...ready(), outdated: true } as PlaceSight;
    for (const a of [lost, ready(0, false), outdated]) {
      expect(next(change, { a, b: ready() }, settledServer)).toEqual({ kind: 'prepare', hosts: ['a'] });
    }
  });

  it('never writes the marker while the volume cannot be used', () => {
    const hosts = { a: ready(0, false), b: ready(0, false) };
    const unusable = served({ kind: 'wait', pollMs: 1_000, health: making });
    expect(next({}, hosts, unusable)).toEqual({ kind: 'wait', afterMs: 1_000 });
    expect(next({}, hosts, settledServer)).toEqual({ kind: 'writeMarker', host: 'a' });
  });
});

describe('deletion with a server side', () => {
  const deleting = { deleting: true, status: marked };
  const erasing = { ...deleting, erases: true };
  const made: Partial<ServerSeen> = { origin: 'Made' };
  const keep = served({ kind: 'settled', health: healthy }, made);
  const erase = { what: 'delete gv0', detail: 2 };
  const granted = served({ kind: 'step', step: erase, health: making }, made, true);

  it('lets the hosts go first, and then what is on the servers stays', () => {
    expect(next(deleting, { a: ready(), b: absent }, keep)).toEqual({
      kind: 'forget',
      hosts: ['a'],
      withMarker: true,
    });
    expect(next(deleting, { a: absent, b: absent }, keep)).toEqual({ kind: 'removeFinalizer' });
  });

  it('lets go of servers that cannot be asked only when nothing there is to be erased', () => {
    const hosts = { a: absent, b: absent };
    expect(next(deleting, hosts, silent)).toEqual({ kind: 'removeFinalizer' });
    expect(next(erasing, hosts, silent)).toEqual({ kind: 'wait', afterMs: 4_000 });
    expect(next(deleting, hosts, { ...silent, busy: true })).toEqual({ kind: 'wait', afterMs: 4_000 });
  });

  it('looks at what is on a volume before it is erased, and mounts it for that', () => {
    expect(next(erasing, { a: absent, b: ready() }, keep)).toEqual({ kind: 'takeStock', host: 'b' });
    expect(next(erasing, { a: absent, b: absent }, keep)).toEqual({ kind: 'prepare', hosts: ['a'] });
    expect(next(erasing, { b: ready() }, keep, ['ovcp-disk-1.qcow2'])).toEqual({ kind: 'wait' });
  });

  it('brings a volume up that cannot be mounted, to look at what is on it', () => {
    const hosts = { a: absent, b: absent };
    const stopped = served({ kind: 'step', step: create, health: making }, made);
    expect(next(erasing, hosts, stopped)).toEqual({ kind: 'server', step: create });
    const down = served({ kind: 'wait', pollMs: 3_000, health: making }, made);
    expect(next(erasing, hosts, down)).toEqual({ kind: 'wait', afterMs: 3_000 });
  });

  it('erases once that was granted and no host has it mounted', () => {
    expect(next(erasing, { a: absent, b: ready() }, granted)).toEqual({
      kind: 'forget',
      hosts: ['b'],
      withMarker: false,
    });
    expect(next(erasing, { a: absent, b: absent }, granted)).toEqual({ kind: 'server', step: erase });
  });

  it('erases nothing that somebody else made', () => {
    const adopted = served({ kind: 'settled', health: healthy }, { origin: 'Adopted' });
    expect(next(erasing, { a: absent, b: absent }, adopted)).toEqual({ kind: 'removeFinalizer' });
  });
});

describe('status with a server side', () => {
  const status = (
    change: Change,
    hosts: Record<string, PlaceSight>,
    server: ServerSight,
    kept?: readonly string[],
  ): StoragePoolStatus => statusOf(world(change), sightOf(hosts, server, kept), undefined, nowMs);
  const conditionOf = ({ conditions }: StoragePoolStatus, name: string) =>
    conditions?.find(({ type }) => type === name);
  const both = { a: ready(), b: ready() };

  it('names the part that is down, and stays ready while it can be used', () => {
    const seen: Partial<ServerSeen> = {
      origin: 'Made',
      heal: { pending: 7, splitBrain: 0 },
      components: [
        { kind: 'server', name: 'g2', state: 'Down', message: 'No answer.' },
        { kind: 'brick', name: 'a/a2', state: 'Down' },
      ],
    };
    const told = status({}, both, served({ kind: 'wait', pollMs: 1_000, health: degraded }, seen));
    expect(told).toMatchObject({
      health: { state: 'Degraded', reason: 'StorageDegraded', message: 'Brick a/a2 is down.' },
      heal: { pending: 7, splitBrain: 0 },
      origin: 'Made',
      hostsReady: 2,
      used: '40Gi',
    });
    expect(told.components?.map(({ name }) => name)).toEqual(['a/a2', 'g2']);
    expect(conditionOf(told, 'Ready')).toMatchObject({ status: 'True', reason: 'StorageDegraded' });
    expect(conditionOf(told, 'Reconciling')).toMatchObject({ status: 'True', reason: 'StorageDegraded' });
  });

  it('is not ready while the volume is being made', () => {
    const told = status({}, { a: absent, b: absent }, stepping);
    expect(conditionOf(told, 'Ready')).toMatchObject({ status: 'False', reason: 'Creating' });
    expect(conditionOf(told, 'Reconciling')).toMatchObject({ status: 'True' });
    expect(told.hosts?.map(({ ready: is }) => is)).toEqual([false, false]);
  });

  it('shows the hosts although no server can be asked, and knows nothing of the parts', () => {
    const before = status(
      {},
      both,
      served(
        { kind: 'settled', health: healthy },
        {
          components: [{ kind: 'brick', name: 'a/a1', state: 'Up' }],
        },
      ),
    );
    const told = status({ status: before }, both, silent);
    expect(told.hosts?.map(({ ready: is }) => is)).toEqual([true, true]);
    expect(told.components).toEqual([{ kind: 'brick', name: 'a/a1', state: 'Unknown' }]);
    expect(told.health).toMatchObject({ state: 'Degraded', reason: 'ServerUnreachable' });
    expect(conditionOf(told, 'Ready')).toMatchObject({ status: 'True', reason: 'ServerUnreachable' });
    const none = status({}, { a: absent, b: absent }, silent);
    expect(conditionOf(none, 'Ready')).toMatchObject({ status: 'False', reason: 'ServerUnreachable' });
    expect(none.health).toMatchObject({ state: 'Unusable' });
  });

  it('is stalled on a Secret that is not there', () => {
    const lack: ServerSight = {
      kind: 'failed',
      reason: 'SecretNotFound',
      message: 'Secret ssh does not exist in the namespace of the operator.',
      busy: false,
      retryMs: undefined,
    };
    const told = status({}, { a: absent, b: absent }, lack);
    expect(conditionOf(told, 'Stalled')).toMatchObject({ status: 'True', reason: 'SecretNotFound' });
  });

  it('hides that a server is busy', () => {
    const before = status({}, both, settledServer);
    const told = status({ status: before }, both, { ...silent, busy: true, reason: 'Updating' });
    expect(told.health).toEqual(before.health);
  });

  it('tells the space of the servers until a host tells its own', () => {
    const space = { capacityBytes: 10 * GiB, availableBytes: 4 * GiB };
    const server = served({ kind: 'settled', health: healthy }, { space });
    expect(status({}, { a: absent, b: absent }, server)).toMatchObject({
      capacity: '10Gi',
      used: '6Gi',
      available: '4Gi',
    });
    expect(status({}, both, server)).toMatchObject({ capacity: '100Gi' });
  });

  it('warns before it is full', () => {
    const told = status({}, { a: ready(4 * GiB), b: ready(4 * GiB) }, settledServer);
    expect(conditionOf(told, 'Ready')).toMatchObject({
      status: 'True',
      reason: 'StoragePoolNearlyFull',
      message: '4Gi of 100Gi are left.',
    });
  });

  it('says what keeps a deletion from going on', () => {
    const deleting = { deleting: true, erases: true, sites: [site('a')], status: marked };
    const keep = served({ kind: 'settled', health: healthy }, { origin: 'Made' });
    const held = status(deleting, { a: ready() }, keep, ['ovcp-disk-1.qcow2']);
    expect(conditionOf(held, 'Deleting')).toMatchObject({ reason: 'WaitingForDependents' });
    expect(conditionOf(held, 'Deleting')?.message).toContain('ovcp-disk-1.qcow2');
    const unasked = status(deleting, { a: absent }, silent);
    expect(conditionOf(unasked, 'Deleting')?.message).toBe(
      'The server g1 does not answer. To leave what is on the servers, set deletionPolicy to Retain.',
    );
  });
});
