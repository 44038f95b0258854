/** Which hosts a pool has and how each is reached: from the list of the pool, or for one that is leaving from what its Host recorded. */
import type { Host } from '../api/host.ts';
import type { HostPool } from '../api/host-pool.ts';
import { bytesOf } from '../api/quantity.ts';
import type { HostCredentials, HostId } from '../drivers/hypervisor/contract.ts';
import { simulatedEndpoint } from '../drivers/hypervisor/simulated/driver.ts';
import type { SecretData } from '../kube/core-kinds.ts';

/** A host and the way to it, before its Secret was read. */
export interface KnownHost {
  readonly host: HostId;
  /** Undefined for a host that is no longer listed and whose Host never recorded it. */
  readonly uri: string | undefined;
  /** Name of a Secret in the operator's namespace. */
  readonly secret?: string | undefined;
}

const MiB = 1_048_576;

/** The hosts that the spec lists, in its order. */
export const listedHosts = ({ spec }: HostPool): readonly KnownHost[] => {
  switch (spec.driver) {
    case 'libvirt':
      return spec.libvirt.hosts.map(({ name, uri, credentialsSecretRef }) => ({
        host: name,
        uri,
        secret: credentialsSecretRef?.name,
      }));
    case 'simulated':
      return spec.simulated.hosts.map(({ name, cpus, memory, latencyMs }) => {
        const memoryMiB = Math.floor(bytesOf(memory) / MiB);
        return simulatedEndpoint({ name, cpus, memoryMiB, latencyMs });
      });
    default:
      return spec satisfies never;
  }
};

/** Hosts that were taken out of the list and still have an object, reached as when they were last listed. */
export const leavingHosts = (
  listed: readonly KnownHost[],
  objects: readonly Host[],
): readonly KnownHost[] => {
  const names = new Set(listed.map(({ host }) => host));
  return objects
    .filter(({ spec }) => !names.has(spec.hostName))
    .map(({ spec, status }) => ({
      host: spec.hostName,
      uri: status?.uri,
      secret: status?.credentialsSecretRef?.name,
    }));
};

const keys = {
  'ssh-privatekey': 'sshPrivateKey',
  'ssh-password': 'sshPassword',
  known_hosts: 'sshKnownHosts',
  'ca.crt': 'tlsCa',
  'tls.crt': 'tlsCert',
  'tls.key': 'tlsKey',
} as const satisfies Readonly<Record<string, keyof HostCredentials>>;

/** The documented keys of a host's Secret; others are not looked at. */
export const credentialsOf = (data: SecretData): HostCredentials =>
  Object.fromEntries(
    Object.entries(keys).flatMap(([key, field]) => {
      const value = data.get(key);
      return value === undefined ? [] : [[field, value.toString('utf8')]];
    }),
  );
