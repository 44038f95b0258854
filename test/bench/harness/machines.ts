/** Watches by our own list-watch, so that the moment of a change is known without polling. */
import { type VirtualDisk, virtualDisk } from '../../../src/api/virtual-disk.ts';
import { type VirtualMachine, virtualMachine } from '../../../src/api/virtual-machine.ts';
import { loadAccess } from '../../../src/kube/auth.ts';
import { createCachedKind } from '../../../src/kube/cached-kind.ts';
import { createTransport } from '../../../src/kube/transport.ts';
import type { KindInfo, KubeObject } from '../../../src/kube/types.ts';
import { silentLog } from '../../../src/runtime/log.ts';
import { type Cluster, clock } from './cluster.ts';
import { nowMs } from './now.ts';

export interface Followed<T> {
  /** Resolves with the moment at which the object (undefined: gone) was first seen as wanted. */
  when(key: string, is: (object: T | undefined) => boolean, limitMs?: number): Promise<number>;
  get(key: string): T | undefined;
  stop(): Promise<void>;
}

export type Machines = Followed<VirtualMachine>;
export type Disks = Followed<VirtualDisk>;

export const runs = (vm: VirtualMachine | undefined): boolean =>
  vm?.status?.conditions?.some(
    ({ type, status, reason }) => type === 'Ready' && status === 'True' && reason === 'Running',
  ) ?? false;

const follow = async <T extends KubeObject>(
  { plane }: Cluster,
  info: KindInfo,
  parse: (raw: unknown) => T,
): Promise<Followed<T>> => {
  const ends = new AbortController();
  const random = Math.random;
  const access = await loadAccess({ kind: 'kubeconfig', paths: [plane.kubeconfig] }, clock);
  const transport = createTransport({ access, clock, random, userAgent: 'ovcp-bench-watch' });
  const { store, ...kind } = createCachedKind<T>(transport, info, { parse, clock, random, log: silentLog });
  const running = kind.run(ends.signal);
  await kind.synced;
  return {
    when: (key, is, limitMs = 60_000) =>
      new Promise((resolve, reject) => {
        const cancel = clock.after(limitMs, () => {
          leave();
          reject(new Error(`${key} not reached: ${JSON.stringify(store.get(key))}`));
        });
        const look = (): void => {
          if (!is(store.get(key))) return;
          cancel();
          leave();
          resolve(nowMs());
        };
        const leave = store.subscribe((change) => {
          if (change.key === key) look();
        });
        look();
      }),
    get: (key) => store.get(key),
    stop: async () => {
      ends.abort();
      await running;
      await transport.close();
    },
  };
};

export const followMachines = (cluster: Cluster): Promise<Machines> =>
  follow(cluster, virtualMachine, (raw) => raw as VirtualMachine);

export const followDisks = (cluster: Cluster): Promise<Disks> =>
  follow(cluster, virtualDisk, (raw) => raw as VirtualDisk);
