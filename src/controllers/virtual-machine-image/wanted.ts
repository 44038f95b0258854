/** On which hosts an image shall lie. Pure. */
import { type CopyKey, type HostWorld, type ImageSight, type ImageWorld, sharedCopy } from './world.ts';

type Copies = NonNullable<NonNullable<ImageWorld['image']['status']>['copies']>;

/** What the status says of copies, without those of hosts that are gone for good. */
export const recordedCopies = ({ image, hosts, shared }: ImageWorld): Copies =>
  (image.status?.copies ?? []).filter(({ host }) =>
    host === undefined ? shared : hosts.some((it) => it.name === host && it.declaredDown === undefined),
  );

const byName = (a: HostWorld, b: HostWorld): number => (a.name < b.name ? -1 : 1);

/** Most room first; what is equally roomy by name, so that two passes never differ. */
export const byRoom = (a: HostWorld, b: HostWorld): number =>
  b.availableBytes - a.availableBytes || byName(a, b);

const isUsable = ({ usable, declaredDown }: HostWorld): boolean => usable && declaredDown === undefined;

/** Hosts worth asking: those that have or shall have it; all of them when nothing is recorded. */
export const hostsToAsk = (world: ImageWorld): readonly HostWorld[] => {
  const alive = world.hosts.filter(({ declaredDown }) => declaredDown === undefined);
  if (world.shared) {
    const via = viaHost(world);
    return via === undefined ? [] : [via];
  }
  const recorded = recordedCopies(world);
  if (recorded.length === 0) return alive;
  const names = new Set([
    ...recorded.map(({ host }) => host),
    ...world.demanded,
    ...[...world.imports.values()].map(({ host }) => host),
  ]);
  const asked = alive.filter(({ name }) => names.has(name));
  // Nobody who is recorded can be used: whoever would come next is looked at in the same pass.
  const next = asked.some(isUsable) ? undefined : alive.filter(isUsable).toSorted(byRoom)[0];
  return next === undefined ? asked : [...asked, next];
};

/** The host through which a shared pool is looked at and filled: the one at work, else the first. */
export const viaHost = (world: ImageWorld): HostWorld | undefined => {
  const usable = world.hosts.filter(isUsable);
  const atWork = world.imports.get(sharedCopy);
  const busy = atWork?.kind === 'running' ? usable.find(({ name }) => name === atWork.host) : undefined;
  return busy ?? usable[0];
};

export const isComplete = (seen: ImageSight, host: string): boolean =>
  seen.copies.some((copy) => copy.host === host && copy.volume?.complete === true);

export const completeCopies = (seen: ImageSight | undefined): readonly string[] =>
  (seen?.copies ?? []).filter(({ volume }) => volume?.complete === true).map(({ host }) => host);

/** Recorded as complete on a host that cannot be asked now. */
export const hiddenCopies = (world: ImageWorld, seen: ImageSight): readonly string[] =>
  recordedCopies(world).flatMap(({ host, state }) =>
    host !== undefined && state === 'Ready' && seen.unseen.includes(host) ? [host] : [],
  );

const atWork = (world: ImageWorld, usable: readonly HostWorld[]): HostWorld | undefined => {
  const started = new Set([
    ...[...world.imports.values()].map(({ host }) => host),
    ...recordedCopies(world).map(({ host }) => host),
  ]);
  return usable.find(({ name }) => started.has(name));
};

/**
 * The hosts that shall have a copy: those on which it is needed, and at least one. The first is where one lies, else
 * where an import was begun, else where there is most room: free space changes, the choice must not.
 */
export const wantedHosts = (world: ImageWorld, seen: ImageSight): readonly HostWorld[] => {
  const usable = world.hosts.filter((host) => isUsable(host) && !seen.unseen.includes(host.name));
  if (world.shared) {
    const via = viaHost(world);
    return via === undefined || seen.unseen.includes(via.name) ? [] : [via];
  }
  const needed = usable.filter(({ name }) => world.demanded.has(name));
  if (needed.length > 0 || hiddenCopies(world, seen).length > 0) return needed;
  const first =
    usable.find(({ name }) => isComplete(seen, name)) ?? atWork(world, usable) ?? usable.toSorted(byRoom)[0];
  return first === undefined ? [] : [first];
};

export const copyKeyOf = ({ shared }: Pick<ImageWorld, 'shared'>, host: string): CopyKey =>
  shared ? sharedCopy : host;
