/** The wish and the volume laid side by side: which set is which, and what differs. Pure. */
import type { Brick, GlusterWish, ServerEndpoint } from '../contract.ts';
import { type BrickSeen, setsOf, type VolumeSeen } from './seen.ts';

export type WishSet = GlusterWish['replicaSets'][number];

export interface Replacement {
  readonly set: string;
  readonly from: BrickSeen;
  readonly to: Brick;
}

export interface Match {
  /** Sets on the volume under the name the wish gives them. */
  readonly kept: readonly { readonly wish: WishSet; readonly seen: readonly BrickSeen[] }[];
  readonly replaced: readonly Replacement[];
  readonly added: readonly WishSet[];
  readonly removed: readonly (readonly BrickSeen[])[];
  /** A difference that cannot be had step by step, as a sentence. */
  readonly impossible: string | undefined;
}

const isAt = (brick: Brick, seen: BrickSeen): boolean =>
  brick.server === seen.server && brick.path.replace(/\/+$/, '') === seen.path;

export const isArbiter = (wish: GlusterWish, set: WishSet, brick: Brick): boolean =>
  wish.layout.type === 'Replicate' && wish.layout.arbiter && set.bricks.at(-1) === brick;

/** Bricks of a set as gluster counts them: an arbiter is the third one of a set. */
export const bricksPerSet = ({ layout }: GlusterWish): number => {
  if (layout.type === 'Distribute') return 1;
  return layout.arbiter ? 3 : layout.replica;
};

/** `address:/path`. */
export const brickId = (endpoints: readonly ServerEndpoint[], { server, path }: Brick): string =>
  `${endpoints.find(({ name }) => name === server)?.address ?? server}:${path.replace(/\/+$/, '')}`;

const inCommon = (set: WishSet, seen: readonly BrickSeen[]): number =>
  set.bricks.filter((brick) => seen.some((each) => isAt(brick, each))).length;

/** Pairs with most bricks in common first; sets without any are new, or no longer wanted. */
const pairs = (wish: GlusterWish, volume: VolumeSeen) => {
  const seenSets = setsOf(volume);
  const candidates = wish.replicaSets
    .flatMap((set) => seenSets.map((seen) => ({ wish: set, seen, common: inCommon(set, seen) })))
    .filter(({ common }) => common > 0)
    .toSorted((a, b) => b.common - a.common);
  const kept: { wish: WishSet; seen: readonly BrickSeen[] }[] = [];
  for (const { wish: set, seen } of candidates) {
    if (!kept.some((pair) => pair.wish === set || pair.seen === seen)) kept.push({ wish: set, seen });
  }
  return {
    kept,
    added: wish.replicaSets.filter((set) => !kept.some((pair) => pair.wish === set)),
    removed: seenSets.filter((seen) => !kept.some((pair) => pair.seen === seen)),
  };
};

/** The names of the replaced bricks are not on the volume: of those left over, the one on the same server goes first. */
const replacementsOf = (wish: GlusterWish, set: WishSet, seen: readonly BrickSeen[]) => {
  const left = seen.filter((each) => !set.bricks.some((brick) => isAt(brick, each)));
  const found: Replacement[] = [];
  const missing = set.bricks
    .filter((brick) => !seen.some((each) => isAt(brick, each)))
    .toSorted((a, b) => {
      const stays = (brick: Brick): number => (left.some(({ server }) => server === brick.server) ? 0 : 1);
      return stays(a) - stays(b);
    });
  for (const to of missing) {
    const fitting = left.filter(({ arbiter }) => arbiter === isArbiter(wish, set, to));
    const from = fitting.find(({ server }) => server === to.server) ?? fitting[0];
    if (from === undefined) return undefined;
    left.splice(left.indexOf(from), 1);
    found.push({ set: set.name, from, to });
  }
  return found;
};

/** Whether arbiters sit where the wish has them. */
const arbitersAgree = (wish: GlusterWish, set: WishSet, seen: readonly BrickSeen[]): boolean =>
  set.bricks.every((brick) => {
    const found = seen.find((each) => isAt(brick, each));
    return found === undefined || found.arbiter === isArbiter(wish, set, brick);
  });

export const match = (wish: GlusterWish, volume: VolumeSeen): Match => {
  const { kept, added, removed } = pairs(wish, volume);
  const replaced: Replacement[] = [];
  let impossible: string | undefined;
  for (const { wish: set, seen } of kept) {
    const found = arbitersAgree(wish, set, seen) ? replacementsOf(wish, set, seen) : undefined;
    if (found === undefined) {
      impossible = `A brick of set ${set.name} cannot become the arbiter, nor the arbiter a brick with data.`;
    } else replaced.push(...found);
  }
  return { kept, replaced, added, removed, impossible };
};

/** Whether the volume has exactly the wished bricks, in whatever order. */
export const sameBricks = ({ replaced, added, removed, impossible }: Match): boolean =>
  replaced.length + added.length + removed.length === 0 && impossible === undefined;

/** `a/a1`, or what the volume calls it. */
export const brickName = (wish: GlusterWish, seen: BrickSeen): string => {
  for (const set of wish.replicaSets) {
    const brick = set.bricks.find((each) => isAt(each, seen));
    if (brick !== undefined) return `${set.name}/${brick.name}`;
  }
  return seen.id;
};

/** What no server needs to be asked for: a sentence, or undefined when the wish can be met. */
export const wishProblem = (wish: GlusterWish, endpoints: readonly ServerEndpoint[]): string | undefined => {
  const names = new Set(endpoints.map(({ name }) => name));
  const size = bricksPerSet(wish);
  const places = new Set<string>();
  if (wish.replicaSets.length === 0) return 'No replica set is listed.';
  if (wish.layout.type === 'Replicate' && wish.layout.replica === 2 && !wish.layout.arbiter && !wish.force) {
    return 'Two copies without an arbiter end in split-brain sooner or later: add an arbiter, or set force.';
  }
  for (const set of wish.replicaSets) {
    if (set.bricks.length !== size)
      return `Set ${set.name} has ${set.bricks.length} bricks and needs ${size}.`;
    for (const brick of set.bricks) {
      if (!names.has(brick.server)) return `Brick ${set.name}/${brick.name} names no server of the pool.`;
      const place = brickId(endpoints, brick);
      if (places.has(place)) return `The folder ${place} is listed for two bricks.`;
      places.add(place);
    }
  }
  return undefined;
};
