/** One control plane, three KVM hosts and the operator as a process of its own, for the whole suite. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ControlPlane, startControlPlane } from '../../../hack/lab/control-plane.ts';
import { ensureGuestImage, type GuestImage } from '../../../hack/lab/guest-image.ts';
import { endGuest } from '../../../hack/lab/guest-shell.ts';
import { type FileServer, startFileServer } from '../../../hack/lab/http-server.ts';
import { type KvmHost, startKvmHosts } from '../../../hack/lab/kvm-host.ts';
import { operatorNamespace } from '../../../hack/lab/manifests.ts';
import {
  installOperator,
  type Operator,
  operatorUser,
  repositoryRoot,
  startOperator,
} from '../../../hack/lab/operator.ts';
import { logTail } from '../../../hack/lab/process.ts';
import { askShell, type Facts, guestFacts } from './guest.ts';
import { conditionOf, is, type Kind, type Mirror, startMirror, type Thing } from './mirror.ts';
import { foreignXml, team } from './objects.ts';
import { createPulse, type Pulse } from './pulse.ts';
import { createCatchUp, createTalk, namespaced } from './talk.ts';
import { dumpXml, qemuPid, type Truth, truthOf, type Xml } from './truth.ts';
import { startVirshEvents, type VirshEvents } from './virsh-events.ts';

export const clusterId = 'e2e';

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

interface WaitOptions {
  readonly limitMs?: number;
}

export interface Lab {
  readonly plane: ControlPlane;
  readonly dir: string;
  readonly hosts: readonly KvmHost[];
  readonly node1: KvmHost;
  readonly node2: KvmHost;
  readonly split: KvmHost;
  readonly image: GuestImage;
  readonly files: FileServer;
  readonly mirror: Mirror;
  readonly pulse: Pulse;
  /** What was on each host before the operator came. */
  readonly before: ReadonlyMap<string, Truth>;
  /** Somebody else's machine on node1, as it was before the operator came, and as it is. */
  readonly foreign: Foreign;
  foreignNow(): Promise<Foreign>;
  /** kubectl as the tenant of team-a; throws with what kubectl says. */
  kubectl(...args: string[]): Promise<string>;
  /** Applies as the tenant. */
  apply(...objects: object[]): Promise<void>;
  /** Applies as the administrator. */
  applyAsAdmin(...objects: object[]): Promise<void>;
  /** Merges into a spec as the tenant; the administrator's kinds as the administrator. */
  patch(kind: Kind, name: string, spec: object): Promise<void>;
  remove(kind: Kind, ...names: string[]): Promise<void>;
  /** The object once it is as wanted. */
  until(
    kind: Kind,
    name: string,
    wanted: (thing: Thing | undefined) => boolean,
    options?: WaitOptions,
  ): Promise<Thing>;
  /** Waits until the object is no more. */
  untilGone(kind: Kind, name: string, options?: WaitOptions): Promise<void>;
  /** Waits until the machine is Ready with this reason. */
  untilReady(name: string, reason?: string, options?: WaitOptions): Promise<Placed>;
  /** The machine where its status says it is. */
  placed(name: string): Placed;
  startOperator(): Promise<void>;
  stopOperator(): Promise<void>;
  /** kill -9. */
  killOperator(): Promise<void>;
  operatorLog(): string;
  stop(): Promise<void>;
}

const describeThing = (thing: Thing | undefined): string =>
  thing === undefined
    ? 'there is no such object'
    : JSON.stringify({ spec: thing.spec, status: thing.status });

const startHosts = async (dir: string): Promise<readonly [KvmHost, KvmHost, KvmHost]> => {
  const hosts = await startKvmHosts({
    dir,
    hosts: [{ name: 'node1' }, { name: 'node2' }, { name: 'split', daemons: 'split' }],
  });
  const [node1, node2, split] = hosts;
  if (node1 === undefined || node2 === undefined || split === undefined)
    throw new Error('three hosts were asked for');
  return [node1, node2, split];
};

/** The operator, started again when it ends by itself (it lost its lease, say), as Kubernetes would. */
const createOperatorProcess = (dir: string, kubeconfig: string) => {
  const logPath = join(dir, 'operator.log');
  let operator: Operator | undefined;
  let wanted = false;
  const start = async (): Promise<void> => {
    wanted = true;
    if (operator?.running() === true) return;
    const started = await startOperator({
      kubeconfig,
      logPath,
      clusterId,
      allowedImageRanges: ['127.0.0.1/32'],
      // A killed leader's lease runs out sooner than by default, so that the suite waits less.
      env: {
        OVCP_LEASE_DURATION_SECONDS: '5',
        OVCP_LEASE_RENEW_DEADLINE_SECONDS: '4',
        OVCP_LEASE_RETRY_SECONDS: '1',
      },
    });
    operator = started;
    const again = (): Promise<void> =>
      wanted && operator === started ? start().catch(() => again()) : Promise.resolve();
    void started.exited.then(again);
  };
  return {
    logPath,
    start,
    stop: async () => {
      wanted = false;
      await operator?.stop(120_000);
    },
    kill: async () => {
      wanted = false;
      operator?.kill('SIGKILL');
      await operator?.exited;
    },
  };
};

/** The operator's user has exactly the rights that the product's own manifests give its ServiceAccount. */
const installWithRights = async (plane: ControlPlane): Promise<string> => {
  const kubeconfig = await installOperator(plane, 'ovcp-operator');
  for (const file of ['cluster-role.yaml', 'role.yaml']) {
    await plane.mustKubectl(['apply', '-f', join(repositoryRoot, 'deploy/base', file)]);
  }
  const namespace = operatorNamespace;
  const binding = ['create', 'rolebinding', 'e2e-operator', '-n', namespace, '--role', 'ovcp-operator'];
  await plane.mustKubectl([...binding, '--user', operatorUser]);
  return kubeconfig;
};

const createWaits = (mirror: Mirror, pulse: Pulse) => {
  const where = (kind: Kind): string | undefined => (namespaced.has(kind) ? team : undefined);
  const get = (kind: Kind, name: string): Thing | undefined => mirror.get(kind, name, where(kind));
  const until: Lab['until'] = (kind, name, wanted, options = {}) =>
    pulse.until(
      `${kind} ${name} ${String(wanted)}`,
      () => {
        const thing = get(kind, name);
        return wanted(thing) && thing !== undefined ? thing : undefined;
      },
      { ...options, explain: () => describeThing(get(kind, name)) },
    );
  const untilGone: Lab['untilGone'] = async (kind, name, options = {}) => {
    await pulse.until(`${kind} ${name} gone`, () => (get(kind, name) === undefined ? true : undefined), {
      ...options,
      explain: () => describeThing(get(kind, name)),
    });
  };
  return { get, until, untilGone };
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

const startParts = async (dir: string) => {
  const image = await ensureGuestImage();
  const [plane, [node1, node2, split], files] = await Promise.all([
    startControlPlane({ dir: join(dir, 'cp'), auditLog: true }),
    startHosts(join(dir, 'kvm')),
    startFileServer({ routes: { '/guest.qcow2': { kind: 'file', content: { path: image.qcow2Path } } } }),
  ]);
  return { image, plane, node1, node2, split, files };
};

/** Starts everything but the operator. */
export const startLab = async (): Promise<Lab> => {
  // Sockets have 107 characters: a short folder.
  const dir = await mkdtemp('/tmp/ovcp-e2e-');
  const parts = await startParts(dir);
  const { plane, files, node1, node2, split } = parts;
  const hosts = [node1, node2, split];
  const operator = createOperatorProcess(dir, await installWithRights(plane));
  const pulse = createPulse(() => `operator: ${logTail(operator.logPath, 2_000)}`);
  const mirror = startMirror(plane.kubeconfig, pulse.beat);
  const events = new Map(hosts.map((host) => [host.name, startVirshEvents(host, pulse.beat)]));
  await node1.virshFile(foreignXml('foreign'), 'define');
  await node1.virsh('start', 'foreign');
  const foreignNow = async (): Promise<Foreign> => ({
    xml: await node1.virsh('dumpxml', 'foreign'),
    pid: await qemuPid(node1, 'foreign'),
  });
  const before = new Map<string, Truth>();
  for (const host of hosts) before.set(host.name, await truthOf(host));
  const waits = createWaits(mirror, pulse);
  const place = createPlaced(hosts, events);
  return {
    ...parts,
    ...(await createTalk(plane, createCatchUp(mirror, pulse))),
    dir,
    hosts,
    mirror,
    pulse,
    before,
    foreign: await foreignNow(),
    foreignNow,
    until: waits.until,
    untilGone: waits.untilGone,
    untilReady: async (name, reason = 'Running', options = {}) =>
      place(await waits.until('machine', name, (it) => is(it, 'Ready', 'True', reason), options)),
    placed: (name) => {
      const thing = waits.get('machine', name);
      if (thing === undefined) throw new Error(`there is no machine ${name}`);
      return place(thing);
    },
    startOperator: operator.start,
    stopOperator: operator.stop,
    killOperator: operator.kill,
    operatorLog: () => logTail(operator.logPath, 10_000_000),
    stop: async () => {
      mirror.stop();
      for (const it of events.values()) it.stop();
      await operator.stop();
      await Promise.all([files.stop(), plane.stop(), ...hosts.map((host) => host.stop())]);
      if (process.env['OVCP_E2E_KEEP'] !== '1') await rm(dir, { recursive: true, force: true });
    },
  };
};

export { conditionOf, is, team };
