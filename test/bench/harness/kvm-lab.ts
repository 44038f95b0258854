/** Control plane, one libvirt host, the operator on it, and our own wire client to the same host without any logic. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type KvmHost, startKvmHosts } from '../../../hack/lab/kvm-host.ts';
import type { LabNetwork } from '../../../hack/lab/lab-network.ts';
import { createDomains } from '../../../src/wire/libvirt/domains.ts';
import { type LibvirtSession, openLibvirtSession } from '../../../src/wire/libvirt/session.ts';
import { parseLibvirtUri } from '../../../src/wire/libvirt/uri.ts';
import { type Cluster, has, startCluster } from './cluster.ts';
import { followMachines, type Machines } from './machines.ts';
import { nowMs } from './now.ts';
import { namespaceObject } from './objects.ts';
import { forkOperator, type OperatorProcess } from './operator-process.ts';

export const kvmNamespace = 'guests';
export const kvmPoolName = 'kvm';

export interface KvmLab {
  readonly cluster: Cluster;
  readonly host: KvmHost;
  readonly operator: OperatorProcess;
  readonly machines: Machines;
  readonly session: LibvirtSession;
  readonly domains: ReturnType<typeof createDomains>;
  close(): Promise<void>;
}

/** Nothing to boot from and little memory: firmware alone runs, as quickly as QEMU starts. */
export const tinyGuest = (name: string) => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'VirtualMachine',
  metadata: { name, namespace: kvmNamespace },
  spec: {
    hostPoolRef: { name: kvmPoolName },
    cpu: { cores: 1 },
    memory: '64Mi',
    powerState: 'PoweredOn',
    shutdown: { mode: 'Hard' },
  },
});

const hostPool = (host: KvmHost) => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'HostPool',
  metadata: { name: kvmPoolName },
  spec: {
    driver: 'libvirt',
    libvirt: { hosts: [{ name: host.name, uri: host.uris.unix }] },
    allowedNamespaces: { from: 'All' },
    overcommit: { cpuPercent: 1600, memoryPercent: 100 },
  },
});

export interface KvmLabOptions {
  /** One to join, of a lab with storage servers. */
  readonly network?: LabNetwork;
  /** Of the operator. */
  readonly flags?: readonly string[];
  /** Of Node under it. */
  readonly nodeFlags?: readonly string[];
}

export const startKvmLab = async ({
  network,
  flags = [],
  nodeFlags = [],
}: KvmLabOptions = {}): Promise<KvmLab> => {
  // Sockets have 107 characters: a short folder.
  const dir = await mkdtemp('/tmp/ovcp-bk-');
  const closers: (() => Promise<void>)[] = [() => rm(dir, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const closer of closers.toReversed()) await closer();
  };
  try {
    const [host] = await startKvmHosts({
      dir: join(dir, 'kvm'),
      hosts: [{ name: 'node1' }],
      ...(network === undefined ? {} : { network }),
    });
    if (host === undefined) throw new Error('no host came up');
    closers.push(() => host.stop());
    const cluster = await startCluster(false);
    closers.push(() => cluster.close());
    const operator = forkOperator(nodeFlags);
    closers.push(() => operator.exit());
    await operator.start(cluster.plane.kubeconfig, flags);
    await cluster.apply(namespaceObject(kvmNamespace), hostPool(host));
    const path = `/apis/ovcp.dev/v1alpha1/hosts/${kvmPoolName}.${host.name}`;
    await cluster.until(path, (it) => has(it, 'Schedulable', 'True'), 120_000);
    const machines = await followMachines(cluster);
    closers.push(() => machines.stop());
    const uri = parseLibvirtUri(host.uris.unix);
    const session = await openLibvirtSession({ uri }, new AbortController().signal);
    closers.push(() => session.close());
    return { cluster, host, operator, machines, session, domains: createDomains(session.call), close };
  } catch (error) {
    await close();
    throw error;
  }
};

/** When the work was through, and how long it took, in ms. */
export const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const fromMs = nowMs();
  await work();
  return nowMs() - fromMs;
};
