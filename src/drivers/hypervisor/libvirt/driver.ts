/** The libvirt driver: KVM hosts (and any other hypervisor that libvirt opens) behind one contract. */
import type { Clock } from '../../../runtime/clock.ts';
import { Fault, toFault } from '../../../runtime/fault.ts';
import type {
  Change,
  HostEndpoint,
  HostId,
  HypervisorDriver,
  HypervisorPool,
  VmIdentity,
  VmSeen,
} from '../contract.ts';
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

/** A status that names a host narrows the search; without one the machine may be anywhere that cannot be seen. */
const mayHold = (host: ManagedHost, vm: VmIdentity, hint: HostId | undefined): boolean =>
  hint === undefined || hint === host.endpoint.host || host.knows(vm.uuid);

const lookOn = async (
  host: ManagedHost,
  vm: VmIdentity,
  hint: HostId | undefined,
  signal: AbortSignal,
): Promise<VmSeen> => {
  const nothing: VmSeen = { sightings: [], unseen: [], namesakes: [] };
  try {
    await host.link.up(signal);
    const isHint = hint === host.endpoint.host;
    const sighting = isHint || host.knows(vm.uuid) ? await host.look(vm, signal) : undefined;
    return {
      ...nothing,
      sightings: sighting === undefined ? [] : [sighting],
      namesakes: host.namesakes(vm),
    };
  } catch (error) {
    if (signal.aborted || !couldNotLook(error)) throw toFault(error);
    return mayHold(host, vm, hint) ? { ...nothing, unseen: [host.endpoint.host] } : nothing;
  }
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

    return {
      hosts: async (signal) => Promise.all(all().map((host) => host.seen(signal))),
      survey: async (signal) => Promise.all(all().map((host) => host.survey(signal))),
      see: async (vm, hint, signal) => {
        const looks = await Promise.all(all().map((host) => lookOn(host, vm, hint, signal)));
        return {
          sightings: looks.flatMap(({ sightings }) => sightings),
          unseen: looks.flatMap(({ unseen }) => unseen),
          namesakes: looks.flatMap(({ namesakes }) => namesakes),
        };
      },
      take: async (vm, step, signal) => get(step.host).take(vm, step, signal),
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
      hostStorage: (host) => createHostStorage(host, () => get(host).link, options.clock),
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
