/** What is kept of one host while the pool is open: its connection, profile, inventory and guests, fed by events. */
import type { Clock } from '../../../runtime/clock.ts';
import { errorCodes } from '../../../wire/libvirt/errors.ts';
import type { Change, HostEndpoint, HostFacts } from '../contract.ts';
import type { HostDescribed } from './capabilities.ts';
import type { Wiring } from './device-xml.ts';
import { handle, listDomains, readRecord, readRunning } from './domains.ts';
import { type EventSink, registerEvents } from './events.ts';
import { type HostProfile, readProfile } from './facts.ts';
import { createGuestWatch, type GuestWatch } from './guest.ts';
import { askGuest } from './guest-ask.ts';
import { createHostLink, type HostLink } from './host-link.ts';
import { createInventory, type Inventory } from './inventory.ts';
import { type Probed, probeAcceleration, probeIscsi } from './probe.ts';
import type { Dial, Remote } from './remote.ts';
import { saidNo } from './to-fault.ts';

const FOLLOW_LIMIT_MS = 15_000;

export interface HostOptions {
  readonly endpoint: HostEndpoint;
  readonly clock: Clock;
  readonly random: () => number;
  readonly dial: Dial;
  readonly tell: (change: Change) => void;
  /** Remembers what probes found, by the host's own uuid, for as long as the process lives. */
  readonly probed: Map<string, Probed>;
}

export interface HostState {
  readonly link: HostLink<HostProfile>;
  readonly inventory: Inventory;
  readonly guests: GuestWatch;
  /** Of the newest connection; stays when it is gone. */
  profile(): HostProfile | undefined;
  /** Events of this machine are kept back while a step is taken on it. */
  mute(uuid: string): Muted;
  /** Something about the host turned out to be otherwise; tells of it. */
  change(facts: Partial<HostFacts>, wiring?: Partial<Wiring>): void;
  /** One bulk call, and one more for each machine never read before. */
  refill(remote: Remote, signal: AbortSignal): Promise<void>;
}

export interface Muted {
  /** From now on events are told again; what was read before is out of date if one came. */
  listen(): void;
  /** Tells what was kept back, for nobody has looked since. */
  tell(): void;
}

/** Reads whose each machine is; one that went meanwhile leaves the inventory. */
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

/** Reads the state of one machine, and its record if that may have changed. Answers whether a record was read. */
const follow = async (
  remote: Remote,
  inventory: Inventory,
  uuid: string,
  signal: AbortSignal,
): Promise<boolean> => {
  try {
    const { state, reason } = await remote.call('DOMAIN_GET_STATE', { dom: handle(uuid), flags: 0 }, signal);
    const known = inventory.get(uuid);
    if (known !== undefined) inventory.put({ ...known, state, reason });
    if (known?.read !== false) return false;
    await learnRecords(remote, inventory, [uuid], signal);
    return true;
  } catch (error) {
    // What broke the connection is told by the link; the next bulk list puts things right.
    if (saidNo(error, errorCodes.noDomain)) inventory.remove(uuid);
    return false;
  }
};

/** Reads again what an event pointed at; one read at a time per machine, however many events came. */
const createFollower = (
  inventory: Inventory,
  remoteNow: () => Remote | undefined,
  learned: (uuid: string) => void,
) => {
  const running = new Set<string>();
  const again = new Set<string>();
  const run = async (uuid: string): Promise<void> => {
    let news = false;
    do {
      again.delete(uuid);
      const remote = remoteNow();
      if (remote === undefined) break;
      news = (await follow(remote, inventory, uuid, AbortSignal.timeout(FOLLOW_LIMIT_MS))) || news;
    } while (again.has(uuid));
    running.delete(uuid);
    if (news) learned(uuid);
  };
  return (uuid: string): void => {
    if (running.has(uuid)) again.add(uuid);
    else {
      running.add(uuid);
      void run(uuid);
    }
  };
};

const createGuests = (
  { clock }: HostOptions,
  remoteNow: () => Remote | undefined,
  profile: () => HostProfile | undefined,
  onChange: (uuid: string) => void,
): GuestWatch =>
  createGuestWatch({
    clock,
    onChange,
    ask: async (uuid, signal) => {
      const remote = remoteNow();
      const running = remote === undefined ? undefined : await readRunning(remote, uuid, signal);
      if (remote === undefined || running === undefined) return undefined;
      // The test driver has no guests, and falls over a card whose network has no addresses.
      if (profile()?.setup.domainType === 'test') {
        return { seen: { agent: 'Disconnected', addresses: [] }, cards: 0 };
      }
      const cards = running.shape.nics.filter(({ link }) => link === 'Up').length;
      return { seen: await askGuest(remote, uuid, running, signal), cards };
    },
  });

const prober =
  (options: HostOptions, remote: Remote, signal: AbortSignal) =>
  async (uuid: string, described: HostDescribed): Promise<Probed> => {
    const known = options.probed.get(uuid);
    const { domainTypes, guestArchitecture: arch } = described;
    const acceleration =
      known?.acceleration ?? (await probeAcceleration(remote, { domainTypes, arch }, options.clock, signal));
    // A driver that is missing may be installed; one that is there stays.
    const iscsi =
      known?.iscsi === true || (domainTypes.has('qemu') && (await probeIscsi(remote, arch, signal)));
    const found = { acceleration, iscsi };
    options.probed.set(uuid, found);
    return found;
  };

/** A step reads the machine once it is through: what its own events point at needs no second look. */
const createMutes = (hear: (uuid: string) => void) => {
  const muted = new Map<string, { heard: boolean }>();
  return {
    /** Whether the event was kept back. */
    keeps: (uuid: string): boolean => {
      const mute = muted.get(uuid);
      if (mute !== undefined) mute.heard = true;
      return mute !== undefined;
    },
    mute: (uuid: string): Muted => {
      const mute = { heard: false };
      // Of two steps at a time the second listens: each tells for itself.
      if (!muted.has(uuid)) muted.set(uuid, mute);
      const listen = (): void => {
        if (muted.get(uuid) === mute) muted.delete(uuid);
      };
      return {
        listen,
        tell: () => {
          listen();
          if (mute.heard) hear(uuid);
        },
      };
    },
  };
};

const createSink = (
  host: string,
  inventory: Inventory,
  guests: GuestWatch,
  tell: HostOptions['tell'],
  hear: (uuid: string) => void,
): EventSink => ({
  machine: (uuid, name, { redefined }) => {
    const known = inventory.get(uuid);
    if (known === undefined) {
      inventory.put({ uuid, name, state: 0, reason: 0, record: undefined, read: false });
    } else if (redefined) inventory.put({ ...known, name, read: false });
    hear(uuid);
  },
  guest: (uuid) => guests.refresh(uuid),
  network: () => tell({ kind: 'network', host }),
  storage: () => tell({ kind: 'storage', host }),
});

/** Tells of a lost connection once, not at every try to get it back. */
const createLinkNews = (host: string, tell: HostOptions['tell']) => {
  let told: string | undefined;
  return {
    onUp: (): void => {
      told = undefined;
      tell({ kind: 'resync', host });
      tell({ kind: 'host', host });
    },
    onDown: ({ message }: { readonly message: string }): void => {
      if (told !== message) tell({ kind: 'host', host });
      told = message;
    },
  };
};

export const createHostState = (options: HostOptions): HostState => {
  const { endpoint, clock, random, dial, tell } = options;
  const { host } = endpoint;
  const inventory = createInventory();
  let profile: HostProfile | undefined;
  const tellVm = (uuid: string): void => tell({ kind: 'vm', uuid, uid: inventory.get(uuid)?.record?.uid });
  const remoteNow = (): Remote | undefined => {
    const state = link.state();
    return state.kind === 'up' ? state.remote : undefined;
  };
  const guests = createGuests(options, remoteNow, () => profile, tellVm);
  const look = createFollower(inventory, remoteNow, tellVm);
  const hear = (uuid: string): void => {
    tellVm(uuid);
    look(uuid);
  };
  const mutes = createMutes(hear);
  const sink = createSink(host, inventory, guests, tell, (uuid) => {
    if (!mutes.keeps(uuid)) hear(uuid);
  });

  const refill = async (remote: Remote, signal: AbortSignal): Promise<void> => {
    const unread = inventory.replace(await listDomains(remote, signal));
    await learnRecords(remote, inventory, unread, signal);
  };
  const prepare = async (remote: Remote, signal: AbortSignal): Promise<HostProfile> => {
    // Events before the list: what happens in between is then told twice, never missed.
    await registerEvents(remote, sink, signal);
    const read = await readProfile(remote, endpoint, prober(options, remote, signal), signal);
    await refill(remote, signal);
    profile = read;
    return read;
  };
  const link: HostLink<HostProfile> = createHostLink({
    endpoint,
    clock,
    random,
    dial,
    prepare,
    ...createLinkNews(host, tell),
  });
  return {
    link,
    inventory,
    guests,
    refill,
    mute: mutes.mute,
    profile: () => profile,
    change: (facts, wiring = {}) => {
      if (profile === undefined) return;
      profile = {
        facts: { ...profile.facts, ...facts },
        setup: { ...profile.setup, wiring: { ...profile.setup.wiring, ...wiring } },
      };
      tell({ kind: 'host', host });
    },
  };
};
