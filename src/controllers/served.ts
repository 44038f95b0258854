/** Pools that hand out single disks of a storage server: how a host reaches one. Pure but for the fleet's memory. */
import {
  DISK_LUN,
  diskTargetIqn,
  hostInitiatorIqn,
  poolSecretMark,
  poolSecretUuid,
  unitSerial,
  unitWwn,
} from '../api/identity.ts';
import { attachOf, type StoragePool, servesDisks, takesDisksAlone } from '../api/storage-pool.ts';
import { chapUserOf, portalOf } from '../api/storage-pool-iscsi.ts';
import {
  devicePathOf,
  type LoginSecret,
  type LoginWish,
  type Portal,
} from '../drivers/hypervisor/host-logins.ts';
import type { HostSecret } from '../drivers/hypervisor/host-secrets.ts';
import type { BlockAttachment, NetworkAttachment } from '../drivers/hypervisor/shape.ts';
import type { DiskServer } from '../drivers/storage/contract.ts';
import { Fault } from '../runtime/fault.ts';
import type { ControllerContext } from './context.ts';

export const isServed = (pool: StoragePool | undefined): pool is StoragePool =>
  pool !== undefined && servesDisks(pool.spec);

const SIMULATED: Portal = { address: 'simulated', port: 3260 };

/** Where hosts reach the pool: an emulator takes the first, a host that logs in itself all of them. */
export const portalsOf = ({ spec }: StoragePool): readonly Portal[] =>
  spec.driver === 'iscsi' ? spec.iscsi.target.portals.map(portalOf) : [SIMULATED];

/** The hosts of the pool log in themselves. */
export const isLoggedIn = (pool: StoragePool): boolean => attachOf(pool.spec) === 'Host';

/** Disks of it are filled through the operator: nothing of their image has to lie beside them. */
export const isFilled = (pool: StoragePool | undefined): pool is StoragePool =>
  pool !== undefined && takesDisksAlone(pool.spec);

/** The secret that a host keeps for the pool, in the version given. */
export const secretOf = (clusterId: string, pool: StoragePool, version: string): HostSecret => ({
  uuid: poolSecretUuid(clusterId, pool.metadata.uid, version),
  usage: `${poolSecretMark(clusterId, pool.metadata.uid)}${version}`,
});

/** The login of the pool: `unknown` until its Secret was read once. */
export type LoginWorld =
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'known'; readonly user: string; readonly version: string };

export const loginOf = ({ spec, status, metadata }: StoragePool): LoginWorld => {
  if (spec.driver !== 'iscsi' || spec.iscsi.chap === undefined) return { kind: 'none' };
  const version = status?.login?.version;
  return version === undefined
    ? { kind: 'unknown' }
    : { kind: 'known', user: chapUserOf(metadata.name, spec.iscsi.chap), version };
};

/** What a host has to be logged in to. Every name is derived from uids (ADR 10). */
export const loginWishOf = (
  pool: StoragePool,
  use: {
    readonly diskUid: string;
    readonly hostUid: string;
    readonly sizeBytes: number;
    readonly inUse: boolean;
    readonly secret: LoginSecret | undefined;
  },
): LoginWish => ({
  targetIqn: diskTargetIqn(use.diskUid),
  lun: DISK_LUN,
  portals: portalsOf(pool),
  initiator: hostInitiatorIqn(use.hostUid),
  wwn: unitWwn(use.diskUid),
  serial: unitSerial(use.diskUid),
  sizeBytes: use.sizeBytes,
  inUse: use.inUse,
  ...(use.secret === undefined ? {} : { secret: use.secret }),
});

/** What the pool's hosts log in with now. Throws Fault `busy` while it is being read. */
export const loginSecretOf = (
  { storage }: Pick<ControllerContext, 'storage'>,
  pool: StoragePool,
): LoginSecret | undefined => {
  if (loginOf(pool).kind === 'none') return undefined;
  const login = storage.session(pool.metadata.name)?.login();
  if (login !== undefined) return login;
  throw new Fault('busy', `The login of StoragePool ${pool.metadata.name} is being read.`, {
    reason: 'Connecting',
  });
};

/**
 * How a host reaches a disk: every name is derived from uids, so that no status can lead to another's disk (ADR 10).
 * `hostUid` is undefined for a machine that has no host yet.
 */
export const servedAttachmentOf = (
  clusterId: string,
  pool: StoragePool,
  diskUid: string,
  hostUid: string | undefined,
): NetworkAttachment | BlockAttachment => {
  const portals = portalsOf(pool);
  if (isLoggedIn(pool))
    return { kind: 'block', path: devicePathOf({ wwn: unitWwn(diskUid), portals }), format: 'raw' };
  const login = loginOf(pool);
  return {
    kind: 'network',
    protocol: 'iscsi',
    portal: portals[0] ?? SIMULATED,
    targetIqn: diskTargetIqn(diskUid),
    lun: DISK_LUN,
    initiator: hostUid === undefined ? '' : hostInitiatorIqn(hostUid),
    ...(login.kind === 'known'
      ? { auth: { user: login.user, secretUuid: secretOf(clusterId, pool, login.version).uuid } }
      : {}),
    format: 'raw',
  };
};

/** The open server of such a pool. Throws Fault `busy` while it is being opened, `unreachable` when it cannot be. */
export const diskServerOf = (
  { storage }: Pick<ControllerContext, 'storage'>,
  pool: StoragePool,
): DiskServer => {
  const { name, generation } = pool.metadata;
  const state = storage.session(name)?.state(generation) ?? { kind: 'opening' as const };
  switch (state.kind) {
    case 'opening':
      throw new Fault('busy', `StoragePool ${name} is being connected.`, { reason: 'Connecting' });
    case 'lack':
      throw new Fault('unreachable', state.message, { reason: state.reason });
    case 'open':
      if (state.server.disks !== undefined) return state.server.disks;
      throw new Fault('bug', `StoragePool ${name} hands out no disks.`);
    default:
      return state satisfies never;
  }
};

/** The same without a fault: undefined while it cannot be asked. */
export const openDiskServer = (
  { storage }: Pick<ControllerContext, 'storage'>,
  { metadata }: StoragePool,
): DiskServer | undefined => {
  const state = storage.session(metadata.name)?.state(metadata.generation);
  return state?.kind === 'open' ? state.server.disks : undefined;
};
