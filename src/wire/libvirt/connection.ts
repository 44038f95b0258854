import type { Duplex } from 'node:stream';
import { raceAbort } from '../signals.ts';
import { withLimit } from './abort.ts';
import type { Args, ProcedureName, Ret } from './codec.ts';
import { LibvirtConnectionError, LibvirtError } from './errors.ts';
import { createEventHub, type EventHub } from './events.ts';
import type { KeepaliveOptions } from './keepalive.ts';
import { createPeer, type Peer } from './peer.ts';
import { messages } from './protocol.gen.ts';
import { createStreams, type LibvirtStreams } from './streams.ts';
import { systemTimers, type Timers } from './timers.ts';

/** A typed remote procedure; see Connection.call for what it throws. */
export type LibvirtCall = <P extends ProcedureName>(
  name: P,
  args: Args<P>,
  signal: AbortSignal,
  options?: { timeoutMs?: number },
) => Promise<Ret<P>>;

/** Opens a byte stream to a daemon. Throws LibvirtConnectionError. */
export type Transport = (signal: AbortSignal) => Promise<Duplex>;

export type ConnectOptions = {
  transport: Transport;
  /** What the daemon is to open: `qemu:///system`, `test:///default`, `network:///system`. */
  uri: string;
  readOnly?: boolean;
  /** Default: PING after 5 s of silence, dead after five of them, as libvirt's own client. */
  keepalive?: KeepaliveOptions;
  /** Transport, authentication and open together. Default 30 s. */
  connectTimeoutMs?: number;
  /** Default limit of one call, queueing included: 60 s. */
  callTimeoutMs?: number;
  timers?: Timers;
};

export type LibvirtConnection = {
  /**
   * At most four calls are on their way; further ones wait in order. Throws LibvirtError (the host said no),
   * LibvirtConnectionError (it could not be asked), XdrError (arguments that cannot be sent) or the signal's reason.
   * An abort or timeout removes a queued call; for a sent one it ends the waiting only: remote work is not undone.
   */
  call: LibvirtCall;
  events: EventHub;
  /** Uploads, downloads and consoles of this connection: use one that carries nothing else. */
  streams: LibvirtStreams;
  /** Why it ended; kind `closed` with the message of `close` when we ended it. Never rejects. */
  closed: Promise<LibvirtConnectionError>;
  /** Says goodbye when the host still listens, within a second. */
  close(): Promise<void>;
};

/** virNetMessage and remote_internal.h: features asked by CONNECT_SUPPORTS_FEATURE. */
const features = { keepalive: 10, eventCallback: 14, closeCallback: 15 } as const;
const auth = { none: 0, polkit: 2 } as const;
const GOODBYE_MS = 1_000;

type Ask = <P extends ProcedureName>(name: P, args: Args<P>) => Promise<Ret<P>>;

const authenticate = async (ask: Ask): Promise<void> => {
  const { types } = await ask('AUTH_LIST', {});
  if (types.length === 0 || types.includes(auth.none)) return;
  if (!types.includes(auth.polkit)) {
    throw new LibvirtConnectionError(
      'authentication',
      'the daemon asks for SASL; use SSH, TLS or its UNIX socket instead',
    );
  }
  try {
    await ask('AUTH_POLKIT', {});
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error;
    throw new LibvirtConnectionError('authentication', `polkit refuses this user: ${error.message}`, {
      cause: error,
    });
  }
};

/** The order of src/remote/remote_driver.c; asking for the keepalive feature is what starts the daemon's PINGs. */
const handshake = async (ask: Ask, options: ConnectOptions): Promise<void> => {
  await authenticate(ask);
  const supports = async (feature: number): Promise<boolean> =>
    (await ask('CONNECT_SUPPORTS_FEATURE', { feature })).supported !== 0;
  if (!(await supports(features.keepalive))) {
    throw new LibvirtConnectionError(
      'protocol',
      'the daemon knows no keepalive: it is older than libvirt 0.9.8',
    );
  }
  await ask('CONNECT_OPEN', { name: options.uri, flags: options.readOnly === true ? 1 : 0 });
  if (!(await supports(features.eventCallback))) {
    throw new LibvirtConnectionError(
      'protocol',
      'the daemon filters no events: it is older than libvirt 1.3.0',
    );
  }
  if (await supports(features.closeCallback)) await registerClose(ask);
};

/** Drivers without such a callback (test:///) answer that they do not support it; nothing is lost. */
const registerClose = async (ask: Ask): Promise<void> => {
  try {
    await ask('CONNECT_REGISTER_CLOSE_CALLBACK', {});
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error;
  }
};

const createConnection = (peer: Peer, call: LibvirtCall, events: EventHub): LibvirtConnection => ({
  call,
  events: { subscribe: (kinds, listener, signal) => events.subscribe(kinds, listener, signal) },
  streams: createStreams(peer),
  closed: peer.closed,
  close: async () => {
    const goodbye = new AbortController().signal;
    try {
      await call('CONNECT_CLOSE', {}, goodbye, { timeoutMs: GOODBYE_MS });
    } catch {
      // The connection ends either way.
    }
    peer.close(new LibvirtConnectionError('closed', 'closed by us'));
  },
});

/**
 * One connection to one daemon, authenticated and open. Throws LibvirtConnectionError, or LibvirtError when the
 * daemon refuses the URI.
 */
export const connectLibvirt = async (
  options: ConnectOptions,
  signal: AbortSignal,
): Promise<LibvirtConnection> => {
  const timers = options.timers ?? systemTimers;
  const limit = withLimit([signal], options.connectTimeoutMs ?? 30_000, 'connecting', timers);
  try {
    const opening = options.transport(limit.signal);
    opening.then((late) => limit.signal.aborted && late.destroy()).catch(() => {});
    const duplex = await raceAbort(opening, limit.signal);
    const call: LibvirtCall = async (name, args, signal, callOptions) =>
      (await peer.call(name, args, signal, callOptions)).ret;
    const events = createEventHub(call);
    const peer = createPeer({
      duplex,
      timers,
      keepalive: options.keepalive ?? { intervalMs: 5_000, limit: 5 },
      callTimeoutMs: options.callTimeoutMs ?? 60_000,
      onMessage: (procedure, payload) => {
        if (procedure === messages.CONNECT_EVENT_CONNECTION_CLOSED[0]) {
          peer.close(new LibvirtConnectionError('closed', 'the daemon lost its hypervisor'));
        } else events.dispatch(procedure, payload);
      },
    });
    try {
      await handshake((name, args) => call(name, args, limit.signal), options);
    } catch (error) {
      peer.close(new LibvirtConnectionError('closed', 'the handshake failed'));
      throw error;
    }
    return createConnection(peer, call, events);
  } finally {
    limit.clear();
  }
};
