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

/** `wanted` different TCP ports nobody listens on at `host` right now, chosen at random so that labs do not meet. */
export const freePorts = async (
  wanted: number,
  host = '127.0.0.1',
  random: () => number = Math.random,
): Promise<number[]> => {
  const found = new Set<number>();
  while (found.size < wanted) {
    const port = lowest + Math.floor(random() * count);
    if (!found.has(port) && (await free(port, host))) found.add(port);
  }
  return [...found];
};
