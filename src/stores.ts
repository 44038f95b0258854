/** The caches of every kind the operator watches. Objects are parsed once, when they enter. */
import { type Host, host } from './api/host.ts';
import { type HostPool, hostPool } from './api/host-pool.ts';
import type { KindDefinition } from './api/kind.ts';
import { parseWith } from './api/kit.ts';
import { type StoragePool, storagePool } from './api/storage-pool.ts';
import { type VirtualDisk, virtualDisk } from './api/virtual-disk.ts';
import { type VirtualMachine, virtualMachine } from './api/virtual-machine.ts';
import { type VirtualMachineImage, virtualMachineImage } from './api/virtual-machine-image.ts';
import { type VirtualMachineSize, virtualMachineSize } from './api/virtual-machine-size.ts';
import { type VirtualNetwork, virtualNetwork } from './api/virtual-network.ts';
import type { Kinds } from './controllers/context.ts';
import {
  diskIndexes,
  hostIndexes,
  imageIndexes,
  machineIndexes,
  networkIndexes,
  storagePoolIndexes,
} from './controllers/indexes.ts';
import { createCachedKind } from './kube/cached-kind.ts';
import type { CachedKind, Transport } from './kube/contract.ts';
import { NAMESPACE, parseNamespace } from './kube/core-kinds.ts';
import type { Indexer } from './kube/indexes.ts';
import { createIntern, type Intern, internWithin } from './kube/intern.ts';
import type { KindInfo, KubeObject, Parse } from './kube/types.ts';
import type { Clock } from './runtime/clock.ts';
import type { Log } from './runtime/log.ts';
import type { Source } from './runtime/manager.ts';

export interface StoresOptions {
  readonly transport: Transport;
  readonly clusterId: string;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

export interface Stores {
  readonly kinds: Kinds;
  readonly sources: readonly Source[];
}

/**
 * Defaults of the schema are filled in, so that objects stored by an older version read like new ones. Raw objects
 * come straight from JSON: nobody else has them yet.
 */
const parserOf =
  <T extends KubeObject>(definition: KindDefinition, intern: Intern): Parse<T> =>
  (raw) => {
    internWithin(raw, intern);
    const object = raw as KubeObject;
    const spec: unknown = parseWith(definition.spec, object.spec);
    const status: unknown =
      definition.status === undefined || object.status === undefined
        ? undefined
        : parseWith(definition.status, object.status);
    const { status: _, ...rest } = object;
    return (status === undefined ? { ...rest, spec } : { ...rest, spec, status }) as T;
  };

const createKinds = ({ transport, clusterId, clock, random, log }: StoresOptions): Kinds => {
  const cached = <T extends KubeObject>(
    kind: KindInfo,
    parse: Parse<T>,
    indexes: Readonly<Record<string, Indexer<T>>>,
  ): CachedKind<T> =>
    createCachedKind<T>(transport, kind, {
      parse,
      indexes,
      clock,
      random,
      log,
      onUnreadable: ({ key, error }) =>
        log.error({ kind: kind.kind, key, error }, 'object cannot be read by this version'),
    });
  const intern = createIntern();
  const ours = <T extends KubeObject>(
    definition: KindDefinition,
    indexes: Readonly<Record<string, Indexer<T>>> = {},
  ): CachedKind<T> => cached(definition, parserOf<T>(definition, intern), indexes);
  return {
    hostPools: ours<HostPool>(hostPool),
    hosts: ours<Host>(host, hostIndexes),
    storagePools: ours<StoragePool>(storagePool, storagePoolIndexes),
    networks: ours<VirtualNetwork>(virtualNetwork, networkIndexes),
    sizes: ours<VirtualMachineSize>(virtualMachineSize),
    images: ours<VirtualMachineImage>(virtualMachineImage, imageIndexes),
    disks: ours<VirtualDisk>(virtualDisk, diskIndexes),
    machines: ours<VirtualMachine>(virtualMachine, machineIndexes(clusterId)),
    namespaces: cached(NAMESPACE, parseNamespace, {}),
  };
};

export const createStores = (options: StoresOptions): Stores => {
  const kinds = createKinds(options);
  const entries: readonly [string, Pick<CachedKind<KubeObject>, 'run' | 'synced'>][] = Object.entries(kinds);
  const sources = entries.map(
    ([name, kind]): Source => ({ name, run: (signal) => kind.run(signal), synced: () => kind.synced }),
  );
  return { kinds, sources };
};
