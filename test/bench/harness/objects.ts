/** The objects that the benchmarks apply. */

const head = (kind: string, name: string, namespace?: string) => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
});

export const hostPoolName = 'sim';
export const storagePoolName = 'fast';
export const imageName = 'base';

export const namespaceObject = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name },
});

/** Hosts without latency, large enough for every machine of a burst. */
export const simulatedPool = (hosts: number, more: object = {}) => ({
  ...head('HostPool', hostPoolName),
  spec: {
    driver: 'simulated',
    simulated: {
      hosts: Array.from({ length: hosts }, (_, index) => ({
        name: `h${index}`,
        cpus: 4096,
        memory: '16Ti',
      })),
    },
    allowedNamespaces: { from: 'All' },
    ...more,
  },
});

export const simulatedStorage = () => ({
  ...head('StoragePool', storagePoolName),
  spec: {
    driver: 'simulated',
    hostPoolRefs: [{ name: hostPoolName }],
    topology: 'HostLocal',
    roles: ['Disks', 'Images'],
    allowedNamespaces: { from: 'All' },
  },
});

export const image = (namespace: string, url: string, checksum: string) => ({
  ...head('VirtualMachineImage', imageName, namespace),
  spec: { storagePoolRef: { name: storagePoolName }, source: { url, checksum }, format: 'raw' },
});

/** What a machine of a burst has besides CPU and memory. */
export type DiskShape = 'none' | 'blank' | 'linkedClone';

const disks = (shape: DiskShape): object => {
  if (shape === 'none') return {};
  const from = shape === 'linkedClone' ? { imageRef: { name: imageName } } : {};
  const template = { size: '1Gi', storagePoolRef: { name: storagePoolName }, ...from };
  return { disks: [{ name: 'root', template }] };
};

export const machine = (name: string, namespace: string, shape: DiskShape = 'none') => ({
  ...head('VirtualMachine', name, namespace),
  spec: {
    hostPoolRef: { name: hostPoolName },
    cpu: { cores: 1 },
    memory: '256Mi',
    powerState: 'PoweredOn',
    ...disks(shape),
  },
});

const group = '/apis/ovcp.dev/v1alpha1';
export const hostPath = (host: number): string => `${group}/hosts/${hostPoolName}.h${host}`;
export const poolPath = (): string => `${group}/storagepools/${storagePoolName}`;
export const collection = (plural: string, namespace: string): string =>
  `${group}/namespaces/${namespace}/${plural}`;
export const machinePath = (name: string, namespace: string): string =>
  `${collection('virtualmachines', namespace)}/${name}`;
