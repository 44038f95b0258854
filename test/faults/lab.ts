/** A control plane with our kinds and policies, a simulated world that outlives operators, and operators to kill. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlPlane, startControlPlane } from '../../hack/lab/control-plane.ts';
import { untilCrdsEstablished } from '../../hack/lab/crds.ts';
import { type FileServer, startFileServer } from '../../hack/lab/http-server.ts';
import { createWorld, type SimulatedWorld } from '../../src/drivers/hypervisor/simulated/world.ts';
import { sampleQcow2 } from '../../src/media/qcow2-sample.ts';
import { type Api, clock, connect } from './api.ts';
import { type Checker, createChecker } from './checker.ts';
import { namespace } from './objects.ts';
import { type OperatorProcess, type StartOptions, startOperator } from './operator-process.ts';

export const CLUSTER = 'faults';

export interface Lab {
  readonly plane: ControlPlane;
  readonly api: Api;
  readonly world: SimulatedWorld;
  readonly checker: Checker;
  readonly files: FileServer;
  /** A sound empty qcow2 image of 256 MiB, served by `files`. */
  readonly image: { readonly url: string; readonly checksum: string };
  start(options?: StartOptions): Promise<OperatorProcess>;
  /** Lets go of the session that the operator of another test left, and of this file's servers. */
  close(): Promise<void>;
}

const root = join(import.meta.dirname, '..', '..');

const prepare = async (plane: ControlPlane): Promise<void> => {
  await plane.mustKubectl([
    'apply',
    '--server-side',
    '-f',
    join(root, 'crds'),
    '-f',
    join(root, 'deploy', 'policies'),
  ]);
  await untilCrdsEstablished((args) => plane.mustKubectl(args));
};

export const startLab = async (options: { readonly clusterId?: string } = {}): Promise<Lab> => {
  const clusterId = options.clusterId ?? CLUSTER;
  const dir = await mkdtemp(join(tmpdir(), 'ovcp-faults-'));
  const [plane, files] = await Promise.all([startControlPlane({ dir, auditLog: true }), startFileServer()]);
  await prepare(plane);
  const api = await connect(plane.kubeconfig);
  await api.apply(namespace('ovcp-system'));
  const world = createWorld({ clock, random: Math.random });
  const checker = createChecker(world, api, clusterId);
  const bytes = sampleQcow2({});
  files.setRoute('/tiny.qcow2', { kind: 'file', content: { bytes } });
  const running = new Set<OperatorProcess>();
  return {
    plane,
    api,
    world,
    checker,
    files,
    image: {
      url: `${files.url}/tiny.qcow2`,
      checksum: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
    },
    start: async (given = {}) => {
      const operator = await startOperator({ kubeconfig: plane.kubeconfig, world, clusterId, ...given });
      running.add(operator);
      return operator;
    },
    close: async () => {
      checker.stop();
      await Promise.all([...running].map((operator) => operator.stop().catch(() => undefined)));
      await api.close();
      await files.stop();
      await plane.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
};
