import { createServer } from 'node:net';

const lowest = 20_000;
/** Below Linux's ephemeral range (32768-60999), so that no outgoing connection takes a server's port while it restarts. */
const count = 12_000;

const free = (port: number, host: string): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });

/**
 * Keeps a port from other labs of this machine until this process ends: the server it is for starts only later, and may
 * be down for a while. An abstract UNIX socket (unix(7)) can be bound once and goes with its process.
 */
const claim = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(`\0ovcp-port-${port}`, () => {
      server.unref();
      resolve(true);
    });
  });

/** `wanted` TCP ports that nobody listens on at `host` and that no other call was given, of this or another process. */
export const freePorts = async (
  wanted: number,
  host = '127.0.0.1',
  random: () => number = Math.random,
): Promise<number[]> => {
  const found: number[] = [];
  while (found.length < wanted) {
    const port = lowest + Math.floor(random() * count);
    if ((await claim(port)) && (await free(port, host))) found.push(port);
  }
  return found;
};
