/** The demo without hardware and without root: real API server, real operator, hosts in the operator's memory. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startControlPlane } from '../lab/control-plane.ts';
import { startFileServer } from '../lab/http-server.ts';
import { installOperator, startOperator } from '../lab/operator.ts';
import { pidAlive } from '../lab/process.ts';
import { failedLogs } from './lab-stage.ts';
import { keepLogs, type Stage, type StageOptions } from './stage.ts';
import { bringControlPlane } from './tools.ts';

type Stop = () => Promise<unknown>;

/** Bytes of an image nobody boots: any will do for a raw one. */
const imageBytes = Buffer.alloc(4 * 1024 * 1024, 'ovcp');

const claimFolder = (dir: string): void => {
  const pidFile = join(dir, 'pid');
  if (existsSync(pidFile) && pidAlive(Number(readFileSync(pidFile, 'utf8')))) {
    throw new Error(`A demo with simulated hosts runs already in ${dir}.`);
  }
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  writeFileSync(pidFile, String(process.pid));
};

const setParts = async (options: StageOptions, stops: Stop[]): Promise<Omit<Stage, 'down'>> => {
  const { dir, say, signal } = options;
  say('starting the control plane');
  const plane = await startControlPlane({ dir: join(dir, 'cp') }, signal);
  stops.unshift(() => plane.stop());
  const image = { kind: 'file', content: { bytes: imageBytes } } as const;
  const server = await startFileServer({ routes: { '/guest.raw': image } });
  stops.unshift(() => server.stop());
  const kubeconfig = await installOperator(plane);
  say('starting the operator');
  const logPath = join(dir, 'operator.log');
  const operator = await startOperator({ kubeconfig, logPath, allowedImageRanges: ['127.0.0.1/32'] }, signal);
  stops.unshift(() => operator.stop(30_000));
  const enter = [`export KUBECONFIG='${plane.kubeconfig}'`, `alias kubectl='${plane.kubectlPath}'`];
  return {
    kubectl: [plane.kubectlPath, '--kubeconfig', plane.kubeconfig],
    env: { PATH: process.env['PATH'], HOME: dir, KUBECACHEDIR: join(dir, 'kubectl-cache') },
    mustKubectl: (args, stdin) => plane.mustKubectl(args, stdin === undefined ? {} : { stdin }),
    hosts: [],
    demoHosts: {
      kind: 'simulated',
      hosts: [
        { name: 'node1', latencyMs: 5 },
        { name: 'node2', latencyMs: 20 },
      ],
    },
    image: {
      url: `${server.url}/guest.raw`,
      checksum: `sha256:${createHash('sha256').update(imageBytes).digest('hex')}`,
      format: 'raw',
    },
    guestSpeaks: false,
    enter,
    dir,
  };
};

/** As `setLabStage`; everything ends with this process. */
export const setSimulatedStage = async (options: StageOptions): Promise<Stage> => {
  const { dir } = options;
  await bringControlPlane(options);
  claimFolder(dir);
  const stops: Stop[] = [];
  const down = async (): Promise<void> => {
    for (const stop of stops.splice(0)) await stop();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    return { ...(await setParts(options, stops)), down };
  } catch (error) {
    keepLogs(dir, failedLogs(dir));
    await down();
    throw error;
  }
};
