import { connect as connectSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Transport } from './connection.ts';
import { type ConnectionFailure, LibvirtConnectionError } from './errors.ts';

export type TlsCredentials = {
  /** PEM of the authority that signs the hosts' certificates; no other is trusted. */
  ca: string;
  /** PEM of our client certificate and its key. */
  cert: string;
  key: string;
};

const kinds: Readonly<Record<string, ConnectionFailure>> = {
  EACCES: 'authentication',
  EPERM: 'authentication',
  ETIMEDOUT: 'timeout',
  ECONNRESET: 'closed',
  EPIPE: 'closed',
};

const isCertificate = (code: string): boolean =>
  /CERT|SIGNATURE|ISSUER|SELF_SIGNED|ERR_SSL_|ERR_TLS_|ERR_OSSL_/.test(code);

/** Keeps Node's message: it names address and reason, never a key. */
export const transportError = (error: Error & { code?: string }, where: string): LibvirtConnectionError => {
  const code = error.code ?? '';
  const kind = kinds[code] ?? (isCertificate(code) ? 'certificate' : 'refused');
  return new LibvirtConnectionError(kind, `${where}: ${error.message}`, { cause: error });
};

/** Waits for `event`; on failure or abort the socket is destroyed. */
const ready = <S extends Duplex>(socket: S, event: string, where: string, signal: AbortSignal): Promise<S> =>
  new Promise((resolve, reject) => {
    const settle = (finish: () => void): void => {
      signal.removeEventListener('abort', stop);
      socket.off('error', fail).off('close', gone).off(event, done);
      finish();
    };
    const end = (error: unknown): void =>
      settle(() => {
        socket.on('error', () => {});
        socket.destroy();
        reject(error);
      });
    const stop = (): void => end(signal.reason);
    const fail = (error: Error): void => end(transportError(error, where));
    const gone = (): void => end(new LibvirtConnectionError('closed', `${where}: closed by the host`));
    const done = (): void => settle(() => resolve(socket));
    socket.once('error', fail).once('close', gone).once(event, done);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });

/** A daemon's UNIX socket on this machine. */
export const unixTransport =
  (path: string): Transport =>
  (signal) =>
    ready(connectSocket({ path }), 'connect', path, signal);

/**
 * libvirtd checks our certificate only after the handshake and then sends one byte, 0x01, before anything else
 * (src/rpc/virnetclient.c); a close instead means that it refuses the certificate or its subject.
 */
const awaitWelcome = async (socket: TLSSocket, where: string, signal: AbortSignal): Promise<void> => {
  try {
    await ready(socket, 'readable', where, signal);
  } catch (error) {
    if (!(error instanceof LibvirtConnectionError) || error.kind !== 'closed') throw error;
    throw new LibvirtConnectionError('certificate', `${where}: the host refuses our client certificate`, {
      cause: error,
    });
  }
  const byte: unknown = socket.read(1);
  if (byte instanceof Buffer && byte[0] === 1) return;
  socket.destroy();
  throw new LibvirtConnectionError('certificate', `${where}: the host refuses our client certificate`);
};

/** libvirt's TLS socket, port 16514. The server's name or address must stand in its certificate. */
export const tlsTransport =
  (options: { host: string; port: number; credentials: TlsCredentials }): Transport =>
  async (signal) => {
    const { host, port, credentials } = options;
    const where = `${host}:${port}`;
    const socket = connectTls({
      host,
      port,
      ca: credentials.ca,
      cert: credentials.cert,
      key: credentials.key,
      minVersion: 'TLSv1.2',
    });
    await ready(socket, 'secureConnect', where, signal);
    await awaitWelcome(socket, where, signal);
    return socket;
  };
