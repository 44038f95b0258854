/** One host of a pool: looks and steps on its machines, its facts, its survey. */
import type { Clock } from '../../../runtime/clock.ts';
import { Fault, isFault } from '../../../runtime/fault.ts';
import type {
  HostEndpoint,
  HostSeen,
  Namesake,
  Sighting,
  StepOutcome,
  SurveySeen,
  VmIdentity,
  VmStep,
} from '../contract.ts';
import { putClaim } from './claim.ts';
import { type DomainRead, readDomain } from './domains.ts';
import { type HostProfile, readBridges } from './facts.ts';
import type { HostLink } from './host-link.ts';
import { createHostState, type HostOptions, type HostState } from './host-state.ts';
import { createPlaceTurns, type PlaceTurns } from './place-turns.ts';
import { isActive } from './power.ts';
import type { Remote } from './remote.ts';
import { sightingOf, summaryOf } from './sight.ts';
import { takeStep } from './steps.ts';
import { ownershipFor } from './tag.ts';
import { toHostFault } from './to-fault.ts';

/** A host that does not answer a survey within this is unseen; the others are not kept waiting. */
const SURVEY_LIMIT_MS = 15_000;
/** `hosts` waits no longer for a connection that is just being made. */
const FACTS_WAIT_MS = 1_000;

export interface ManagedHost {
  readonly endpoint: HostEndpoint;
  readonly link: HostLink<HostProfile>;
  readonly turns: PlaceTurns;
  seen(signal: AbortSignal): Promise<HostSeen>;
  survey(signal: AbortSignal): Promise<SurveySeen>;
  /** Whether it told which machines it has, since it was added. */
  listed(): boolean;
  /** Whether the machine was on this host when it was last looked at. */
  knows(uuid: string): boolean;
  /** Throws Fault; undefined when the host does not have it. */
  look(vm: VmIdentity, signal: AbortSignal): Promise<Sighting | undefined>;
  namesakes(vm: VmIdentity): readonly Namesake[];
  take(vm: VmIdentity, step: VmStep, signal: AbortSignal): Promise<StepOutcome>;
  claim(clusterId: string, signal: AbortSignal): Promise<string | undefined>;
  close(): Promise<void>;
}

const seen = async (host: string, state: HostState, clock: Clock, signal: AbortSignal): Promise<HostSeen> => {
  const over = new AbortController();
  const limit = clock.sleep(FACTS_WAIT_MS, AbortSignal.any([signal, over.signal]));
  await Promise.race([state.link.up(signal), limit]).catch(() => undefined);
  over.abort();
  limit.catch(() => undefined);
  const link = state.link.state();
  const facts = state.profile()?.facts;
  if (link.kind === 'up') return { kind: 'reachable', host, facts: facts ?? link.session.facts };
  const { sinceMs, fault } = link;
  const reason = fault.reason ?? 'HostUnreachable';
  return { kind: 'unreachable', host, sinceMs, reason, message: fault.message, facts };
};

const lookForBridges = async (state: HostState, remote: Remote, signal: AbortSignal): Promise<void> => {
  const found = await readBridges(remote, signal);
  const bridges = [...found.bridges].sort();
  if (state.profile()?.facts.bridges.join() !== bridges.join()) state.change({ bridges }, found);
};

const survey = async (
  host: string,
  state: HostState,
  clock: Clock,
  signal: AbortSignal,
): Promise<SurveySeen> => {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(SURVEY_LIMIT_MS)]);
  try {
    const { remote } = await state.link.up(limited);
    await state.refill(remote, limited);
    await lookForBridges(state, remote, limited);
    return { kind: 'seen', host, machines: state.inventory.all().map(summaryOf) };
  } catch (error) {
    const link = state.link.state();
    const sinceMs = link.kind === 'down' ? link.sinceMs : clock.nowMs();
    return { kind: 'unseen', host, sinceMs, why: toHostFault(error, host).message };
  }
};

/** The machine as it is now, and the inventory's row with it. */
const readNow = async (
  state: HostState,
  remote: Remote,
  uuid: string,
  signal: AbortSignal,
): Promise<DomainRead | undefined> => {
  const read = await readDomain(remote, uuid, signal);
  if (read === undefined) state.inventory.remove(uuid);
  else {
    const { name, record, reason } = read;
    state.inventory.put({ uuid, name, state: read.state, reason, record, read: true });
  }
  if (read === undefined || !isActive(read.power)) state.guests.forget(uuid);
  return read;
};

const runsAsOurs = (read: DomainRead, vm: VmIdentity): boolean =>
  read.running !== undefined && ownershipFor(read.record, vm).kind === 'ours';

const take = async (
  host: string,
  state: HostState,
  vm: VmIdentity,
  step: VmStep,
  signal: AbortSignal,
): Promise<StepOutcome> => {
  const { remote, session } = await state.link.up(signal);
  const muted = state.mute(vm.uuid);
  try {
    const before = await readNow(state, remote, vm.uuid, signal);
    const { setup } = state.profile() ?? session;
    const progress = await takeStep({ remote, setup, vm }, step, before, signal);
    muted.listen();
    const after = await readNow(state, remote, vm.uuid, signal);
    const ended = step.kind === 'shutdown' && after?.power.kind === 'off';
    if (progress === 'started' && !ended) {
      muted.tell();
      return { kind: 'started' };
    }
    if (after === undefined) return { kind: 'done', sighting: undefined };
    // Nobody waits for the guest of a machine that was started a moment ago.
    const guest = runsAsOurs(after, vm) ? state.guests.known(vm.uuid) : undefined;
    return { kind: 'done', sighting: await sightingOf(remote, host, vm, after, guest, signal) };
  } catch (error) {
    muted.tell();
    throw error;
  }
};

const claim = async (
  state: HostState,
  clusterId: string,
  signal: AbortSignal,
): Promise<string | undefined> => {
  const { remote } = await state.link.up(signal);
  const claimedBy = await putClaim(remote, clusterId, false, signal);
  if (state.profile()?.facts.claimedBy !== claimedBy) state.change({ claimedBy });
  return claimedBy;
};

export const createManagedHost = (options: HostOptions): ManagedHost => {
  const { endpoint, clock } = options;
  const { host } = endpoint;
  const state = createHostState(options);
  const attempt = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw toHostFault(error, host);
    }
  };
  return {
    endpoint,
    link: state.link,
    turns: createPlaceTurns(clock),
    seen: (signal) => seen(host, state, clock, signal),
    survey: (signal) => survey(host, state, clock, signal),
    // A connection counts as made once its machines were listed.
    listed: () => state.profile() !== undefined,
    knows: (uuid) => state.inventory.get(uuid) !== undefined,
    look: (vm, signal) =>
      attempt(async () => {
        const { remote } = await state.link.up(signal);
        const read = await readNow(state, remote, vm.uuid, signal);
        if (read === undefined) return undefined;
        const guest = runsAsOurs(read, vm) ? await state.guests.first(vm.uuid, signal) : undefined;
        return sightingOf(remote, host, vm, read, guest, signal);
      }),
    namesakes: (vm) =>
      state.inventory
        .namesakes(vm)
        .map(({ uuid, record }) => ({ host, uuid, ownership: ownershipFor(record, vm) })),
    take: (vm, step, signal) => attempt(() => take(host, state, vm, step, signal)),
    claim: (clusterId, signal) => attempt(() => claim(state, clusterId, signal)),
    close: async () => {
      state.guests.close();
      await state.link.close();
    },
  };
};

/** The fault of a step that names a host outside the pool. */
export const notInPool = (host: string): Fault =>
  new Fault('invalid', `The host ${host} is not in the pool.`, { reason: 'NotInPool', where: host });

/** Whether a fault means "could not look" rather than "looked, and something is wrong". */
export const couldNotLook = (error: unknown): boolean =>
  isFault(error, 'unreachable') || isFault(error, 'denied') || isFault(error, 'busy');
