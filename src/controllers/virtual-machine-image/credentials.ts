/** How an image's server is asked: the documented keys of the Secret that the image names. */
import { X509Certificate } from 'node:crypto';
import type { VirtualMachineImage } from '../../api/virtual-machine-image.ts';
import { readSecret, type SecretData } from '../../kube/core-kinds.ts';
import type { OpenImageOptions } from '../../media/fetch-image.ts';
import { Fault, isFault } from '../../runtime/fault.ts';
import type { ControllerContext } from '../context.ts';

export type ImageCredentials = Pick<OpenImageOptions, 'headers' | 'basicAuth' | 'caPem'>;

/** Secrets are not watched: what they lack is looked for again, slower each time. */
const secretFault = (reason: 'SecretNotFound' | 'SecretInvalid', message: string): Fault =>
  new Fault('unreachable', message, { reason });

const lineOf = (name: string, data: SecretData, key: string): string | undefined => {
  const value = data.get(key)?.toString('utf8').trim();
  if (value !== undefined && (value === '' || /[^\x21-\x7e]/.test(value) || value.length > 16_384)) {
    throw secretFault('SecretInvalid', `Secret ${name} holds something unreadable under ${key}.`);
  }
  return value;
};

const certificatesOf = (name: string, data: SecretData): string | undefined => {
  const pem = data.get('ca.crt')?.toString('utf8');
  if (pem === undefined) return undefined;
  try {
    // undici takes anything and fails at the handshake with words that no one understands.
    const { subject } = new X509Certificate(pem);
    return subject === undefined ? undefined : pem;
  } catch {
    throw secretFault('SecretInvalid', `Secret ${name} holds no PEM certificate under ca.crt.`);
  }
};

/** Passwords may hold any character, user names no colon (RFC 7617). */
const basicOf = (name: string, data: SecretData): ImageCredentials['basicAuth'] => {
  const username = data.get('username')?.toString('utf8');
  const password = data.get('password')?.toString('utf8');
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined || password === undefined || username.includes(':')) {
    throw secretFault('SecretInvalid', `Secret ${name} needs both username and password.`);
  }
  return { username, password };
};

/** @throws Fault `unreachable` SecretInvalid, never with a value in it */
export const credentialsOf = (name: string, data: SecretData): ImageCredentials => {
  const token = lineOf(name, data, 'token');
  const basicAuth = basicOf(name, data);
  const caPem = certificatesOf(name, data);
  if (token === undefined && basicAuth === undefined && caPem === undefined) {
    throw secretFault(
      'SecretInvalid',
      `Secret ${name} has none of username and password, token, and ca.crt.`,
    );
  }
  if (token !== undefined && basicAuth !== undefined) {
    throw secretFault('SecretInvalid', `Secret ${name} has both a token and a password.`);
  }
  return {
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    ...(basicAuth === undefined ? {} : { basicAuth }),
    ...(caPem === undefined ? {} : { caPem }),
  };
};

const find = async (
  { secrets }: Pick<ControllerContext, 'secrets'>,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<SecretData> => {
  try {
    const data = await readSecret(secrets, { namespace, name }, signal);
    if (data !== undefined) return data;
  } catch (error) {
    if (!isFault(error, 'denied')) throw error;
    throw secretFault('SecretNotFound', `The operator may not read Secret ${name}.`);
  }
  throw secretFault('SecretNotFound', `Secret ${name} does not exist in this namespace.`);
};

/**
 * Changes whenever the image's Secret does; undefined when the image names none or it cannot be told now. A Secret
 * that is absent has a version too: that it went is a change.
 */
export const secretVersionOf = async (
  { secrets }: Pick<ControllerContext, 'secrets'>,
  { metadata, spec }: VirtualMachineImage,
  signal: AbortSignal,
): Promise<string | undefined> => {
  const { credentialsSecretRef: ref } = spec.source;
  if (ref === undefined) return undefined;
  try {
    const secret = await secrets.get({ namespace: metadata.namespace, name: ref.name }, signal);
    return secret === undefined ? 'absent' : `${secret.metadata.uid}/${secret.metadata.resourceVersion}`;
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    return undefined;
  }
};

/**
 * Reads the Secret of the image's own namespace.
 * @throws Fault `unreachable` SecretNotFound, SecretInvalid
 */
export const readCredentials = async (
  context: Pick<ControllerContext, 'secrets'>,
  image: VirtualMachineImage,
  signal: AbortSignal,
): Promise<ImageCredentials> => {
  const ref = image.spec.source.credentialsSecretRef;
  return ref === undefined
    ? {}
    : credentialsOf(ref.name, await find(context, image.metadata.namespace, ref.name, signal));
};
