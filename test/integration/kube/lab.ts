import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlPlane, startControlPlane } from '../../../hack/lab/control-plane.ts';
import { loadAccess } from '../../../src/kube/auth.ts';
import type { CachedKind, Log, RequestSeen, Transport } from '../../../src/kube/contract.ts';
import { createTransport } from '../../../src/kube/transport.ts';
import type { KubeObject } from '../../../src/kube/types.ts';
import { systemClock } from '../../../src/runtime/clock.ts';

/** A control plane of its own folder and a transport to it. */
export interface Lab {
  readonly plane: ControlPlane;
  readonly transport: Transport;
  readonly requests: RequestSeen[];
  stop(): Promise<void>;
}

export const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** `server` leads around the kubeconfig's own address, for instance through a proxy. */
export const connect = async (
  kubeconfig: string,
  requests: RequestSeen[] = [],
  server?: string,
): Promise<Transport> => {
  const clock = systemClock();
  const loaded = await loadAccess({ kind: 'kubeconfig', paths: [kubeconfig] }, clock);
  const access = { ...loaded, server: server ?? loaded.server };
  return createTransport({ access, clock, random: Math.random, onRequest: (seen) => requests.push(seen) });
};

export const startLab = async (): Promise<Lab> => {
  const dir = await mkdtemp(join(tmpdir(), 'ovcp-kube-'));
  const plane = await startControlPlane({ dir });
  const requests: RequestSeen[] = [];
  const transport = await connect(plane.kubeconfig, requests);
  return {
    plane,
    transport,
    requests,
    stop: async () => {
      await transport.close();
      await plane.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
};

/** Resolves once the store satisfies `holds`, looked at after every change. */
export const until = <T extends KubeObject>(kind: CachedKind<T>, holds: () => boolean): Promise<void> =>
  new Promise((resolve) => {
    if (holds()) {
      resolve();
      return;
    }
    const unsubscribe = kind.store.subscribe(() => {
      if (holds()) {
        unsubscribe();
        resolve();
      }
    });
  });

/** A TCP proxy to the API server whose line can be cut and mended. */
export interface Line {
  readonly url: string;
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

export const startLine = async (target: string): Promise<Line> => {
  const { port, hostname } = new URL(target);
  const sockets = new Set<Socket>();
  let whole = true;
  const server = createServer((client) => {
    if (!whole) {
      client.resetAndDestroy();
      return;
    }
    const upstream = dial(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => sockets.delete(socket));
    }
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const drop = (): void => sockets.forEach((socket) => socket.resetAndDestroy());
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => {
      whole = false;
      drop();
    },
    mend: () => {
      whole = true;
    },
    close: async () => {
      drop();
      server.close();
      await once(server, 'close');
    },
  };
};
