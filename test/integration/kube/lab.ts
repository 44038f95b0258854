import { mkdtemp, rm } from 'node:fs/promises';
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

export const connect = async (kubeconfig: string, requests: RequestSeen[] = []): Promise<Transport> => {
  const clock = systemClock();
  const access = await loadAccess({ kind: 'kubeconfig', paths: [kubeconfig] }, clock);
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
