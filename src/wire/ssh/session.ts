import type { Duplex } from 'node:stream';
import { Client, type ClientChannel, type ConnectConfig, type ServerHostKeyAlgorithm } from 'ssh2';
import { SshError, type SshFailure } from './errors.ts';
import { type PinnedKeys, parsePinnedKeys } from './host-keys.ts';
import { quoteCommand } from './quote.ts';

export type SshOptions = {
  host: string;
  port: number;
  user: string;
  /** known_hosts lines or public keys; a host that shows another key is refused before authentication. */
  hostKeys: string;
  /** OpenSSH or PEM private key, or a password, or both (the key is tried first). */
  privateKey?: string;
  passphrase?: string;
  password?: string;
  /** TCP, key exchange and authentication together. Default 20 s. */
  connectTimeoutMs?: number;
  /** A request to the server after this long, dead after three without answer. Default 10 s. */
  keepaliveIntervalMs?: number;
};

export type SshSession = {
  /** A byte stream to a UNIX socket of the host. Throws SshError: `prohibited` by sshd, or `absent` there. */
  openSocket(path: string, signal: AbortSignal): Promise<Duplex>;
  /** Runs a program; its standard streams are the channel. Every argument reaches it as one word. */
  exec(argv: readonly string[], signal: AbortSignal): Promise<ClientChannel>;
  /** Never rejects. */
  closed: Promise<SshError>;
  close(): void;
};

type Ssh2Error = Error & { level?: string; code?: string; reason?: number | string };

const KEEPALIVE_LIMIT = 3;
/** RFC 4254, 5.1: SSH_OPEN_ADMINISTRATIVELY_PROHIBITED. */
const PROHIBITED = 1;

const failureOf = (error: Ssh2Error): SshFailure => {
  if (error.level === 'client-authentication') return 'authentication';
  if (error.level === 'client-timeout' || error.code === 'ETIMEDOUT') return 'timeout';
  if (/no matching host key format/i.test(error.message)) return 'hostKeyMismatch';
  if (error.level === 'client-socket') return error.code === 'ECONNRESET' ? 'closed' : 'refused';
  return error.level === 'handshake' || error.level === 'protocol' ? 'protocol' : 'closed';
};

const configOf = (options: SshOptions, pinned: PinnedKeys, onRefused: () => void): ConnectConfig => ({
  host: options.host,
  port: options.port,
  username: options.user,
  ...(options.privateKey === undefined ? {} : { privateKey: options.privateKey }),
  ...(options.passphrase === undefined ? {} : { passphrase: options.passphrase }),
  ...(options.password === undefined ? {} : { password: options.password }),
  readyTimeout: options.connectTimeoutMs ?? 20_000,
  keepaliveInterval: options.keepaliveIntervalMs ?? 10_000,
  keepaliveCountMax: KEEPALIVE_LIMIT,
  algorithms: { serverHostKey: pinned.algorithms as ServerHostKeyAlgorithm[] },
  hostVerifier: (key: Buffer) => {
    const accepted = pinned.accepts(key);
    if (!accepted) onRefused();
    return accepted;
  },
});

/** Resolves when authenticated. The client is ended on every failure. */
const authenticated = (client: Client, options: SshOptions, pinned: PinnedKeys, signal: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    const where = `${options.host}:${options.port}`;
    let refusedKey = false;
    const end = (error: unknown): void => {
      signal.removeEventListener('abort', stop);
      reject(error);
      client.on('error', () => {});
      client.destroy();
    };
    const stop = (): void => end(signal.reason);
    client.once('ready', () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    client.on('error', (error: Ssh2Error) => {
      const kind = refusedKey ? 'hostKeyMismatch' : failureOf(error);
      const text =
        kind === 'hostKeyMismatch' ? 'the host shows another key than the pinned ones' : error.message;
      end(new SshError(kind, `ssh ${where}: ${text}`, { cause: error }));
    });
    client.once('close', () => end(new SshError('closed', `ssh ${where}: closed by the host`)));
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    try {
      client.connect(
        configOf(options, pinned, () => {
          refusedKey = true;
        }),
      );
    } catch (error) {
      // ssh2 names what is wrong with the key, not the key.
      end(new SshError('authentication', error instanceof Error ? error.message : 'unusable credentials'));
    }
  });

/** Only a server's answer carries a number; anything else is the end of the connection. */
const refusalOf = (error: Ssh2Error): SshFailure => {
  if (typeof error.reason !== 'number') return 'closed';
  return error.reason === PROHIBITED ? 'prohibited' : 'absent';
};

type OpenChannel = (done: (error: Error | undefined, channel: ClientChannel) => void) => unknown;

/** A channel that comes after the abort is closed again. */
const channel = (open: OpenChannel, what: string, signal: AbortSignal): Promise<ClientChannel> =>
  new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    const done = (error: Ssh2Error | undefined, made: ClientChannel): void => {
      signal.removeEventListener('abort', stop);
      if (error !== undefined) {
        reject(new SshError(refusalOf(error), `${what}: ${error.message}`, { cause: error }));
      } else if (signal.aborted) made.destroy();
      else resolve(made);
    };
    try {
      open(done);
    } catch (error) {
      signal.removeEventListener('abort', stop);
      reject(new SshError('closed', `${what}: the SSH session is over`, { cause: error }));
    }
  });

/** One SSH connection that carries any number of channels. Throws SshError or the signal's reason. */
export const connectSsh = async (options: SshOptions, signal: AbortSignal): Promise<SshSession> => {
  const pinned = parsePinnedKeys(options.hostKeys, options.host, options.port);
  const client = new Client();
  await authenticated(client, options, pinned, signal);
  const closed = Promise.withResolvers<SshError>();
  let last: Ssh2Error | undefined;
  client.on('error', (error: Ssh2Error) => {
    last = error;
  });
  client.once('close', () => {
    const options = last === undefined ? undefined : { cause: last };
    closed.resolve(new SshError('closed', last?.message ?? 'the SSH session ended', options));
  });
  return {
    openSocket: (path, signal) =>
      channel((done) => client.openssh_forwardOutStreamLocal(path, done), path, signal),
    exec: (argv, signal) => channel((done) => client.exec(quoteCommand(argv), done), argv[0] ?? '', signal),
    closed: closed.promise,
    close: () => client.end(),
  };
};
