/** Pools that hand out single disks of a storage server: how a host reaches one. Pure but for the fleet's memory. */
import {
  DISK_LUN,
  diskTargetIqn,
  hostInitiatorIqn,
  poolSecretMark,
  poolSecretUuid,
} from '../api/identity.ts';
import { type StoragePool, servesDisks, takesDisksAlone } from '../api/storage-pool.ts';
import { chapUserOf, portalOf } from '../api/storage-pool-iscsi.ts';
import type { HostSecret } from '../drivers/hypervisor/host-secrets.ts';
import type { NetworkAttachment } from '../drivers/hypervisor/shape.ts';
import type { DiskServer } from '../drivers/storage/contract.ts';
import { Fault } from '../runtime/fault.ts';
import type { ControllerContext } from './context.ts';

export const isServed = (pool: StoragePool | undefined): pool is StoragePool =>
  pool !== undefined && servesDisks(pool.spec);

/** Disks of it are filled through the operator: nothing of their image has to lie beside them. */
export const isFilled = (pool: StoragePool | undefined): pool is StoragePool =>
  pool !== undefined && takesDisksAlone(pool.spec);

/** Where hosts reach the pool; the emulator takes the first. */
const firstPortal = ({ spec }: StoragePool): NetworkAttachment['portal'] => {
  const [portal = 'simulated:3260'] = spec.driver === 'iscsi' ? spec.iscsi.target.portals : [];
  return portalOf(portal);
};

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

/**
 * How a host reaches a disk: every name is derived from uids, so that no status can lead to another's disk (ADR 10).
 * `hostUid` is undefined for a machine that has no host yet.
 */
export const servedAttachmentOf = (
  clusterId: string,
  pool: StoragePool,
  diskUid: string,
  hostUid: string | undefined,
): NetworkAttachment => {
  const login = loginOf(pool);
  return {
    kind: 'network',
    protocol: 'iscsi',
    portal: firstPortal(pool),
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
