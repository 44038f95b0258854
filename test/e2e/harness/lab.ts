/** One control plane, three KVM hosts and the operator as a process of its own, for the whole suite. */
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureGuestImage, type GuestImage } from '../../../hack/lab/guest-image.ts';
import { endGuest } from '../../../hack/lab/guest-shell.ts';
import { type KvmHost, startKvmHosts } from '../../../hack/lab/kvm-host.ts';
import type { LabNetwork } from '../../../hack/lab/lab-network.ts';
import { type Base, clusterId, describeThing, startBase, type WaitOptions } from './base.ts';
import { askShell, type Facts, guestFacts } from './guest.ts';
import { conditionOf, is, type Thing } from './mirror.ts';
import { foreignXml, team } from './objects.ts';
import { dumpXml, qemuPid, type Truth, truthOf, type Xml } from './truth.ts';
import { startVirshEvents, type VirshEvents } from './virsh-events.ts';

/** A machine that is placed: where it is and what it is called there. */
export interface Placed {
  readonly host: KvmHost;
  readonly domain: string;
  readonly uuid: string;
  xml(inactive?: boolean): Promise<Xml>;
  facts(): Promise<Facts>;
  ask(command: string): Promise<string>;
  /** Sends a command that ends the guest, and waits until it is gone. */
  end(command: string): Promise<void>;
  /** Of QEMU; undefined while it is off. */
  pid(): Promise<number | undefined>;
  state(): Promise<string>;
  lifecycle(): readonly string[];
}

export interface Foreign {
  readonly xml: string;
  readonly pid: number | undefined;
}

export interface Lab extends Base {
  readonly dir: string;
  readonly hosts: readonly KvmHost[];
  readonly node1: KvmHost;
  readonly node2: KvmHost;
  readonly split: KvmHost;
  readonly image: GuestImage;
  /** What was on each host before the operator came. */
  readonly before: ReadonlyMap<string, Truth>;
  /** Somebody else's machine on node1, as it was before the operator came, and as it is. */
  readonly foreign: Foreign;
  foreignNow(): Promise<Foreign>;
  /** Waits until the machine is Ready with this reason. */
  untilReady(name: string, reason?: string, options?: WaitOptions): Promise<Placed>;
  /** The machine where its status says it is. */
  placed(name: string): Placed;
}

const startHosts = async (
  dir: string,
  network: LabNetwork | undefined,
): Promise<readonly [KvmHost, KvmHost, KvmHost]> => {
  const hosts = await startKvmHosts({
    dir,
    hosts: [{ name: 'node1' }, { name: 'node2' }, { name: 'split', daemons: 'split' }],
    ...(network === undefined ? {} : { network }),
  });
  const [node1, node2, split] = hosts;
  if (node1 === undefined || node2 === undefined || split === undefined)
    throw new Error('three hosts were asked for');
  return [node1, node2, split];
};

const createPlaced =
  (hosts: readonly KvmHost[], events: ReadonlyMap<string, VirshEvents>) => (thing: Thing) => {
    const hostName = String(thing.status?.host).split('.').slice(1).join('.');
    const host = hosts.find(({ name }) => name === hostName);
    if (host === undefined) throw new Error(`${thing.metadata.name} is on no host: ${describeThing(thing)}`);
    const domain = String(thing.status?.domainName);
    const placed: Placed = {
      host,
      domain,
      uuid: String(thing.status?.uuid),
      xml: (inactive) => dumpXml(host, domain, inactive),
      facts: () => guestFacts(host, domain),
      ask: (command) => askShell(host, domain, command),
      end: (command) => endGuest(host, domain, command),
      pid: () => qemuPid(host, domain),
      state: async () => (await host.virsh('domstate', domain, '--reason')).trim(),
      lifecycle: () => events.get(host.name)?.lifecycle(domain) ?? [],
    };
    return placed;
  };

/** Starts everything but the operator. `network`: one to join, of a lab with storage servers, say. */
export const startLab = async (network?: LabNetwork): Promise<Lab> => {
  // Sockets have 107 characters: a short folder.
  const dir = await mkdtemp('/tmp/ovcp-e2e-');
  const image = await ensureGuestImage();
  const [base, [node1, node2, split]] = await Promise.all([
    startBase(dir, { '/guest.qcow2': { kind: 'file', content: { path: image.qcow2Path } } }),
    startHosts(join(dir, 'kvm'), network),
  ]);
  const hosts = [node1, node2, split];
  const events = new Map(hosts.map((host) => [host.name, startVirshEvents(host, base.pulse.beat)]));
  await node1.virshFile(foreignXml('foreign'), 'define');
  await node1.virsh('start', 'foreign');
  const foreignNow = async (): Promise<Foreign> => ({
    xml: await node1.virsh('dumpxml', 'foreign'),
    pid: await qemuPid(node1, 'foreign'),
  });
  const before = new Map<string, Truth>();
  for (const host of hosts) before.set(host.name, await truthOf(host));
  const place = createPlaced(hosts, events);
  return {
    ...base,
    ...{ image, node1, node2, split, hosts, dir, before },
    foreign: await foreignNow(),
    foreignNow,
    untilReady: async (name, reason = 'Running', options = {}) =>
      place(await base.until('machine', name, (it) => is(it, 'Ready', 'True', reason), options)),
    placed: (name) => {
      const thing = base.get('machine', name);
      if (thing === undefined) throw new Error(`there is no machine ${name}`);
      return place(thing);
    },
    stop: async () => {
      for (const it of events.values()) it.stop();
      await base.stop(hosts);
    },
  };
};

export { clusterId, conditionOf, is, team };
