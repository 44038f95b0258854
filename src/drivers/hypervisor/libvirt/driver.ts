/** The libvirt driver: KVM hosts (and any other hypervisor that libvirt opens) behind one contract. */
import type { Clock } from '../../../runtime/clock.ts';
import { Fault, toFault } from '../../../runtime/fault.ts';
import type {
  Change,
  HostEndpoint,
  HostId,
  HypervisorDriver,
  HypervisorPool,
  Namesake,
  Sighting,
  VmIdentity,
  VmSeen,
} from '../contract.ts';
import { createWitness, type Witness } from '../witness.ts';
import { createChangeFeed } from './changes.ts';
import { dialLibvirt } from './dial.ts';
import { couldNotLook, createManagedHost, type ManagedHost, notInPool } from './host.ts';
import { createHostNetworks } from './networks.ts';
import type { Probed } from './probe.ts';
import type { Dial } from './remote.ts';
import { createHostSecrets } from './secrets.ts';
import { createHostStorage } from './storage.ts';

export interface LibvirtSettings {
  readonly endpoints: readonly HostEndpoint[];
}

export interface LibvirtDriverOptions {
  readonly clock: Clock;
  /** In [0, 1); spreads reconnects. */
  readonly random: () => number;
  /** How hosts are reached; the wire client's own way when absent. */
  readonly dial?: Dial | undefined;
}

const sameEndpoint = (a: HostEndpoint, b: HostEndpoint): boolean => JSON.stringify(a) === JSON.stringify(b);

interface Look {
  readonly host: HostId;
  readonly sighting?: Sighting | undefined;
  readonly namesakes: readonly Namesake[];
  readonly blind: boolean;
}

const lookOn = async (
  managed: ManagedHost,
  vm: VmIdentity,
  hint: HostId | undefined,
  signal: AbortSignal,
): Promise<Look> => {
  const { host } = managed.endpoint;
  try {
    await managed.link.up(signal);
    const sighting = hint === host || managed.knows(vm.uuid) ? await managed.look(vm, signal) : undefined;
    return { host, sighting, namesakes: managed.namesakes(vm), blind: false };
  } catch (error) {
    if (signal.aborted || !couldNotLook(error)) throw toFault(error);
    return { host, namesakes: [], blind: true };
  }
};

const seeOn = async (
  hosts: readonly ManagedHost[],
  witness: Witness,
  vm: VmIdentity,
  hint: HostId | undefined,
  signal: AbortSignal,
): Promise<VmSeen> => {
  const looks = await Promise.all(hosts.map((host) => lookOn(host, vm, hint, signal)));
  const sightings = looks.flatMap(({ sighting }) => sighting ?? []);
  const blind = looks.filter((look) => look.blind).map(({ host }) => host);
  return {
    sightings,
    unseen: witness.unseen(vm, hint, blind, sightings),
    namesakes: looks.flatMap(({ namesakes }) => namesakes),
  };
};

export const createLibvirtDriver = (options: LibvirtDriverOptions): HypervisorDriver<LibvirtSettings> => {
  const probed = new Map<string, Probed>();
  const dial = options.dial ?? dialLibvirt;

  const open = ({ endpoints }: LibvirtSettings): HypervisorPool => {
    const feed = createChangeFeed();
    const hosts = new Map<HostId, ManagedHost>();
    const closing = new Set<Promise<void>>();
    const tell = (change: Change): void => feed.push(change);

    const add = (endpoint: HostEndpoint): void => {
      const { clock, random } = options;
      hosts.set(endpoint.host, createManagedHost({ endpoint, clock, random, dial, tell, probed }));
    };
    const drop = (host: ManagedHost): void => {
      hosts.delete(host.endpoint.host);
      const closed = host.close().finally(() => closing.delete(closed));
      closing.add(closed);
    };
    let open = true;
    const all = (): readonly ManagedHost[] => {
      if (!open) throw new Fault('unreachable', 'The pool is closed.');
      return [...hosts.values()];
    };
    const get = (name: HostId): ManagedHost => {
      const host = all().find(({ endpoint }) => endpoint.host === name);
      if (host === undefined) throw notInPool(name);
      return host;
    };
    for (const endpoint of endpoints) add(endpoint);
    const witness = createWitness({
      listed: (host) => hosts.get(host)?.listed() === true,
      had: (host, uuid) => hosts.get(host)?.knows(uuid) === true,
    });

    return {
      hosts: async (signal) => Promise.all(all().map((host) => host.seen(signal))),
      survey: async (signal) => Promise.all(all().map((host) => host.survey(signal))),
      see: async (vm, hint, signal) => seeOn(all(), witness, vm, hint, signal),
      take: async (vm, step, signal) => {
        const host = get(step.host);
        return witness.during(vm, step, () => host.take(vm, step, signal));
      },
      changes: (signal) => feed.read(signal),
      reconfigure: (wanted) => {
        const byName = new Map(wanted.map((endpoint) => [endpoint.host, endpoint]));
        for (const host of all()) {
          const endpoint = byName.get(host.endpoint.host);
          if (endpoint !== undefined && sameEndpoint(endpoint, host.endpoint)) continue;
          drop(host);
          tell({ kind: 'host', host: host.endpoint.host });
        }
        for (const endpoint of wanted) if (!hosts.has(endpoint.host)) add(endpoint);
      },
      claim: async (host, clusterId, signal) => ({
        claimedBy: await get(host).claim(clusterId, signal),
      }),
      hostStorage: (host) => createHostStorage(host, () => get(host), options.clock),
      hostNetworks: (host) => createHostNetworks(host, () => get(host).link),
      hostSecrets: (host) => createHostSecrets(host, () => get(host).link),
      close: async () => {
        open = false;
        for (const host of hosts.values()) drop(host);
        await Promise.all(closing);
        feed.close();
      },
    };
  };
  return { name: 'libvirt', open };
};
