/** Where a host is and what its daemon is to open: libvirt's connection URIs as far as this client speaks them. */
export type LibvirtUri = {
  /** qemu, xen or test. */
  driver: string;
  /** `/system`, or `/default` of the test driver. */
  path: string;
  transport:
    | { type: 'unix'; socket: string | undefined }
    | { type: 'ssh'; host: string; port: number; user: string | undefined; socket: string | undefined }
    | { type: 'tls'; host: string; port: number };
};

export class LibvirtUriError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'LibvirtUriError';
  }
}

const DRIVERS = new Set(['qemu', 'xen', 'test']);
const SSH_PORT = 22;
/** docs/remote.rst: the port of libvirt's TLS socket. */
const TLS_PORT = 16_514;

const parse = (text: string): URL => {
  try {
    return new URL(text);
  } catch {
    throw new LibvirtUriError('not a URI; expected something like qemu+ssh://root@192.0.2.11/system');
  }
};

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new LibvirtUriError(`${text} is not well escaped`);
  }
};

const socketOf = (url: URL, allowed: boolean): string | undefined => {
  for (const name of url.searchParams.keys()) {
    if (name !== 'socket' || !allowed)
      throw new LibvirtUriError(`parameter ${name} is not one of this transport`);
  }
  const socket = url.searchParams.get('socket');
  if (socket === null) return undefined;
  if (!socket.startsWith('/') || socket.includes('\0')) {
    throw new LibvirtUriError('socket must be an absolute path');
  }
  return socket;
};

const hostOf = (url: URL): string => {
  if (url.hostname === '') throw new LibvirtUriError('a host name or address is missing');
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
};

const transportOf = (url: URL, name: string): LibvirtUri['transport'] => {
  if (url.password !== '') throw new LibvirtUriError('a password does not belong into a URI');
  const port = url.port === '' ? undefined : Number(url.port);
  switch (name) {
    case 'unix':
      if (url.host !== '' || url.username !== '')
        throw new LibvirtUriError('a UNIX socket has no host or user');
      return { type: 'unix', socket: socketOf(url, true) };
    case 'ssh': {
      const user = url.username === '' ? undefined : decode(url.username);
      return { type: 'ssh', host: hostOf(url), port: port ?? SSH_PORT, user, socket: socketOf(url, true) };
    }
    case 'tls':
      if (url.username !== '')
        throw new LibvirtUriError('TLS knows no user: the client certificate names it');
      socketOf(url, false);
      return { type: 'tls', host: hostOf(url), port: port ?? TLS_PORT };
    default:
      throw new LibvirtUriError(`transport ${name} is not supported; use unix, ssh or tls`);
  }
};

/**
 * `qemu:///system`, `qemu+unix:///system?socket=/path`, `qemu+ssh://user@host:22/system?socket=/path`,
 * `qemu+tls://host/system`; the driver may also be xen or test. Throws LibvirtUriError saying what is wrong.
 */
export const parseLibvirtUri = (text: string): LibvirtUri => {
  const url = parse(text);
  const [driver = '', named] = url.protocol.slice(0, -1).split('+', 2);
  if (!DRIVERS.has(driver))
    throw new LibvirtUriError(`driver ${driver} is not supported; use qemu, xen or test`);
  if (named === undefined && url.host !== '') {
    throw new LibvirtUriError(
      `name the transport: ${driver}+ssh://${url.host}/… or ${driver}+tls://${url.host}/…`,
    );
  }
  if (url.hash !== '') throw new LibvirtUriError('a fragment (#…) has no meaning');
  const wanted = driver === 'test' ? '/default' : '/system';
  if (url.pathname !== wanted) throw new LibvirtUriError(`the path must be ${wanted}`);
  return { driver, path: url.pathname, transport: transportOf(url, named ?? 'unix') };
};
