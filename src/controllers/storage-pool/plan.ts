/** The next step for a StoragePool. Pure. */
import { FINALIZER } from '../../api/identity.ts';
import { topologyOf } from '../../api/storage-pool.ts';
import type { Plan } from '../../runtime/pass.ts';
import { fits, type StoragePoolStep, type StoragePoolWorld, type StorageSight } from './world.ts';

type Next = Plan<StoragePoolStep>;

const settled: Next = { kind: 'settled' };
const step = (it: StoragePoolStep): Next => ({ kind: 'step', step: it });

/** Hosts where the place still is, and whether others could not be looked at. */
const planDeletion = ({ sites, disks, images }: StoragePoolWorld, sight: StorageSight): Next => {
  if (disks.length > 0 || images.length > 0) return settled;
  const there = sites.filter(({ name }) => (sight.get(name)?.kind ?? 'absent') !== 'absent');
  const forgettable = there.filter(({ name }) => sight.get(name)?.kind !== 'failed').map(({ name }) => name);
  if (forgettable.length > 0) return step({ kind: 'forget', hosts: forgettable });
  const unseen = sites.some(({ state }) => state.kind === 'unusable' && !state.gone);
  return there.length > 0 || unseen ? { kind: 'wait' } : step({ kind: 'removeFinalizer' });
};

/**
 * The marker is written once in the life of a pool. Later its absence means that the folder is not the one it was,
 * and a marker written then would hide that.
 */
const markerStep = ({ pool, sites }: StoragePoolWorld, sight: StorageSight): StoragePoolStep | undefined => {
  if (topologyOf(pool.spec) !== 'Shared' || pool.status?.sharedMarker === true) return undefined;
  const ready = sites.filter(({ name, wanted }) => wanted && sight.get(name)?.kind === 'ready');
  const marked = ready.some(({ name }) => {
    const seen = sight.get(name);
    return seen?.kind === 'ready' && seen.sharedMarker;
  });
  const [first] = ready;
  return marked || first === undefined ? undefined : { kind: 'writeMarker', host: first.name };
};

export const plan = (world: StoragePoolWorld, sight: StorageSight): Next => {
  const { pool, sites } = world;
  const ours = pool.metadata.finalizers?.includes(FINALIZER) === true;
  if (pool.metadata.deletionTimestamp !== undefined) return ours ? planDeletion(world, sight) : settled;
  if (!ours) return step({ kind: 'addFinalizer' });
  const absent = sites.filter(
    (site) => site.wanted && fits(world, site) && sight.get(site.name)?.kind === 'absent',
  );
  if (absent.length > 0) return step({ kind: 'prepare', hosts: absent.map(({ name }) => name) });
  const marker = markerStep(world, sight);
  if (marker !== undefined) return step(marker);
  const retired = sites.filter(
    ({ name, wanted, used }) => !wanted && !used && ['ready', 'broken'].includes(sight.get(name)?.kind ?? ''),
  );
  if (retired.length > 0) return step({ kind: 'forget', hosts: retired.map(({ name }) => name) });
  // A host that failed is asked again; all else is told by events and by the audit.
  return [...sight.values()].some(({ kind }) => kind === 'failed') ? { kind: 'wait' } : settled;
};
