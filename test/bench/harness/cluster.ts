/** A control plane with our kinds and a bare client: the operator's transport without any of its logic. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlPlane, startControlPlane } from '../../../hack/lab/control-plane.ts';
import { untilCrdsEstablished } from '../../../hack/lab/crds.ts';
import { loadAccess } from '../../../src/kube/auth.ts';
import type { KubeRequest, Transport } from '../../../src/kube/contract.ts';
import { createTransport } from '../../../src/kube/transport.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import type { Write } from './operator-protocol.ts';

export const clock = systemClock();
const never = new AbortController().signal;

export const sleep = (ms: number): Promise<void> => clock.sleep(ms, never);

export interface Cluster {
  readonly plane: ControlPlane;
  apply(...objects: readonly object[]): Promise<void>;
  /** One call as the administrator; the answer's JSON. Rejects with a Fault. */
  call(request: Pick<KubeRequest, 'method' | 'path'> & Partial<KubeRequest>): Promise<unknown>;
  /** Sends a noted write as it was. */
  send(write: Write): Promise<void>;
  /** Waits until `is` holds for the object at this path. */
  until(path: string, is: (object: Json | undefined) => boolean, limitMs?: number): Promise<Json>;
  close(): Promise<void>;
}

/** Any object of the API. */
export interface Json {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly uid: string };
  readonly items?: readonly Json[];
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
    }[];
  };
}

export const has = (object: Json | undefined, type: string, status: string): boolean =>
  object?.status?.conditions?.some((it) => it.type === type && it.status === status) ?? false;

const bareClient = async (plane: ControlPlane, connections: number): Promise<Transport> =>
  createTransport({
    access: await loadAccess({ kind: 'kubeconfig', paths: [plane.kubeconfig] }, clock),
    clock,
    random: Math.random,
    userAgent: 'ovcp-bench',
    connections,
  });

const bareConnections = 64;

export const startCluster = async (audit: 'all' | 'writes' | false): Promise<Cluster> => {
  const dir = await mkdtemp(join(tmpdir(), 'ovcp-bench-'));
  const plane = await startControlPlane({ dir, auditLog: audit });
  await plane.mustKubectl(['apply', '--server-side', '-f', 'crds/']);
  await untilCrdsEstablished((args) => plane.mustKubectl(args));
  await plane.mustKubectl(['create', 'namespace', 'ovcp-system']);
  const client = await bareClient(plane, bareConnections);
  const call: Cluster['call'] = (request) =>
    client.request({ verb: request.method.toLowerCase(), resource: 'bench', ...request }, never);

  const look = async (path: string): Promise<Json | undefined> => {
    try {
      return (await call({ method: 'GET', path })) as Json;
    } catch {
      return undefined;
    }
  };

  return {
    plane,
    call,
    apply: async (...objects) => {
      const list = { apiVersion: 'v1', kind: 'List', items: objects };
      await plane.mustKubectl(['apply', '-f', '-'], { stdin: JSON.stringify(list) });
    },
    send: async ({ method, path, contentType, body }) => {
      const parsed: unknown = body === '' ? undefined : JSON.parse(body);
      const verb = method as KubeRequest['method'];
      await call({ method: verb, path, contentType, ...(parsed === undefined ? {} : { body: parsed }) });
    },
    until: async (path, is, limitMs = 180_000) => {
      const endMs = clock.monotonicMs() + limitMs;
      for (;;) {
        const object = await look(path);
        if (is(object)) return object ?? { metadata: { name: '', uid: '' } };
        if (clock.monotonicMs() > endMs) throw new Error(`${path} not reached: ${JSON.stringify(object)}`);
        await sleep(100);
      }
    },
    close: async () => {
      await client.close();
      await plane.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
};

/** Runs `work` over all items with at most `width` at a time. */
export const inParallel = async <T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> => {
  const left = items.values();
  const worker = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
};
