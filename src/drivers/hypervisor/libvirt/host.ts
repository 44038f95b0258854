/** One host of a pool: its connection, what is known of its machines and guests, and looks and steps on them. */
import type { Clock } from '../../../runtime/clock.ts';
import { Fault, isFault } from '../../../runtime/fault.ts';
import { errorCodes } from '../../../wire/libvirt/errors.ts';
import type {
  Change,
  HostEndpoint,
  HostSeen,
  Namesake,
  Sighting,
  StepOutcome,
  SurveySeen,
  VmIdentity,
  VmStep,
} from '../contract.ts';
import type { HostDescribed } from './capabilities.ts';
import { putClaim } from './claim.ts';
import type { Wiring } from './device-xml.ts';
import { type DomainRead, handle, listDomains, readDomain, readRecord } from './domains.ts';
import { registerEvents } from './events.ts';
import { type HostProfile, readBridges, readProfile } from './facts.ts';
import { createGuestWatch } from './guest.ts';
import { askGuest } from './guest-ask.ts';
import { createHostLink, type HostLink } from './host-link.ts';
import { createInventory, type Inventory } from './inventory.ts';
import { isActive } from './power.ts';
import { probeAcceleration } from './probe.ts';
import type { Dial, Remote } from './remote.ts';
import { sightingOf, summaryOf } from './sight.ts';
import { takeStep } from './steps.ts';
import { ownershipFor } from './tag.ts';
import { saidNo, toHostFault } from './to-fault.ts';

/** A host that does not answer a survey within this is unseen; the others are not kept waiting. */
const SURVEY_LIMIT_MS = 15_000;

export interface HostOptions {
  readonly endpoint: HostEndpoint;
  readonly clock: Clock;
  readonly random: () => number;
  readonly dial: Dial;
  readonly tell: (change: Change) => void;
  /** Remembers what probes found, by the host's own uuid, for as long as the process lives. */
  readonly probed: Map<string, 'KVM' | 'Emulation'>;
}

export interface ManagedHost {
  readonly endpoint: HostEndpoint;
  readonly link: HostLink<HostProfile>;
  seen(signal: AbortSignal): Promise<HostSeen>;
  survey(signal: AbortSignal): Promise<SurveySeen>;
  /** Whether the machine was on this host when it was last looked at. */
  knows(uuid: string): boolean;
  /** Throws Fault; undefined when the host does not have it. */
  look(vm: VmIdentity, signal: AbortSignal): Promise<Sighting | undefined>;
  namesakes(vm: VmIdentity): readonly Namesake[];
  take(vm: VmIdentity, step: VmStep, signal: AbortSignal): Promise<StepOutcome>;
  claim(clusterId: string, takeOver: boolean, signal: AbortSignal): Promise<string | undefined>;
  close(): Promise<void>;
}

/** Keeps the inventory's row of one machine as it was just read. */
const note = (inventory: Inventory, uuid: string, read: DomainRead | undefined): void => {
  if (read === undefined) inventory.remove(uuid);
  else
    inventory.put({
      uuid,
      name: read.name,
      state: read.state,
      reason: read.reason,
      record: read.record,
      read: true,
    });
};

const learnRecords = async (
  remote: Remote,
  inventory: Inventory,
  uuids: readonly string[],
  signal: AbortSignal,
): Promise<void> => {
  await Promise.all(
    uuids.map(async (uuid) => {
      try {
        const record = await readRecord(remote, uuid, signal);
        const machine = inventory.get(uuid);
        if (machine !== undefined) inventory.put({ ...machine, record, read: true });
      } catch (error) {
        if (!saidNo(error, errorCodes.noDomain)) throw error;
        inventory.remove(uuid);
      }
    }),
  );
};

/** Reads again what an event pointed at; one read per machine however many events came. */
const createFollower = (
  inventory: Inventory,
  remoteOf: () => Remote | undefined,
  after: (uuid: string) => void,
) => {
  const running = new Set<string>();
  const again = new Set<string>();
  const follow = async (uuid: string): Promise<void> => {
    const signal = AbortSignal.timeout(SURVEY_LIMIT_MS);
    do {
      again.delete(uuid);
      const remote = remoteOf();
      if (remote === undefined) return;
      try {
        const { state, reason } = await remote.call(
          'DOMAIN_GET_STATE',
          { dom: handle(uuid), flags: 0 },
          signal,
        );
        const known = inventory.get(uuid);
        if (known !== undefined) inventory.put({ ...known, state, reason });
        if (known?.read === false) await learnRecords(remote, inventory, [uuid], signal);
      } catch (error) {
        if (saidNo(error, errorCodes.noDomain)) inventory.remove(uuid);
      }
    } while (again.has(uuid));
  };
  return (uuid: string): void => {
    if (running.has(uuid)) {
      again.add(uuid);
      return;
    }
    running.add(uuid);
    void follow(uuid).finally(() => {
      running.delete(uuid);
      after(uuid);
    });
  };
};

export const createManagedHost = (options: HostOptions): ManagedHost => {
  const { endpoint, clock, tell } = options;
  const { host } = endpoint;
  const inventory = createInventory();
  let profile: HostProfile | undefined;
  let lastReason: string | undefined;

  const tellVm = (uuid: string): void => tell({ kind: 'vm', uuid, uid: inventory.get(uuid)?.record?.uid });
  const guests = createGuestWatch({
    clock,
    onChange: tellVm,
    ask: async (uuid, signal) => {
      const state = link.state();
      if (state.kind === 'down') return undefined;
      const read = await readDomain(state.remote, uuid, signal);
      if (read?.running === undefined) return undefined;
      // The test driver has no guests, and falls over a card whose network has no addresses (testDomainInterfaceAddresses).
      if (profile?.setup.domainType === 'test') return { agent: 'Disconnected', addresses: [] };
      return askGuest(state.remote, uuid, read.running, signal);
    },
  });
  const remoteNow = (): Remote | undefined => {
    const state = link.state();
    return state.kind === 'up' ? state.remote : undefined;
  };
  const follow = createFollower(inventory, remoteNow, tellVm);
  const sink = {
    machine: (uuid: string, name: string, { redefined }: { readonly redefined: boolean }): void => {
      const known = inventory.get(uuid);
      if (known === undefined)
        inventory.put({ uuid, name, state: 0, reason: 0, record: undefined, read: false });
      else if (redefined) inventory.put({ ...known, name, read: false });
      tellVm(uuid);
      follow(uuid);
    },
    guest: (uuid: string): void => guests.refresh(uuid),
    network: (): void => tell({ kind: 'network', host }),
    storage: (): void => tell({ kind: 'storage', host }),
  };

  const accelerate =
    (remote: Remote, signal: AbortSignal) => async (uuid: string, described: HostDescribed) => {
      const known = options.probed.get(uuid);
      if (known !== undefined) return known;
      const { domainTypes, guestArchitecture: arch } = described;
      const found = await probeAcceleration(remote, { domainTypes, arch }, clock, signal);
      options.probed.set(uuid, found);
      return found;
    };
  const refill = async (remote: Remote, signal: AbortSignal): Promise<void> => {
    const unread = inventory.replace(await listDomains(remote, signal));
    await learnRecords(remote, inventory, unread, signal);
  };
  const prepare = async (remote: Remote, signal: AbortSignal): Promise<HostProfile> => {
    // Events before the list: what happens in between is then told twice, never missed.
    await registerEvents(remote, sink, signal);
    const read = await readProfile(remote, endpoint, accelerate(remote, signal), signal);
    await refill(remote, signal);
    profile = read;
    return read;
  };
  const link: HostLink<HostProfile> = createHostLink({
    endpoint,
    clock,
    random: options.random,
    dial: options.dial,
    prepare,
    onUp: () => {
      lastReason = undefined;
      tell({ kind: 'resync', host });
      tell({ kind: 'host', host });
    },
    onDown: (fault) => {
      if (lastReason !== fault.message) tell({ kind: 'host', host });
      lastReason = fault.message;
    },
  });

  const change = (facts: Partial<HostProfile['facts']>, wiring: Partial<Wiring> = {}): void => {
    if (profile === undefined) return;
    profile = {
      facts: { ...profile.facts, ...facts },
      setup: { ...profile.setup, wiring: { ...profile.setup.wiring, ...wiring } },
    };
    tell({ kind: 'host', host });
  };
  const lookForBridges = async (remote: Remote, signal: AbortSignal): Promise<void> => {
    const found = await readBridges(remote, signal);
    const bridges = [...found.bridges].sort();
    if (profile?.facts.bridges.join() !== bridges.join()) change({ bridges }, found);
  };

  const attempt = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw toHostFault(error, host);
    }
  };

  const readNow = async (
    remote: Remote,
    uuid: string,
    signal: AbortSignal,
  ): Promise<DomainRead | undefined> => {
    const read = await readDomain(remote, uuid, signal);
    note(inventory, uuid, read);
    if (read === undefined || !isActive(read.power)) guests.forget(uuid);
    return read;
  };
  const sighting = async (
    remote: Remote,
    vm: VmIdentity,
    read: DomainRead,
    signal: AbortSignal,
  ): Promise<Sighting> => {
    const runs = read.running !== undefined && ownershipFor(read.record, vm).kind === 'ours';
    const guest = runs ? await guests.first(vm.uuid, signal) : undefined;
    return sightingOf(remote, host, vm, read, guest, signal);
  };

  return {
    endpoint,
    link,
    seen: async (signal) => {
      await Promise.race([
        link.up(signal).catch(() => undefined),
        clock.sleep(1_000, signal).catch(() => undefined),
      ]);
      const state = link.state();
      if (state.kind === 'up') return { kind: 'reachable', host, facts: (profile ?? state.session).facts };
      const { fault, sinceMs } = state;
      return {
        kind: 'unreachable',
        host,
        sinceMs,
        reason: fault.reason ?? 'HostUnreachable',
        message: fault.message,
        ...(profile === undefined ? {} : { facts: profile.facts }),
      };
    },
    survey: async (signal) => {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(SURVEY_LIMIT_MS)]);
      try {
        const { remote } = await link.up(limited);
        await refill(remote, limited);
        await lookForBridges(remote, limited);
        return { kind: 'seen', host, machines: inventory.all().map(summaryOf) };
      } catch (error) {
        const state = link.state();
        const sinceMs = state.kind === 'down' ? state.sinceMs : clock.nowMs();
        return { kind: 'unseen', host, sinceMs, why: toHostFault(error, host).message };
      }
    },
    knows: (uuid) => inventory.get(uuid) !== undefined,
    look: (vm, signal) =>
      attempt(async () => {
        const { remote } = await link.up(signal);
        const read = await readNow(remote, vm.uuid, signal);
        return read === undefined ? undefined : sighting(remote, vm, read, signal);
      }),
    namesakes: (vm) =>
      inventory
        .namesakes(vm)
        .map(({ uuid, record }) => ({ host, uuid, ownership: ownershipFor(record, vm) })),
    take: (vm, step, signal) =>
      attempt(async () => {
        const { remote, session } = await link.up(signal);
        const before = await readNow(remote, vm.uuid, signal);
        const progress = await takeStep(
          { remote, setup: (profile ?? session).setup, vm },
          step,
          before,
          signal,
        );
        const after = await readNow(remote, vm.uuid, signal);
        const ended = step.kind === 'shutdown' && after?.power.kind === 'off';
        if (progress === 'started' && !ended) return { kind: 'started' };
        return {
          kind: 'done',
          sighting: after === undefined ? undefined : await sighting(remote, vm, after, signal),
        };
      }),
    claim: (clusterId, takeOver, signal) =>
      attempt(async () => {
        const { remote } = await link.up(signal);
        const claimedBy = await putClaim(remote, clusterId, takeOver, signal);
        if (profile?.facts.claimedBy !== claimedBy) change({ claimedBy });
        return claimedBy;
      }),
    close: async () => {
      guests.close();
      await link.close();
    },
  };
};

/** The fault of a step that names a host outside the pool. */
export const notInPool = (host: string): Fault =>
  new Fault('invalid', `The host ${host} is not in the pool.`, { reason: 'NotInPool', where: host });

/** Whether a fault means "could not look" rather than "looked, and something is wrong". */
export const couldNotLook = (error: unknown): boolean =>
  isFault(error, 'unreachable') || isFault(error, 'denied') || isFault(error, 'busy');
