/** The status of an image, recomputed as a whole. Pure. */
import { formatQuantity } from '../../api/quantity.ts';
import type { VirtualMachineImageStatus } from '../../api/virtual-machine-image.ts';
import { type ConditionInput, setConditions } from '../../runtime/conditions.ts';
import type { Fault } from '../../runtime/fault.ts';
import { safeText } from '../../runtime/text.ts';
import { kstatusOf, type Verdict, verdictOfFault } from '../verdict.ts';
import { decide } from './decide.ts';
import { isShown, refusalOf } from './refusal.ts';
import { recordedCopies, wantedHosts } from './wanted.ts';
import { type CopyKey, type ImageSight, type ImageWorld, sharedCopy } from './world.ts';

type Copy = NonNullable<VirtualMachineImageStatus['copies']>[number];

const maxCopyMessage = 1_024;

const copyOf = (
  world: ImageWorld,
  seen: ImageSight | undefined,
  key: CopyKey,
  wanted: ReadonlySet<CopyKey>,
): Copy | undefined => {
  const host = key === sharedCopy ? {} : { host: key };
  const looked = seen?.copies.find((copy) => world.shared || copy.host === key);
  if (looked?.volume?.complete === true) return { ...host, state: 'Ready' };
  const state = world.imports.get(key);
  if (state?.kind === 'running') {
    return {
      ...host,
      state: 'Importing',
      ...(state.percent === undefined ? {} : { percent: Math.floor(state.percent) }),
    };
  }
  if (state?.kind === 'failed') {
    if (!isShown(state.fault)) return { ...host, state: 'Importing' };
    return { ...host, state: 'Failed', message: safeText(state.fault.message, maxCopyMessage) };
  }
  const former = recordedCopies(world).find((copy) => (copy.host ?? sharedCopy) === key);
  // Not asked, or judged by a process before this one: what is recorded stays.
  const refused = refusalOf(world) !== undefined;
  if (former !== undefined && (looked === undefined || (refused && former.state === 'Failed'))) return former;
  return wanted.has(key) && !refused ? { ...host, state: 'Importing' } : undefined;
};

const copiesOf = (world: ImageWorld, seen: ImageSight | undefined, begun: boolean): readonly Copy[] => {
  const inPool = (key: CopyKey): boolean => world.shared || world.hosts.some(({ name }) => name === key);
  const wanted =
    seen === undefined || !begun
      ? []
      : wantedHosts(world, seen).map(({ name }) => (world.shared ? sharedCopy : name));
  const keys = world.shared
    ? [sharedCopy]
    : [
        ...new Set([
          ...(seen?.copies ?? []).map(({ host }) => host),
          ...recordedCopies(world).flatMap(({ host }) => host ?? []),
          ...world.imports.keys(),
          ...wanted,
        ]),
      ]
        .filter(inPool)
        .toSorted();
  return keys.flatMap((key) => copyOf(world, seen, key, new Set(wanted)) ?? []);
};

/** What is known of the content, once one copy was seen complete. */
const contentOf = (
  { image }: ImageWorld,
  seen: ImageSight | undefined,
): Pick<VirtualMachineImageStatus, 'virtualSize' | 'digest'> => {
  const volume = seen?.copies.find((copy) => copy.volume?.complete === true)?.volume;
  if (volume !== undefined) {
    return { virtualSize: formatQuantity(volume.sizeBytes), digest: image.spec.source.checksum };
  }
  const { virtualSize, digest } = image.status ?? {};
  return {
    ...(virtualSize === undefined ? {} : { virtualSize }),
    ...(digest === undefined ? {} : { digest }),
  };
};

const verdictOf = (world: ImageWorld, seen: ImageSight | undefined, fault: Fault | undefined): Verdict => {
  if (fault !== undefined) return verdictOfFault(fault);
  return seen === undefined
    ? { health: 'unknown', reason: 'StorageNotReady', message: 'The image could not be looked at.' }
    : decide(world, seen);
};

export const statusOf = (
  world: ImageWorld,
  seen: ImageSight | undefined,
  fault: Fault | undefined,
  nowMs: number,
): VirtualMachineImageStatus => {
  const { image } = world;
  const verdict = verdictOf(world, seen, fault);
  const deleting: ConditionInput[] =
    image.metadata.deletionTimestamp === undefined
      ? []
      : [{ type: 'Deleting', status: 'True', reason: verdict.reason, message: verdict.message }];
  const paused: ConditionInput[] =
    world.pausedBy === undefined
      ? []
      : [{ type: 'Paused', status: 'True', reason: 'Paused', message: `Paused: ${world.pausedBy}.` }];
  const begun =
    world.pausedBy === undefined &&
    world.poolLack === undefined &&
    image.metadata.deletionTimestamp === undefined;
  const copies = copiesOf(world, seen, begun);
  const stamp = { generation: image.metadata.generation, nowMs };
  return {
    ...(copies.length === 0 ? {} : { copies: [...copies] }),
    ...contentOf(world, seen),
    observedGeneration: image.metadata.generation,
    conditions: [
      ...setConditions(
        image.status?.conditions ?? [],
        [...kstatusOf(verdict), ...deleting, ...paused],
        stamp,
      ),
    ],
  };
};
