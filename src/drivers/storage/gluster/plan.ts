/** From what was seen to the next step, one at a time and never one that could cost a copy. Pure. */
import type { GlusterWish, ServerHealth, ServerPlan } from '../contract.ts';
import { hasServerQuorum, healthOf, listed, peerOf, plural } from './health.ts';
import { bricksPerSet, type Match, match, sameBricks, wishProblem } from './layout.ts';
import { ALLOWED_OPTIONS, markOf, needsProfile, optionDrift } from './options.ts';
import { type PlanInput, rest, sightOf, strangers, take, waitFor } from './plan-kit.ts';
import { planLayout } from './plan-layout.ts';
import type { GlusterSight, VolumeSeen } from './seen.ts';
import type { GlusterStep } from './steps.ts';

/** A listed server that is not yet a peer under its address, or that does not know the asked one under its. */
const missingPeer = (
  sight: GlusterSight,
): { readonly step: GlusterStep; readonly name: string } | undefined => {
  const { servers, asked } = sight;
  for (const look of servers) {
    const peer = peerOf(sight, look);
    if (look.name !== asked && peer?.names.includes(look.address) !== true && look.answer.kind === 'peers') {
      return { step: { kind: 'probe', server: asked, address: look.address }, name: look.name };
    }
  }
  // Who was probed knows the first server by whatever name that one came from: it is probed back.
  const teller = servers.find(({ name }) => name === asked);
  if (teller?.answer.kind !== 'peers') return undefined;
  const { uuid } = teller.answer;
  for (const { name, answer } of servers) {
    if (name === asked || answer.kind !== 'peers') continue;
    const known = answer.peers.find((peer) => peer.uuid === uuid);
    if (known?.inCluster === true && !known.names.includes(teller.address)) {
      return { step: { kind: 'probe', server: name, address: teller.address }, name: teller.name };
    }
  }
  return undefined;
};

const planCreation = ({ wish, seen }: PlanInput): ServerPlan => {
  const sight = sightOf(seen);
  const base: ServerHealth = {
    state: 'Unusable',
    reason: 'Creating',
    message: `The volume ${wish.volume} is being made.`,
  };
  const off = sight.servers.flatMap((look) =>
    look.answer.kind === 'failed' ? [{ ...look.answer, name: look.name }] : [],
  );
  const [first] = off;
  if (first !== undefined) {
    const names = listed(off.map(({ name }) => name));
    return waitFor(
      base,
      first.reason,
      `The volume is made once all servers answer; missing: ${names}. ${first.message}`,
    );
  }
  const peer = missingPeer(sight);
  if (peer !== undefined) return take(peer.step, base);
  const apart = strangers(sight);
  if (apart.length > 0) {
    return waitFor(
      base,
      'ServerDown',
      `The volume is made once all servers are connected; missing: ${listed(apart)}.`,
    );
  }
  return take({ kind: 'create', server: sight.asked }, base);
};

/** Whose the volume is; undefined when it is ours and marked. */
const planOwnership = (
  { identity, wish }: PlanInput,
  sight: GlusterSight,
  volume: VolumeSeen,
  base: ServerHealth,
  matched: Match,
): ServerPlan | undefined => {
  const mark = markOf(volume, identity);
  const name = wish.volume;
  const leftAlone = (reason: string, message: string): ServerPlan =>
    waitFor({ ...base, state: 'Unusable' }, reason, message);
  switch (mark.kind) {
    case 'ours':
      return undefined;
    case 'otherCluster':
      return leftAlone(
        'ClaimedByOther',
        `The volume ${name} belongs to the installation ${mark.cluster} and is left alone.`,
      );
    case 'otherPool':
      return leftAlone(
        'IdentityConflict',
        `The volume ${name} belongs to the pool ${mark.pool}, which may be gone, and is left alone.`,
      );
    case 'none': {
      if (!sameBricks(matched)) {
        return leftAlone(
          'NameTaken',
          `A volume ${name} with other bricks exists, is not ours and is left alone; to take it over, list its bricks as they are.`,
        );
      }
      // Never started, it cannot hold data, so it makes no difference who made it: the mark was lost on the way.
      const made = volume.status === 'Created';
      return take({ kind: 'mark', server: sight.asked, made }, base);
    }
    default:
      return mark satisfies never;
  }
};

const layoutProblem = (wish: GlusterWish, volume: VolumeSeen, { impossible }: Match): string | undefined => {
  if (!volume.supported) return `Volumes of type ${volume.typeName} can be observed, not managed.`;
  const arbiter = wish.layout.type === 'Replicate' && wish.layout.arbiter;
  if (volume.replica !== bricksPerSet(wish) || volume.arbiter !== arbiter) {
    return `The volume is of type ${volume.typeName} with sets of ${plural(volume.replica, 'brick')}; this cannot be changed.`;
  }
  return impossible;
};

const planVolume = (input: PlanInput, volume: VolumeSeen): ServerPlan => {
  const { identity, wish, endpoints, seen } = input;
  const sight = sightOf(seen);
  const base = healthOf(wish, seen);
  const matched = match(wish, volume);
  const foreign = planOwnership(input, sight, volume, base, matched);
  if (foreign !== undefined && foreign.kind !== 'step') return foreign;
  const problem = layoutProblem(wish, volume, matched);
  if (problem !== undefined) return waitFor(base, 'LayoutUnsuitable', problem);
  if (!hasServerQuorum(sight)) return rest(base);
  if (foreign !== undefined) return foreign;
  const mark = markOf(volume, identity);
  const server = sight.asked;
  if (needsProfile(wish, volume)) return take({ kind: 'profile', server }, base);
  const addresses = endpoints.map(({ address }) => address);
  const options = optionDrift(wish, addresses, volume, mark.kind === 'ours' && mark.made);
  if (Object.keys(options).length > 0) return take({ kind: 'setOptions', server, options }, base);
  if (volume.status !== 'Started') return take({ kind: 'start', server }, base);
  const peer = missingPeer(sight);
  if (peer !== undefined) return take(peer.step, base);
  return planLayout(input, sight, volume, base, matched);
};

/** Manage: towards the wish. */
const planManaged = (input: PlanInput): ServerPlan => {
  const { wish, endpoints, seen } = input;
  const { volume, lost } = sightOf(seen);
  const refused = Object.keys(wish.options).filter((name) => !ALLOWED_OPTIONS.has(name));
  const problem =
    wishProblem(wish, endpoints) ??
    (refused.length > 0 ? `These options cannot be set here: ${listed(refused)}.` : undefined);
  if (problem !== undefined) {
    const base = healthOf(wish, seen);
    return waitFor(base, refused.length > 0 ? 'OptionRefused' : 'LayoutUnsuitable', problem);
  }
  if (volume !== undefined) return planVolume(input, volume);
  if (!lost) return planCreation(input);
  const message = `The volume ${wish.volume} was deleted on its servers; what is left on its bricks is not touched, and no new volume is made over it.`;
  return waitFor(healthOf(wish, seen), 'VolumeLost', message);
};

export const plan = (input: PlanInput): ServerPlan =>
  input.wish.management === 'Observe' ? rest(healthOf(input.wish, input.seen)) : planManaged(input);
