/** Manifests of the suite. */
import type { Manifest } from './api.ts';

const ours = (kind: string, name: string, spec: object, namespace?: string): Manifest => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  spec,
});

export const namespace = (name: string, labels: Readonly<Record<string, string>> = {}): Manifest => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
});

export const secret = (name: string, at: string, data: Readonly<Record<string, string>>): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: at },
  stringData: data,
});

export interface HostSize {
  readonly name: string;
  readonly cpus?: number;
  readonly memory?: string;
}

const everybody = { from: 'All' };

export const hostPool = (name: string, hosts: readonly HostSize[], more: object = {}): Manifest =>
  ours('HostPool', name, {
    driver: 'simulated',
    simulated: {
      hosts: hosts.map((host) => ({
        name: host.name,
        cpus: host.cpus ?? 64,
        memory: host.memory ?? '256Gi',
      })),
    },
    allowedNamespaces: everybody,
    overcommit: { cpuPercent: 1000, memoryPercent: 100 },
    ...more,
  });

export const storagePool = (name: string, hostPools: readonly string[], more: object = {}): Manifest =>
  ours('StoragePool', name, {
    driver: 'simulated',
    hostPoolRefs: hostPools.map((pool) => ({ name: pool })),
    topology: 'HostLocal',
    roles: ['Disks', 'Images', 'ISO'],
    allowedNamespaces: everybody,
    ...more,
  });

export const network = (name: string, hostPoolName: string, more: object = {}): Manifest =>
  ours('VirtualNetwork', name, {
    allowedNamespaces: everybody,
    backends: [
      {
        name: 'nat',
        hostPoolRef: { name: hostPoolName },
        type: 'NAT',
        nat: { cidr: '192.168.150.0/24', dhcp: {} },
      },
    ],
    ...more,
  });

export const image = (name: string, at: string, pool: string, url: string, checksum: string): Manifest =>
  ours(
    'VirtualMachineImage',
    name,
    { storagePoolRef: { name: pool }, source: { url, checksum }, format: 'qcow2' },
    at,
  );

export const disk = (name: string, at: string, pool: string, more: object = {}): Manifest =>
  ours('VirtualDisk', name, { size: '1Gi', storagePoolRef: { name: pool }, ...more }, at);

export const size = (name: string, cores: number, memory: string): Manifest =>
  ours('VirtualMachineSize', name, { cpu: { cores }, memory });

export const machine = (name: string, at: string, pool: string, more: object = {}): Manifest =>
  ours(
    'VirtualMachine',
    name,
    {
      hostPoolRef: { name: pool },
      cpu: { cores: 1 },
      memory: '256Mi',
      shutdown: { mode: 'GracefulThenHard', timeoutSeconds: 20 },
      ...more,
    },
    at,
  );

/** The same manifest with labels or annotations. */
export const marked = (
  manifest: Manifest,
  marks: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  },
): Manifest => ({ ...manifest, metadata: { ...manifest.metadata, ...marks } });

/** A blank disk of the machine's own. */
export const blank = (name: string, pool: string, more: object = {}): object => ({
  name,
  template: { size: '1Gi', storagePoolRef: { name: pool }, ...more },
});

export const card = (name: string, networkName: string): object => ({
  name,
  networkRef: { name: networkName },
});
