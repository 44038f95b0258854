/** What deleting a pool does to its volume. Pure. */
import type { ServerPlan } from '../contract.ts';
import { hasServerQuorum, healthOf, listed } from './health.ts';
import { brickId } from './layout.ts';
import { markOf } from './options.ts';
import { type PlanInput, rest, sightOf, strangers, take, waitFor } from './plan-kit.ts';

const bricksThatStay = ({ wish, endpoints }: PlanInput): string =>
  listed(wish.replicaSets.flatMap(({ bricks }) => bricks.map((brick) => brickId(endpoints, brick))));

const gone = (message: string): ServerPlan => ({
  kind: 'settled',
  health: { state: 'Healthy', reason: 'Reconciled', message },
});

/** Deletion: the volume goes only if it is erased by the policy and was made by us; bricks are never emptied. */
export const planRemoval = (input: PlanInput, erase: boolean): ServerPlan => {
  const { identity, wish, seen } = input;
  const sight = sightOf(seen);
  const { volume, asked } = sight;
  if (wish.management === 'Observe')
    return gone(`The volume ${wish.volume} was observed only and stays as it is.`);
  if (volume === undefined) {
    return gone(
      `There is no volume ${wish.volume} on the servers; brick folders stay as they are: ${bricksThatStay(input)}.`,
    );
  }
  const mark = markOf(volume, identity);
  if (mark.kind !== 'ours') return gone(`The volume ${wish.volume} is not ours and stays as it is.`);
  const base = healthOf(wish, seen);
  const health = { ...base, reason: 'Deleting' };
  if (!hasServerQuorum(sight)) return rest(base);
  if (!erase || !mark.made) {
    const why = erase ? 'It was there before us' : 'It is kept';
    const message = `${why}: the volume ${wish.volume} stays with its data, and our mark is taken off.`;
    return take({ kind: 'unmark', server: asked }, { ...health, message });
  }
  const down = strangers(sight);
  if (down.length > 0) {
    return waitFor(
      base,
      'ServerDown',
      `The volume can be deleted once all servers are connected; missing: ${listed(down)}.`,
    );
  }
  const kind = volume.status === 'Started' ? 'stop' : 'delete';
  const message = `The volume ${wish.volume} is being deleted; its brick folders stay: ${bricksThatStay(input)}.`;
  return take({ kind, server: asked }, { ...health, message });
};
