/** A watch on machines by our own list-watch, so that the moment of a change is known without polling. */
import { type VirtualMachine, virtualMachine } from '../../../src/api/virtual-machine.ts';
import { loadAccess } from '../../../src/kube/auth.ts';
import { createCachedKind } from '../../../src/kube/cached-kind.ts';
import { createTransport } from '../../../src/kube/transport.ts';
import { silentLog } from '../../../src/runtime/log.ts';
import { type Cluster, clock } from './cluster.ts';
import { nowMs } from './now.ts';

export interface Machines {
  /** Resolves with the moment at which the machine (undefined: gone) was first seen as wanted. */
  when(key: string, is: (vm: VirtualMachine | undefined) => boolean, limitMs?: number): Promise<number>;
  stop(): Promise<void>;
}

export const runs = (vm: VirtualMachine | undefined): boolean =>
  vm?.status?.conditions?.some(
    ({ type, status, reason }) => type === 'Ready' && status === 'True' && reason === 'Running',
  ) ?? false;

export const followMachines = async ({ plane }: Cluster): Promise<Machines> => {
  const ends = new AbortController();
  const random = Math.random;
  const access = await loadAccess({ kind: 'kubeconfig', paths: [plane.kubeconfig] }, clock);
  const transport = createTransport({ access, clock, random, userAgent: 'ovcp-bench-watch' });
  const { store, ...kind } = createCachedKind<VirtualMachine>(transport, virtualMachine, {
    parse: (raw) => raw as VirtualMachine,
    clock,
    random,
    log: silentLog,
  });
  const running = kind.run(ends.signal);
  await kind.synced;
  return {
    when: (key, is, limitMs = 60_000) =>
      new Promise((resolve, reject) => {
        const cancel = clock.after(limitMs, () => {
          leave();
          reject(new Error(`${key} not reached: ${JSON.stringify(store.get(key)?.status?.conditions)}`));
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
    stop: async () => {
      ends.abort();
      await running;
      await transport.close();
    },
  };
};
