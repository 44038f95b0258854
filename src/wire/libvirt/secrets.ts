import type { LibvirtCall } from './connection.ts';
import type { Secret } from './protocol.gen.ts';

/** libvirt's own secrets (disk encryption, storage credentials); values go in and are never read back. */
export const createSecrets = (call: LibvirtCall) => ({
  listAll: async (signal: AbortSignal): Promise<readonly Secret[]> =>
    (await call('CONNECT_LIST_ALL_SECRETS', { need_results: 1, flags: 0 }, signal)).secrets,
  byUuid: async (uuid: string, signal: AbortSignal): Promise<Secret> =>
    (await call('SECRET_LOOKUP_BY_UUID', { uuid }, signal)).secret,
  defineXml: async (xml: string, signal: AbortSignal): Promise<Secret> =>
    (await call('SECRET_DEFINE_XML', { xml, flags: 0 }, signal)).secret,
  setValue: (secret: Secret, value: Uint8Array, signal: AbortSignal) =>
    call('SECRET_SET_VALUE', { secret, value, flags: 0 }, signal),
  undefine: (secret: Secret, signal: AbortSignal) => call('SECRET_UNDEFINE', { secret }, signal),
});

export type Secrets = ReturnType<typeof createSecrets>;
