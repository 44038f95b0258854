/** From a StoragePool to what its storage server is opened with: the wish, the machines, the clients. Pure. */
import type { Host } from '../api/host.ts';
import type { HostPool } from '../api/host-pool.ts';
import type { StoragePool } from '../api/storage-pool.ts';
import type { GlusterSpec } from '../api/storage-pool-gluster.ts';
import { chapUserOf, type IscsiSpec, portalOf } from '../api/storage-pool-iscsi.ts';
import type {
  GlusterWish,
  IscsiWish,
  ServerCredentials,
  ServerEndpoint,
  ServerWish,
} from '../drivers/storage/contract.ts';
import type { SecretData } from '../kube/core-kinds.ts';
import { leavingHosts, listedHosts } from './fleet-endpoints.ts';
import type { KnownLogin } from './storage-login.ts';

/** A machine and the way to it, before its Secret was read. */
export interface KnownServer {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** Name of a Secret in the operator's namespace. */
  readonly secret: string;
}

/** The server side of a pool. */
export interface ServerSetup {
  readonly wish: ServerWish;
  readonly login?: KnownLogin | undefined;
  readonly servers: readonly KnownServer[];
}

type Managed = Extract<GlusterSpec, { readonly management: 'Manage' }>;

const layoutOf = ({ layout }: Managed): GlusterWish['layout'] =>
  layout.type === 'Distribute'
    ? { type: 'Distribute' }
    : { type: 'Replicate', replica: layout.replica === 2 ? 2 : 3, arbiter: layout.arbiter === true };

const glusterWish = (spec: GlusterSpec, clients: readonly string[]): GlusterWish => {
  const { volume } = spec;
  if (spec.management === 'Observe') {
    const nothing = { layout: { type: 'Distribute' }, replicaSets: [], options: {}, clients: [] } as const;
    return { kind: 'gluster', management: 'Observe', volume, force: false, ...nothing };
  }
  return {
    kind: 'gluster',
    management: 'Manage',
    volume,
    layout: layoutOf(spec),
    replicaSets: spec.replicaSets,
    options: spec.options ?? {},
    force: spec.force === true,
    clients: [...new Set([...clients, ...(spec.clients ?? [])])].toSorted(),
  };
};

const backingOf = ({ backing }: IscsiSpec): IscsiWish['backing'] => {
  switch (backing.type) {
    case 'LVMThin':
      return { type: 'LVMThin', ...backing.lvmThin };
    case 'LVM':
      return { type: 'LVM', ...backing.lvm };
    case 'Files':
      return { type: 'Files', ...backing.files };
    default:
      return backing satisfies never;
  }
};

const iscsiSetup = (poolName: string, spec: IscsiSpec): ServerSetup => {
  const { target, chap, attach } = spec;
  const { software, portals, address, sshPort, user, credentialsSecretRef } = target;
  return {
    wish: { kind: 'iscsi', software, portals: portals.map(portalOf), backing: backingOf(spec) },
    ...(chap === undefined
      ? {}
      : {
          login: {
            user: chapUserOf(poolName, chap),
            secret: chap.credentialsSecretRef.name,
            asks: attach === 'Host',
          },
        }),
    servers: [
      {
        name: 'target',
        address,
        port: sshPort ?? 22,
        user: user ?? 'root',
        secret: credentialsSecretRef.name,
      },
    ],
  };
};

/** `clients`: addresses of the hosts that may mount it. Undefined for a pool that has no server side. */
export const setupOf = (
  { spec, metadata }: StoragePool,
  clients: readonly string[],
): ServerSetup | undefined => {
  switch (spec.driver) {
    case 'dir':
    case 'lvm':
    case 'nfs':
      return undefined;
    case 'gluster':
      return {
        wish: glusterWish(spec.gluster, clients),
        servers: spec.gluster.servers.map(({ name, address, sshPort, user, credentialsSecretRef }) => ({
          name,
          address,
          port: sshPort ?? 22,
          user: user ?? 'root',
          secret: credentialsSecretRef.name,
        })),
      };
    case 'iscsi':
      return iscsiSetup(metadata.name, spec.iscsi);
    case 'simulated':
      return (
        spec.simulated?.server && {
          wish: {
            kind: 'simulated',
            serves: spec.simulated.server.serves === 'Disks' ? 'disks' : 'files',
            latencyMs: spec.simulated.server.latencyMs ?? 0,
          },
          servers: [],
        }
      );
    default:
      return spec satisfies never;
  }
};

/** Whether what we made on the servers goes with the StoragePool. */
export const erasesOnDeletion = ({ spec }: StoragePool): boolean => {
  switch (spec.driver) {
    case 'dir':
    case 'lvm':
    case 'nfs':
    // Nothing but disks is on it, and each of them goes by its own policy.
    case 'iscsi':
      return false;
    case 'gluster':
      return spec.gluster.management === 'Manage' && spec.gluster.deletionPolicy === 'Delete';
    case 'simulated':
      return spec.simulated?.server?.deletionPolicy === 'Delete';
    default:
      return spec satisfies never;
  }
};

const keys = {
  'ssh-privatekey': 'sshPrivateKey',
  'ssh-password': 'sshPassword',
  known_hosts: 'sshKnownHosts',
} as const satisfies Readonly<Record<string, keyof ServerCredentials>>;

/** The documented keys of a server's Secret; others are not looked at. */
export const serverCredentialsOf = (data: SecretData): ServerCredentials =>
  Object.fromEntries(
    Object.entries(keys).flatMap(([key, field]) => {
      const value = data.get(key);
      return value === undefined ? [] : [[field, value.toString('utf8')]];
    }),
  );

export const endpointOf = (server: KnownServer, credentials: ServerCredentials): ServerEndpoint => {
  const { name, address, port, user } = server;
  return { name, address, ssh: { host: address, port, user, credentials } };
};

/** The machine that a libvirt URI names; undefined for a socket of the operator's own machine. */
export const hostOfUri = (uri: string): string | undefined => {
  const [, bracketed, plain] =
    /^[a-z+]+:\/\/(?:[^@/]*@)?(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::[0-9]+)?\//.exec(uri) ?? [];
  return bracketed ?? plain;
};

/** Names and addresses of all hosts that reach the pool, or still hold something of it. */
export const clientNames = (
  pool: StoragePool,
  hostPoolOf: (name: string) => HostPool | undefined,
  hostsOf: (hostPool: string) => readonly Host[],
): readonly string[] => {
  const wanted = pool.spec.hostPoolRefs.map(({ name }) => name);
  const shown = new Set((pool.status?.hosts ?? []).map(({ name }) => name));
  const held = [...shown].flatMap((name) => name.slice(0, name.indexOf('.')));
  const names = [...new Set([...wanted, ...held])].flatMap((name) => {
    const hostPool = hostPoolOf(name);
    if (hostPool === undefined || hostPool.spec.driver === 'simulated') return [];
    const listed = listedHosts(hostPool);
    const all = [...listed, ...leavingHosts(listed, hostsOf(name))];
    const counted = wanted.includes(name) ? all : all.filter(({ host }) => shown.has(`${name}.${host}`));
    return counted.flatMap(({ uri }) => (uri === undefined ? [] : (hostOfUri(uri) ?? [])));
  });
  return [...new Set(names)].toSorted();
};
