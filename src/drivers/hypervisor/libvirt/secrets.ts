/** Secrets of one host as libvirt's own, of type iscsi (formatsecret): private, and in the daemon's memory alone. */
import { Fault } from '../../../runtime/fault.ts';
import { errorCodes } from '../../../wire/libvirt/errors.ts';
import type { Secret } from '../../../wire/libvirt/protocol.gen.ts';
import type { HostId } from '../contract.ts';
import { type HostSecret, type HostSecrets, SECRET_MARK } from '../host-secrets.ts';
import type { HostLink } from './host-link.ts';
import type { Remote } from './remote.ts';
import { saidNo, toHostFault } from './to-fault.ts';
import { el, toXml } from './xml.ts';

/** VIR_SECRET_USAGE_TYPE_ISCSI. */
const ISCSI = 3;

export const secretXml = ({ uuid, usage }: HostSecret): string =>
  toXml(
    el(
      'secret',
      { ephemeral: 'yes', private: 'yes' },
      el('uuid', {}, uuid),
      el('description', {}, 'Made by OVCP; it goes when no machine here needs it.'),
      el('usage', { type: 'iscsi' }, el('target', {}, usage)),
    ),
  );

const find = async (remote: Remote, uuid: string, signal: AbortSignal): Promise<Secret | undefined> => {
  try {
    return (await remote.call('SECRET_LOOKUP_BY_UUID', { uuid }, signal)).secret;
  } catch (error) {
    if (saidNo(error, errorCodes.noSecret)) return undefined;
    throw error;
  }
};

const isOurs = ({ usageType, usageID }: Secret): boolean =>
  usageType === ISCSI && usageID.startsWith(SECRET_MARK);

const notOurs = (uuid: string): Fault =>
  new Fault('denied', `The host has a secret ${uuid} that is not ours; it is left alone.`, {
    reason: 'NameTaken',
  });

const put = async (
  remote: Remote,
  wanted: HostSecret,
  value: Uint8Array,
  signal: AbortSignal,
): Promise<void> => {
  const there = await find(remote, wanted.uuid, signal);
  if (there !== undefined && (!isOurs(there) || there.usageID !== wanted.usage)) throw notOurs(wanted.uuid);
  const secret =
    there ?? (await remote.call('SECRET_DEFINE_XML', { xml: secretXml(wanted), flags: 0 }, signal)).secret;
  await remote.call('SECRET_SET_VALUE', { secret, value, flags: 0 }, signal);
};

const drop = async (remote: Remote, uuid: string, signal: AbortSignal): Promise<void> => {
  const secret = await find(remote, uuid, signal);
  if (secret === undefined) return;
  if (!isOurs(secret)) throw notOurs(uuid);
  try {
    await remote.call('SECRET_UNDEFINE', { secret }, signal);
  } catch (error) {
    if (!saidNo(error, errorCodes.noSecret)) throw error;
  }
};

const list = async (remote: Remote, signal: AbortSignal): Promise<readonly HostSecret[]> => {
  const { secrets } = await remote.call('CONNECT_LIST_ALL_SECRETS', { need_results: 1, flags: 0 }, signal);
  return secrets
    .filter(isOurs)
    .map(({ uuid, usageID }) => ({ uuid: uuid.toLowerCase(), usage: usageID }))
    .toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1));
};

/** `linkOf` throws Fault when the host is not in the pool (any more). */
export const createHostSecrets = (host: HostId, linkOf: () => HostLink<unknown>): HostSecrets => {
  const on = async <T>(work: (remote: Remote) => Promise<T>, signal: AbortSignal): Promise<T> => {
    try {
      const { remote } = await linkOf().up(signal);
      return await work(remote);
    } catch (error) {
      throw toHostFault(error, host);
    }
  };
  return {
    list: (signal) => on((remote) => list(remote, signal), signal),
    put: (secret, value, signal) => on((remote) => put(remote, secret, value, signal), signal),
    drop: (uuid, signal) => on((remote) => drop(remote, uuid, signal), signal),
  };
};
