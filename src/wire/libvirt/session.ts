import { posix } from 'node:path';
import { raceAbort } from '../signals.ts';
import { connectSsh, type SshOptions, type SshSession } from '../ssh/session.ts';
import {
  type ConnectOptions,
  connectLibvirt,
  type LibvirtCall,
  type LibvirtConnection,
  type Transport,
} from './connection.ts';
import { LibvirtConnectionError } from './errors.ts';
import type { EventHub, LibvirtEventKind } from './events.ts';
import { sshTransport } from './ssh-transport.ts';
import type { LibvirtStreams } from './streams.ts';
import { type Subsystem, splitSocket, splitUri, subsystemOf, subsystemOfEvent } from './subsystems.ts';
import { type TlsCredentials, tlsTransport, unixTransport } from './transports.ts';
import type { LibvirtUri } from './uri.ts';

export type SshCredentials = Pick<SshOptions, 'hostKeys' | 'privateKey' | 'passphrase' | 'password'> & {
  /** Used when the URI names no user. */
  user?: string;
};

export type SessionOptions = Omit<ConnectOptions, 'transport' | 'uri'> & {
  uri: LibvirtUri;
  /** Needed by qemu+ssh. */
  ssh?: SshCredentials;
  /** Needed by qemu+tls. */
  tls?: TlsCredentials;
};

/** A host: one libvirtd, or the split daemons, each called where its procedures live. */
export type LibvirtSession = {
  layout: 'single' | 'split';
  call: LibvirtCall;
  events: EventHub;
  /** On connections of their own, opened at first use and again after they broke. */
  streams: LibvirtStreams;
  /** Why the first of its connections for calls ended; the others are closed then. Never rejects. */
  closed: Promise<LibvirtConnectionError>;
  close(): Promise<void>;
};

/** docs/daemons.rst; /var/run as libvirt's own client asks for. */
const SOCKET_DIR = '/var/run/libvirt';
const SPLIT_SOCKET = /^virt(qemu|xen)d-sock$/;

type Access = { transport(socket: string, uri: string): Transport; close(): void };

const sshAccess = (options: SshOptions): Access => {
  const life = new AbortController();
  let session: Promise<SshSession> | undefined;
  const forget = (): void => {
    session = undefined;
  };
  const open = (signal: AbortSignal): Promise<SshSession> => {
    session ??= connectSsh(options, life.signal).then((made) => {
      made.closed.then(forget, forget);
      return made;
    });
    session.catch(forget);
    return raceAbort(session, signal);
  };
  return {
    transport: (socket, uri) => sshTransport(open, socket, uri),
    close: () => {
      life.abort(new LibvirtConnectionError('closed', 'the session is over'));
      session?.then(
        (made) => made.close(),
        () => {},
      );
    },
  };
};

const accessOf = ({ uri, ssh, tls }: SessionOptions): Access => {
  const { transport } = uri;
  switch (transport.type) {
    case 'unix':
      return { transport: (socket) => unixTransport(socket), close: () => {} };
    case 'ssh': {
      if (ssh === undefined)
        throw new LibvirtConnectionError('authentication', 'no SSH credentials are given');
      const { user, ...credentials } = ssh;
      const { host, port } = transport;
      return sshAccess({ ...credentials, host, port, user: transport.user ?? user ?? 'root' });
    }
    case 'tls': {
      if (tls === undefined) throw new LibvirtConnectionError('certificate', 'no TLS credentials are given');
      const { host, port } = transport;
      return { transport: () => tlsTransport({ host, port, credentials: tls }), close: () => {} };
    }
    default:
      return transport satisfies never;
  }
};

type Layout = { kind: 'single' | 'split'; dir: string; socket: string };

/** In the order they are tried. A socket in the URI decides alone. */
const layoutsOf = ({ driver, transport }: LibvirtUri): Layout[] => {
  const explicit = transport.type === 'tls' ? undefined : transport.socket;
  const dir = explicit === undefined ? SOCKET_DIR : posix.dirname(explicit);
  const split = { kind: 'split', dir, socket: posix.join(dir, splitSocket('hypervisor', driver)) } as const;
  const single = { kind: 'single', dir, socket: explicit ?? posix.join(dir, 'libvirt-sock') } as const;
  if (explicit !== undefined) return [SPLIT_SOCKET.test(posix.basename(explicit)) ? split : single];
  return transport.type === 'tls' ? [single] : [single, split];
};

type Dial = (layout: Layout, subsystem: Subsystem, signal: AbortSignal) => Promise<LibvirtConnection>;

const createDial = (options: SessionOptions, access: Access): Dial => {
  const { driver, path } = options.uri;
  return (layout, subsystem, signal) => {
    const split = layout.kind === 'split';
    const uri = split ? splitUri(subsystem, driver, path) : `${driver}://${path}`;
    const socket = split ? posix.join(layout.dir, splitSocket(subsystem, driver)) : layout.socket;
    return connectLibvirt({ ...options, uri, transport: access.transport(socket, uri) }, signal);
  };
};

const first = async (
  layouts: readonly Layout[],
  dial: Dial,
  signal: AbortSignal,
): Promise<{ layout: Layout; connection: LibvirtConnection }> => {
  const failures: unknown[] = [];
  for (const layout of layouts) {
    try {
      return { layout, connection: await dial(layout, 'hypervisor', signal) };
    } catch (error) {
      failures.push(error);
      if (!(error instanceof LibvirtConnectionError) || error.kind !== 'refused') throw error;
    }
  }
  throw failures[0];
};

/**
 * Connections by subsystem, opened when first needed; a failed or ended one is forgotten. Opening is shared: it goes
 * on when the caller that began it gives up.
 */
const createPool = (open: (subsystem: Subsystem) => Promise<LibvirtConnection>) => {
  const held = new Map<Subsystem, Promise<LibvirtConnection>>();
  const add = (subsystem: Subsystem, made: Promise<LibvirtConnection>): Promise<LibvirtConnection> => {
    const forget = (): void => {
      if (held.get(subsystem) === made) held.delete(subsystem);
    };
    held.set(subsystem, made);
    made.then(({ closed }) => closed.then(forget), forget).catch(() => {});
    return made;
  };
  return {
    add,
    get: (subsystem: Subsystem, signal: AbortSignal) =>
      raceAbort(held.get(subsystem) ?? add(subsystem, open(subsystem)), signal),
    close: async (): Promise<void> => {
      await Promise.allSettled([...held.values()].map(async (connection) => (await connection).close()));
    },
  };
};

type Get = (subsystem: Subsystem, signal: AbortSignal) => Promise<LibvirtConnection>;

const routeEvents = (get: Get): EventHub => ({
  subscribe: async (kinds, listener, signal) => {
    const leaves: (() => void)[] = [];
    const leave = (): void => leaves.forEach((one) => one());
    const groups = Map.groupBy(kinds, (kind: LibvirtEventKind) => subsystemOfEvent(kind));
    try {
      for (const [subsystem, group] of groups) {
        const { events } = await get(subsystem, signal);
        leaves.push(await events.subscribe(group, listener, signal));
      }
    } catch (error) {
      leave();
      throw error;
    }
    return leave;
  },
});

const routeStreams = (get: Get): LibvirtStreams => ({
  upload: async (name, args, source, signal) =>
    (await get(subsystemOf(name), signal)).streams.upload(name, args, source, signal),
  download: async function* (name, args, signal) {
    yield* (await get(subsystemOf(name), signal)).streams.download(name, args, signal);
  },
  open: async (name, args, signal) => (await get(subsystemOf(name), signal)).streams.open(name, args, signal),
});

/**
 * Opens the host's libvirt: a single libvirtd (or virtproxyd) where its socket answers, else the split daemons.
 * Throws LibvirtConnectionError with the kind of the failure, or LibvirtError when the daemon refuses the URI.
 */
export const openLibvirtSession = async (
  options: SessionOptions,
  signal: AbortSignal,
): Promise<LibvirtSession> => {
  const access = accessOf(options);
  const dial = createDial(options, access);
  const opened = await first(layoutsOf(options.uri), dial, signal).catch((error: unknown) => {
    access.close();
    throw error;
  });
  const { layout } = opened;
  const closed = Promise.withResolvers<LibvirtConnectionError>();
  const place = (subsystem: Subsystem): Subsystem => (layout.kind === 'single' ? 'hypervisor' : subsystem);
  const watch = (connection: LibvirtConnection): LibvirtConnection => {
    connection.closed.then(closed.resolve, closed.reject);
    return connection;
  };
  const life = new AbortController();
  const main = createPool(async (subsystem) => watch(await dial(layout, subsystem, life.signal)));
  const data = createPool((subsystem) => dial(layout, subsystem, life.signal));
  void main.add('hypervisor', Promise.resolve(watch(opened.connection)));
  const get =
    (pool: typeof main): Get =>
    (subsystem, signal) => {
      if (life.signal.aborted) return Promise.reject(life.signal.reason);
      return pool.get(place(subsystem), signal);
    };
  const close = async (): Promise<void> => {
    life.abort(new LibvirtConnectionError('closed', 'the session is over'));
    await Promise.all([main.close(), data.close()]);
    access.close();
  };
  closed.promise.then(close, () => {}).catch(() => {});
  const call: LibvirtCall = async (name, args, signal, callOptions) =>
    (await get(main)(subsystemOf(name), signal)).call(name, args, signal, callOptions);
  return {
    layout: layout.kind,
    call,
    events: routeEvents(get(main)),
    streams: routeStreams(get(data)),
    closed: closed.promise,
    close,
  };
};
