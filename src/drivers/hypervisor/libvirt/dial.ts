/** Opens the wire client's session for an endpoint: URI, SSH key and pinned host key, TLS authority and certificate. */
import { Fault } from '../../../runtime/fault.ts';
import {
  openLibvirtSession,
  type SessionOptions,
  type SshCredentials,
} from '../../../wire/libvirt/session.ts';
import type { TlsCredentials } from '../../../wire/libvirt/transports.ts';
import { type LibvirtUri, LibvirtUriError, parseLibvirtUri } from '../../../wire/libvirt/uri.ts';
import type { SshOptions } from '../../../wire/ssh/session.ts';
import type { HostCredentials, HostEndpoint } from '../contract.ts';
import type { Dial } from './remote.ts';

const uriOf = ({ host, uri }: HostEndpoint): LibvirtUri => {
  try {
    return parseLibvirtUri(uri);
  } catch (error) {
    if (!(error instanceof LibvirtUriError)) throw error;
    throw new Fault('invalid', `The URI of host ${host} cannot be used: ${error.message}.`, {
      reason: 'InvalidUri',
      where: host,
      cause: error,
    });
  }
};

const secretInvalid = (host: string, what: string): Fault =>
  new Fault('invalid', `The Secret of host ${host} lacks ${what}.`, { reason: 'SecretInvalid', where: host });

const sshOf = (host: string, credentials: HostCredentials | undefined): SshCredentials => {
  const { sshPrivateKey, sshPassword, sshKnownHosts } = credentials ?? {};
  if (sshKnownHosts === undefined) throw secretInvalid(host, 'the known host key for SSH');
  if (sshPrivateKey === undefined && sshPassword === undefined)
    throw secretInvalid(host, 'an SSH key or password');
  return {
    hostKeys: sshKnownHosts,
    ...(sshPrivateKey === undefined ? {} : { privateKey: sshPrivateKey }),
    ...(sshPassword === undefined ? {} : { password: sshPassword }),
  };
};

const tlsOf = (host: string, credentials: HostCredentials | undefined): TlsCredentials => {
  const { tlsCa, tlsCert, tlsKey } = credentials ?? {};
  if (tlsCa === undefined || tlsCert === undefined || tlsKey === undefined) {
    throw secretInvalid(host, 'the authority, certificate or key for TLS');
  }
  return { ca: tlsCa, cert: tlsCert, key: tlsKey };
};

const optionsOf = (endpoint: HostEndpoint): SessionOptions => {
  const uri = uriOf(endpoint);
  switch (uri.transport.type) {
    case 'unix':
      return { uri };
    case 'ssh':
      return { uri, ssh: sshOf(endpoint.host, endpoint.credentials) };
    case 'tls':
      return { uri, tls: tlsOf(endpoint.host, endpoint.credentials) };
    default:
      return uri.transport satisfies never;
  }
};

export const isReachedBySsh = (endpoint: HostEndpoint): boolean => uriOf(endpoint).transport.type === 'ssh';

/** How programs are run on the host: as libvirt is reached; undefined where that is not by SSH. Throws Fault `invalid`. */
export const sshOptionsOf = (endpoint: HostEndpoint): SshOptions | undefined => {
  const { transport } = uriOf(endpoint);
  if (transport.type !== 'ssh') return undefined;
  const { host, port, user = 'root' } = transport;
  return { ...sshOf(endpoint.host, endpoint.credentials), host, port, user };
};

/** Throws Fault `invalid` for an endpoint that can never work, wire errors for one that does not answer. */
export const dialLibvirt: Dial = async (endpoint, signal) => openLibvirtSession(optionsOf(endpoint), signal);
