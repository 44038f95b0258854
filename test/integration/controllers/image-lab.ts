/** The image controller on a real API server and simulated hosts; StoragePools are made ready by hand. */
import { createHash } from 'node:crypto';
import { type FileServer, startFileServer } from '../../../hack/lab/http-server.ts';
import type { ControllerContext } from '../../../src/controllers/context.ts';
import { createFleet } from '../../../src/controllers/fleet.ts';
import { placeOf } from '../../../src/controllers/places.ts';
import { createStoragePromises } from '../../../src/controllers/storage-promises.ts';
import { createImageController } from '../../../src/controllers/virtual-machine-image/controller.ts';
import {
  type ImageConfig,
  imageDefaults,
} from '../../../src/controllers/virtual-machine-image/import-image.ts';
import { createSimulatedDriver } from '../../../src/drivers/hypervisor/simulated/driver.ts';
import type { SimulatedVolume } from '../../../src/drivers/hypervisor/simulated/state.ts';
import { loadAccess } from '../../../src/kube/auth.ts';
import { createSecrets } from '../../../src/kube/core-kinds.ts';
import { createTransport } from '../../../src/kube/transport.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import type { Events } from '../../../src/runtime/events.ts';
import { silentLog } from '../../../src/runtime/log.ts';
import { createMetrics } from '../../../src/runtime/metrics.ts';
import { plainEffect } from '../../../src/runtime/pass.ts';
import { createStores } from '../../../src/stores.ts';
import { has, type Lab, simulatedPool, startLab, storagePool, type Thing } from './operator-lab.ts';

const clock = systemClock();
const never = new AbortController().signal;
const clusterId = 'test';
export const hosts = ['kvm.n1', 'kvm.n2'] as const;

export interface ImageOperator {
  /** As a killed process: connections break first, and nobody cleans up. */
  kill(): Promise<void>;
  /** Resolves when nothing is being done and nothing is due. */
  quiet(): Promise<void>;
  readonly told: readonly string[];
}

export interface ImageLab extends Lab {
  readonly server: FileServer;
  startImages(config?: Partial<ImageConfig>): Promise<ImageOperator>;
  image(name: string, is: (it: Thing | undefined) => boolean): Promise<Thing | undefined>;
  /** Serves these bytes at a path. */
  serve(path: string, bytes: Uint8Array): void;
  /** Deletes an object of the default namespace without waiting. */
  drop(kind: string, name: string): Promise<void>;
  /** Resolves when the image is gone. */
  gone(name: string): Promise<void>;
  downloads(path: string): number;
  /** The file of an image on a host. */
  file(host: string, uid: string, extension?: string, pool?: string): SimulatedVolume | undefined;
  /** A further StoragePool, ready on both hosts. */
  furnishPool(name: string, more?: object): Promise<void>;
  place(): Promise<ReturnType<typeof placeOf>>;
  setStatus(kind: string, name: string, status: object, namespace?: string): Promise<void>;
}

const startController = async (lab: Lab, config: Partial<ImageConfig>): Promise<ImageOperator> => {
  const access = await loadAccess({ kind: 'kubeconfig', paths: [lab.plane.kubeconfig] }, clock);
  const random = Math.random;
  const log = silentLog;
  const transport = createTransport({ access, clock, random, userAgent: 'ovcp-operator' });
  const { kinds, sources } = createStores({ transport, clusterId, clock, random, log });
  const secrets = createSecrets(transport);
  const driver = createSimulatedDriver(lab.world);
  const drivers = {
    simulated: async () => driver.open({ hosts: [], clusterId }),
    libvirt: async () => Promise.reject(new Error('no libvirt here')),
  };
  const metrics = createMetrics({ processMetrics: false });
  const fleet = createFleet({
    kinds,
    secrets,
    namespace: 'ovcp-system',
    clusterId,
    drivers,
    metrics,
    clock,
    log,
  });
  const context: ControllerContext = {
    clusterId,
    kinds,
    secrets,
    fleet,
    storage: { session: () => undefined },
    promises: createStoragePromises(kinds.disks.store),
    clock,
    releasing: new Set(),
    opening: new Set(),
    effect: plainEffect,
  };
  const told: string[] = [];
  const events: Events = {
    emit: ({ name }, { type, reason }) => void told.push(`${name} ${type} ${reason}`),
    close: async () => undefined,
  };
  const deps = {
    context,
    events,
    metrics,
    log,
    random,
    concurrency: 4,
  };
  const { controller, jobs } = createImageController(deps, {
    ...imageDefaults,
    allowedCidrs: ['127.0.0.0/8'],
    ...config,
  });
  const ends = new AbortController();
  const running = sources.map((source) => source.run(ends.signal));
  await Promise.all(sources.map((source) => source.synced(ends.signal)));
  running.push(fleet.run(ends.signal), controller.run(ends.signal));
  return {
    told,
    kill: async () => {
      ends.abort(new Error('killed'));
      await fleet.close();
      await jobs.close();
      await Promise.allSettled(running);
      await transport.close();
    },
    quiet: async () => {
      let calmMs = 0;
      while (calmMs < 1_500) {
        await clock.sleep(50, never);
        const busy = controller.depth() > 0 || controller.running().length > 0 || jobs.counts().size > 0;
        calmMs = busy ? 0 : calmMs + 50;
      }
    },
  };
};

const setStatus =
  ({ plane }: Lab): ImageLab['setStatus'] =>
  async (kind, name, status, namespace) => {
    const where = namespace === undefined ? [] : ['-n', namespace];
    const patch = JSON.stringify({ status });
    await plane.mustKubectl([
      'patch',
      kind,
      name,
      ...where,
      '--subresource=status',
      '--type=merge',
      '-p',
      patch,
    ]);
  };

const host = (name: string) => {
  const [pool = '', hostName = ''] = name.split('.');
  return {
    apiVersion: 'ovcp.dev/v1alpha1',
    kind: 'Host',
    metadata: { name },
    spec: { hostPoolRef: { name: pool }, hostName },
  };
};

const readPlace = async (lab: Lab, pool: string) =>
  placeOf(clusterId, (await lab.get('storagepool', pool)) as unknown as Parameters<typeof placeOf>[1]);

/** Makes a StoragePool and says that it is ready on both hosts, of which `n2` has the more room. */
const furnishPool = async (lab: Lab, name: string, more: object = {}): Promise<void> => {
  await lab.apply(storagePool(name, 'kvm', more));
  const place = await readPlace(lab, name);
  const settings = ['n1', 'n2'].map((it) => ({ name: it, cpus: 8, memoryMiB: 16_384 }));
  const session = createSimulatedDriver(lab.world).open({ hosts: settings, clusterId });
  for (const { name: host } of settings) {
    await session.hostStorage(host).take(place, { kind: 'preparePlace' }, never);
  }
  await session.close();
  await setStatus(lab)('storagepool', name, {
    hosts: hosts.map((host, index) => ({ name: host, ready: true, available: `${index + 1}Ti` })),
  });
};

export const startImageLab = async (): Promise<ImageLab> => {
  const lab = await startLab();
  await lab.apply(simulatedPool('kvm', ['n1', 'n2']), ...hosts.map(host));
  await furnishPool(lab, 'local');
  const server = await startFileServer();
  const operators = new Set<ImageOperator>();
  const paths = new Map([['local', (await readPlace(lab, 'local')).path]]);
  return {
    ...lab,
    server,
    place: () => readPlace(lab, 'local'),
    furnishPool: async (name, more) => {
      await furnishPool(lab, name, more);
      paths.set(name, (await readPlace(lab, name)).path);
    },
    setStatus: setStatus(lab),
    startImages: async (config = {}) => {
      const it = await startController(lab, config);
      const operator = {
        ...it,
        kill: async () => {
          operators.delete(operator);
          await it.kill();
        },
      };
      operators.add(operator);
      return operator;
    },
    image: (name, is) => lab.until('virtualmachineimage', name, is, { namespace: 'default' }),
    serve: (path, bytes) => server.setRoute(path, { kind: 'file', content: { bytes } }),
    drop: async (kind, name) => {
      await lab.plane.mustKubectl(['delete', kind, name, '-n', 'default', '--wait=false']);
    },
    gone: async (name) => {
      await lab.until('virtualmachineimage', name, (it) => it === undefined, { namespace: 'default' });
    },
    downloads: (wanted) => server.requests.filter((it) => it.path === wanted).length,
    file: (name, uid, extension = 'qcow2', pool = 'local') =>
      lab.world
        .get(name.split('.')[1] ?? '')
        .places.get(paths.get(pool) ?? '')
        ?.directory.volumes.get(`ovcp-image-${uid}.${extension}`),
    close: async () => {
      for (const operator of operators) await operator.kill();
      await server.stop();
      await lab.close();
    },
  };
};

export const mib = 1024 ** 2;

export const checksumOf = (bytes: Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** An image of what the server has at a path; `bytes` are what it should be. */
export const imageAt = (lab: ImageLab, name: string, path: string, bytes: Uint8Array, spec: object = {}) => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'VirtualMachineImage',
  metadata: { name, namespace: 'default' },
  spec: {
    storagePoolRef: { name: 'local' },
    source: { url: `${lab.server.url}${path}`, checksum: checksumOf(bytes) },
    format: 'raw',
    ...spec,
  },
});

export const conditionOf = (thing: Thing | undefined, type: string) =>
  thing?.status?.conditions?.find((it) => it.type === type);

export const copiesOf = (thing: Thing | undefined): unknown => thing?.status?.['copies'];

export const isReady = (thing: Thing | undefined): boolean => has(thing, 'Ready', 'True', 'Ready');

export const uidOf = (thing: Thing | undefined): string => thing?.metadata.uid ?? '';
