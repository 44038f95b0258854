import { describe, expect, it } from 'vitest';
import type { StoragePoolStatus } from '../../api/storage-pool.ts';
import { plan } from './plan.ts';
import {
  absent,
  type Change,
  failed,
  GiB,
  nowMs,
  ready,
  sightOf,
  site,
  unreachable,
  worldOf,
} from './sample-world.ts';
import { statusOf } from './status.ts';
import type { PlaceSight, StoragePoolWorld } from './world.ts';

const next = (change: Change, hosts: Record<string, PlaceSight>) => {
  const answer = plan(worldOf(change), sightOf(hosts));
  return answer.kind === 'step' ? answer.step : answer.kind;
};

describe('plan of a StoragePool', () => {
  it('takes its finalizer first, then prepares all hosts at once', () => {
    expect(next({ finalizer: false }, { a: absent, b: absent })).toEqual({ kind: 'addFinalizer' });
    expect(next({}, { a: absent, b: absent })).toEqual({ kind: 'prepare', hosts: ['a', 'b'] });
    expect(next({}, { a: ready(), b: ready() })).toBe('settled');
  });

  it('asks a host that failed again, and does not wait for one that cannot be reached', () => {
    expect(next({}, { a: failed, b: ready() })).toBe('wait');
    expect(next({ sites: [site('a'), site('b', { state: unreachable })] }, { a: ready() })).toBe('settled');
  });

  it('writes the marker of a shared folder only when no host sees it and none ever did', () => {
    const bare = { a: ready(0, false), b: ready(0, false) };
    expect(next({ shared: true }, bare)).toEqual({ kind: 'writeMarker', host: 'a' });
    expect(next({ shared: true }, { a: ready(0, false), b: ready(0, true) })).toBe('settled');
    expect(next({ shared: true, status: { sharedMarker: true } }, bare)).toBe('settled');
  });

  it('forgets the place where it is no longer wanted, once no disk is there', () => {
    const retired = (used: boolean) => [site('a'), site('z', { wanted: false, used })];
    expect(next({ sites: retired(false) }, { a: ready(), z: ready() })).toEqual({
      kind: 'forget',
      withMarker: false,
      hosts: ['z'],
    });
    expect(next({ sites: retired(true) }, { a: ready(), z: ready() })).toBe('settled');
  });

  it('is deleted once nothing is on it and every host that can be reached has forgotten it', () => {
    const deleting = { deleting: true };
    expect(next({ ...deleting, disks: ['n/d'] }, { a: ready(), b: ready() })).toBe('settled');
    expect(next(deleting, { a: ready(), b: absent })).toEqual({
      kind: 'forget',
      hosts: ['a'],
      withMarker: true,
    });
    expect(next(deleting, { a: absent, b: absent })).toEqual({ kind: 'removeFinalizer' });
    expect(next(deleting, { a: absent, b: failed })).toBe('wait');
    const down = [site('a'), site('b', { state: unreachable })];
    expect(next({ ...deleting, sites: down }, { a: absent })).toBe('wait');
    const gone = [site('a'), site('b', { state: { ...unreachable, gone: true } })];
    expect(next({ ...deleting, sites: gone }, { a: absent })).toEqual({ kind: 'removeFinalizer' });
  });

  it('ends over a volume group of somebody else, where nothing of it ever was', () => {
    const taken: PlaceSight = { kind: 'broken', reason: 'NameTaken', message: 'It is taken.' };
    const world = worldOf({ deleting: true });
    const place = { ...world.place, volumeGroup: 'vg0' };
    const answer = plan({ ...world, place }, sightOf({ a: taken, b: absent }));
    expect(answer).toEqual({ kind: 'step', step: { kind: 'removeFinalizer' } });
    expect(next({ deleting: true }, { a: taken, b: absent })).toMatchObject({ kind: 'forget', hosts: ['a'] });
  });
});

describe('status of a StoragePool', () => {
  const status = (change: Change, sight: Record<string, PlaceSight>): StoragePoolStatus =>
    statusOf(worldOf(change), sightOf(sight), undefined, nowMs);
  const readyOf = ({ conditions }: StoragePoolStatus) => conditions?.find(({ type }) => type === 'Ready');

  it('adds up host-local space and counts shared space once', () => {
    const sight = { a: ready(), b: ready() };
    expect(status({}, sight)).toMatchObject({ capacity: '200Gi', available: '120Gi' });
    expect(status({ shared: true }, sight)).toMatchObject({
      capacity: '100Gi',
      available: '60Gi',
      sharedMarker: true,
    });
  });

  it('leaves free space as it was told until it changed by a hundredth', () => {
    const before = status({}, { a: ready(), b: ready() });
    const little = status({ status: before }, { a: ready(60 * GiB - GiB / 2), b: ready() });
    expect(little).toEqual(before);
    const much = status({ status: before }, { a: ready(58 * GiB), b: ready() });
    expect(much.hosts?.[0]).toMatchObject({ name: 'a', available: '58Gi' });
  });

  it('says where it is not ready, and why', () => {
    const part = status({ shared: true }, { a: ready(), b: ready(0, false) });
    expect(readyOf(part)).toMatchObject({ status: 'True', reason: 'SomeHostsNotReady' });
    expect(part.hosts?.[1]).toMatchObject({ name: 'b', ready: false, reason: 'MarkerMissing' });
    const none = status({}, { a: failed, b: failed });
    expect(readyOf(none)).toMatchObject({
      status: 'False',
      reason: 'HostUnreachable',
      message: 'a: No answer.',
    });
    const missing: PlaceSight = { kind: 'broken', reason: 'PathNotFound', message: 'There is no /srv/s.' };
    expect(readyOf(status({}, { a: missing, b: missing }))).toMatchObject({ reason: 'PathNotFound' });
  });

  it('keeps the space of a host that cannot be reached', () => {
    const before = status({}, { a: ready(), b: ready() });
    const sites = [site('a'), site('b', { state: unreachable })];
    const after = status({ sites, status: before }, { a: ready() });
    expect(after).toMatchObject({ capacity: '200Gi', available: '120Gi' });
    expect(after.hosts?.[1]).toMatchObject({ ready: false, capacity: '100Gi', reason: 'HostUnreachable' });
  });

  it('refuses simulated storage on real hosts', () => {
    const world = worldOf();
    const simulated = {
      ...world,
      pool: { ...world.pool, spec: { ...world.pool.spec, driver: 'simulated' } },
    };
    const after = statusOf(simulated as StoragePoolWorld, sightOf({}), undefined, nowMs);
    expect(after.hosts?.map(({ reason }) => reason)).toEqual(['Unsupported', 'Unsupported']);
  });
});
