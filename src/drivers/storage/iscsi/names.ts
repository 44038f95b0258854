/** Names on iSCSI servers, derived from uids alone: nobody can choose one, and every step can be repeated. */
import { hash } from 'node:crypto';

// Hosts and machines know these too.
export { DISK_LUN, diskTargetIqn, hostInitiatorIqn, unitSerial, unitWwn } from '../../../api/identity.ts';

/** RFC 3720 3.2.6.3.1: a date at which the domain was ours, and the domain backwards. */
const AUTHORITY = 'iqn.2025-01.dev.ovcp';

/** What Linux shows as the vendor of a disk of ours: at most 8 characters. */
export const VENDOR = 'OVCP';

/** A uid as Kubernetes makes them, or refused: it becomes part of paths and names. */
const UID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** True for what may become part of a name on a server. */
export const isUid = (uid: string): boolean => UID.test(uid);

/** Name of the target that serves all disks of a pool. */
export const poolTargetIqn = (poolUid: string): string => `${AUTHORITY}:pool.${poolUid}`;

/** Name of the file (before `.raw`) or logical volume that holds a disk, and of a backing object in LIO. */
export const backingName = (diskUid: string): string => `ovcp-disk-${diskUid}`;

/** The uid in a name of ours, or undefined. */
export const diskUidOf = (name: string): string | undefined => {
  const uid = /^ovcp-disk-([0-9a-f-]{36})$/.exec(name)?.[1];
  return uid !== undefined && isUid(uid) ? uid : undefined;
};

/** RFC 3720 3.2.6.3.1, in the characters that every target software takes. */
export const isInitiatorIqn = (iqn: string): boolean =>
  iqn.length <= 223 && /^iqn\.[0-9]{4}-[0-9]{2}\.[a-z0-9][a-z0-9.-]*(:[A-Za-z0-9._:-]+)?$/.test(iqn);

/** One word that tells two secrets apart and gives neither away within a process: for comparing, never for storing. */
export const secretMark = (salt: string, secret: string): string =>
  hash('sha256', `${salt}\0${secret}`, 'hex').slice(0, 32);
