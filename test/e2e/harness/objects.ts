/** Objects as the suite applies them. */
import type { KvmHost } from '../../../hack/lab/kvm-host.ts';

export const team = 'team-a';

const head = (kind: string, name: string, namespace?: string) => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
});

export interface PoolHost {
  readonly name: string;
  readonly uri: string;
  readonly secret?: string;
}

/** A HostPool that team-a may use. */
export const hostPool = (name: string, hosts: readonly PoolHost[], more: object = {}) => ({
  ...head('HostPool', name),
  spec: {
    driver: 'libvirt',
    libvirt: {
      hosts: hosts.map((it) => ({
        name: it.name,
        uri: it.uri,
        ...(it.secret === undefined ? {} : { credentialsSecretRef: { name: it.secret } }),
      })),
    },
    allowedNamespaces: { from: 'Selector', selector: { matchLabels: { team: 'a' } } },
    overcommit: { cpuPercent: 1600, memoryPercent: 100 },
    auditPeriodSeconds: 30,
    ...more,
  },
});

export const storagePool = (name: string, pool: string, path: string, more: object = {}) => ({
  ...head('StoragePool', name),
  spec: {
    driver: 'dir',
    hostPoolRefs: [{ name: pool }],
    topology: 'HostLocal',
    dir: { path },
    roles: ['Disks', 'Images', 'ISO'],
    allowedNamespaces: { from: 'All' },
    ...more,
  },
});

export const network = (name: string, pool: string, backend: object, more: object = {}) => ({
  ...head('VirtualNetwork', name),
  spec: {
    allowedNamespaces: { from: 'All' },
    backends: [{ name: 'kvm', hostPoolRef: { name: pool }, ...backend }],
    ...more,
  },
});

export const image = (name: string, url: string, checksum: string, more: object = {}) => ({
  ...head('VirtualMachineImage', name, team),
  spec: { storagePoolRef: { name: 'local' }, source: { url, checksum }, format: 'qcow2', ...more },
});

export const disk = (name: string, size: string, more: object = {}) => ({
  ...head('VirtualDisk', name, team),
  spec: { storagePoolRef: { name: 'local' }, size, ...more },
});

/** A disk of a machine, made for it from the image `tiny` (or blank). */
export const templated = (name: string, template: object = {}, more: object = {}) => ({
  name,
  template: { size: '64Mi', storagePoolRef: { name: 'local' }, ...template },
  ...more,
});

export const bootDisk = (template: object = {}) =>
  templated('root', { size: '256Mi', imageRef: { name: 'tiny' }, ...template }, { bootOrder: 1 });

/** A machine of the smallest size that boots; without cards, since those cost seconds of the guest's time. */
export const machine = (name: string, spec: object = {}) => ({
  ...head('VirtualMachine', name, team),
  spec: {
    hostPoolRef: { name: 'kvm' },
    cpu: { cores: 1 },
    memory: '192Mi',
    shutdown: { mode: 'GracefulThenHard', timeoutSeconds: 60 },
    disks: [bootDisk()],
    ...spec,
  },
});

export const secret = (name: string, namespace: string, values: Readonly<Record<string, string>>) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
  stringData: values,
});

/** The keys by which the operator reaches a host. */
export const hostSecret = (name: string, host: KvmHost, more: Readonly<Record<string, string>> = {}) =>
  secret(name, 'ovcp-system', {
    'ssh-privatekey': host.credentials.sshPrivateKey,
    known_hosts: host.credentials.sshKnownHosts,
    'tls.crt': host.credentials.tls.clientCert,
    'tls.key': host.credentials.tls.clientKey,
    'ca.crt': host.credentials.tls.ca,
    ...more,
  });

/** What a tenant may do in their namespace. */
export const tenantRights = (user: string) => [
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'tenant', namespace: team },
    rules: [
      {
        apiGroups: ['ovcp.dev'],
        resources: ['virtualmachines', 'virtualdisks', 'virtualmachineimages'],
        verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'],
      },
      {
        apiGroups: [''],
        resources: ['secrets'],
        verbs: ['get', 'list', 'create', 'update', 'patch', 'delete'],
      },
      { apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['get', 'list', 'watch'] },
    ],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'tenant', namespace: team },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'tenant' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
  },
];

/** Somebody else's machine. */
export const foreignXml = (name: string): string => `<domain type="qemu">
  <name>${name}</name><memory unit="MiB">32</memory><vcpu>1</vcpu>
  <os><type arch="x86_64" machine="q35">hvm</type></os>
  <metadata><app:owner xmlns:app="https://example.org/app">somebody</app:owner></metadata>
</domain>`;
