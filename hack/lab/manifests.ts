import { randomBytes } from 'node:crypto';
import type { GlusterLab } from './gluster.ts';
import type { IscsiTarget } from './iscsi-target.ts';
import type { KvmHost } from './kvm-host.ts';

/** Namespace of the operator and of the credentials it reads. */
export const operatorNamespace = 'ovcp-system';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** The Secret a HostPool names for this host, with every key the operator knows (SSH and TLS). */
export const credentialsSecret = (host: KvmHost, namespace = operatorNamespace): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  type: 'Opaque',
  metadata: { name: host.name, namespace },
  data: {
    'ssh-privatekey': base64(host.credentials.sshPrivateKey),
    known_hosts: base64(host.credentials.sshKnownHosts),
    'tls.crt': base64(host.credentials.tls.clientCert),
    'tls.key': base64(host.credentials.tls.clientKey),
    'ca.crt': base64(host.credentials.tls.ca),
  },
});

const opaqueSecret = (name: string, data: Readonly<Record<string, string>>): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  type: 'Opaque',
  metadata: { name, namespace: operatorNamespace },
  data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, base64(text)])),
});

/** The Secrets that StoragePools of these servers name, with a CHAP secret of this lab's own. */
export const storageSecrets = ({
  gluster: { nodes },
  target,
}: {
  gluster: Pick<GlusterLab, 'nodes'>;
  target: Pick<IscsiTarget, 'credentials'>;
}): object[] => [
  opaqueSecret('gluster-ssh', {
    'ssh-privatekey': nodes[0]?.credentials.sshPrivateKey ?? '',
    known_hosts: nodes.map(({ credentials }) => credentials.sshKnownHosts).join(''),
  }),
  opaqueSecret('san-ssh', {
    'ssh-privatekey': target.credentials.sshPrivateKey,
    known_hosts: target.credentials.sshKnownHosts,
  }),
  opaqueSecret('san-chap', { 'chap-password': randomBytes(12).toString('hex') }),
];

export type Transport = 'unix' | 'ssh' | 'tls';

const uriFor = (host: KvmHost, transport: Transport): string => {
  const uri = host.uris[transport];
  if (uri === undefined) throw new Error(`${host.name} does not listen on ${transport}`);
  return uri;
};

/**
 * A HostPool of these hosts that every namespace may use. `transportOf` says how each is reached; by default the
 * first by SSH and the others by TLS where they have it.
 */
export const hostPoolManifest = (
  hosts: readonly KvmHost[],
  name = 'kvm',
  transportOf: (host: KvmHost, index: number) => Transport = (host, index) =>
    index === 0 || host.uris.tls === undefined ? 'ssh' : 'tls',
): object => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'HostPool',
  metadata: { name },
  spec: {
    driver: 'libvirt',
    libvirt: {
      hosts: hosts.map((host, index) => ({
        name: host.name,
        uri: uriFor(host, transportOf(host, index)),
        credentialsSecretRef: { name: host.name },
      })),
    },
    allowedNamespaces: { from: 'All' },
    overcommit: { cpuPercent: 400, memoryPercent: 100 },
  },
});

/** Several objects as one document that `kubectl apply -f -` takes. */
export const listOf = (items: readonly object[]): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
