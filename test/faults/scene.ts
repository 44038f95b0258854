/** A pool of its own, with storage, network and namespace of one name, so that tests beside each other never meet. */
import { vmUuid } from '../../src/api/identity.ts';
import type { SimulatedMachine } from '../../src/drivers/hypervisor/simulated/state.ts';
import { type Condition, conditionOf, has, type Thing, type Watched } from './api.ts';
import type { Lab } from './lab.ts';
import { type HostSize, hostPool, machine, namespace, network, storagePool } from './objects.ts';

export interface Scene {
  readonly name: string;
  /** Names of its hosts in the world. */
  readonly hosts: readonly string[];
  make(name: string, spec?: object): Promise<void>;
  vm(name?: string): Thing | undefined;
  uuid(name?: string): string;
  /** The machine on whichever host has it. */
  domain(name?: string): { readonly host: string; readonly machine: SimulatedMachine } | undefined;
  patch(name: string, spec: object): Promise<Thing>;
  /** Resolves once the condition is so; answers it. */
  told(
    kind: Watched,
    name: string,
    type: string,
    status: string,
    reason?: string,
    limitMs?: number,
  ): Promise<Condition>;
  /** Resolves once the machine is Ready for its present spec, and its host knows of the start too. */
  running(name?: string): Promise<void>;
  gone(kind: Watched, name: string, limitMs?: number): Promise<void>;
}

export interface SceneOptions {
  readonly hosts?: readonly HostSize[];
  readonly pool?: object;
  readonly storage?: object;
}

const clusterKinds: ReadonlySet<string> = new Set(['HostPool', 'Host', 'StoragePool', 'VirtualNetwork']);

export const setScene = async (lab: Lab, name: string, options: SceneOptions = {}): Promise<Scene> => {
  const { api, world } = lab;
  const hosts = (options.hosts ?? [{ name: `${name}-1` }, { name: `${name}-2` }]).map((host) => ({
    ...host,
  }));
  await api.apply(
    namespace(name),
    hostPool(name, hosts, options.pool),
    storagePool(name, [name], options.storage),
    network(name, name),
  );
  const at = (kind: Watched): string | undefined => (clusterKinds.has(kind) ? undefined : name);
  const told: Scene['told'] = async (kind, it, type, status, reason, limitMs) => {
    const seen = (): Condition | undefined => conditionOf(api.get(kind, it, at(kind)), type);
    const good = (): Condition | undefined => {
      const thing = api.get(kind, it, at(kind));
      return has(thing, type, status, reason) ? seen() : undefined;
    };
    const what = `${kind} ${it}: ${type} ${status} ${reason ?? ''}`;
    return api.until(what, good, limitMs).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}; it is ${JSON.stringify(seen())}`);
    });
  };
  /** What waits afterwards shall not take the state before a change for the one after it. */
  const catchUp = async (vm: string, written: Thing | undefined): Promise<void> => {
    if (written === undefined) return;
    const { uid, generation = 0 } = written.metadata;
    await api.until(`${name}/${vm} as written`, () => {
      const now = api.get('VirtualMachine', vm, name)?.metadata;
      // One that is going may be gone before it was seen.
      return now === undefined
        ? written.metadata.deletionTimestamp !== undefined
        : now.uid !== uid || (now.generation ?? 0) >= generation;
    });
  };
  const scene: Scene = {
    name,
    hosts: hosts.map((host) => host.name),
    make: async (vm, spec = {}) => {
      await api.apply(machine(vm, name, name, spec));
      await catchUp(vm, await api.read('VirtualMachine', vm, name));
    },
    vm: (vm = 'm') => api.get('VirtualMachine', vm, name),
    uuid: (vm = 'm') => {
      const uid = api.get('VirtualMachine', vm, name)?.metadata.uid;
      if (uid === undefined) throw new Error(`no machine ${name}/${vm}`);
      return vmUuid(lab.checker.facts().clusterId, uid);
    },
    domain: (vm = 'm') => world.hand.machine(scene.uuid(vm)),
    patch: async (vm, spec) => {
      const patched = await api.patch('VirtualMachine', vm, name, { spec });
      await catchUp(vm, patched);
      return patched;
    },
    told,
    running: async (vm = 'm') => {
      await api
        .until(`${name}/${vm} is Ready`, () => {
          const it = api.get('VirtualMachine', vm, name);
          const { record } = (it && world.hand.machine(scene.uuid(vm)))?.machine ?? {};
          return (
            it !== undefined &&
            has(it, 'Ready', 'True') &&
            it.status?.observedGeneration === it.metadata.generation &&
            // That it was started is written on its host only after everybody was told.
            (record?.startDue !== true || it.spec?.['powerState'] === 'PoweredOff')
          );
        })
        .catch((error: unknown) => {
          throw new Error(
            `${(error as Error).message}; ${JSON.stringify(conditionOf(api.get('VirtualMachine', vm, name), 'Ready'))}`,
          );
        });
    },
    gone: async (kind, it, limitMs) => {
      await api
        .until(`${kind} ${it} is gone`, () => api.get(kind, it, at(kind)) === undefined, limitMs)
        .catch((error: unknown) => {
          const left = api.get(kind, it, at(kind));
          throw new Error(`${(error as Error).message}; ${JSON.stringify(conditionOf(left, 'Deleting'))}`);
        });
    },
  };
  await Promise.all([
    ...hosts.map((host) => told('Host', `${name}.${host.name}`, 'Schedulable', 'True')),
    told('StoragePool', name, 'Ready', 'True'),
    told('VirtualNetwork', name, 'Ready', 'True'),
  ]);
  return scene;
};
