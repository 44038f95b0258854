/** The demo in the user's own cluster and on the user's own hosts. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { ensureControlPlaneBinaries } from '../lab/control-plane-binaries.ts';
import { untilCrdsEstablished } from '../lab/crds.ts';
import { ensureGuestImage } from '../lab/guest-image.ts';
import { startFileServer } from '../lab/http-server.ts';
import { operatorNamespace } from '../lab/manifests.ts';
import { repositoryRoot, startOperator } from '../lab/operator.ts';
import { guestImagePackages } from '../lab/packages.ts';
import { run } from '../lab/process.ts';
import { type Json, textAt } from './json.ts';
import { failedLogs } from './lab-stage.ts';
import { accessesOf, secretReader } from './own-access.ts';
import type { DemoImage } from './quickstart.ts';
import { declined, keepLogs, type Stage, type StageOptions, tellKubectl } from './stage.ts';
import { bringPackages } from './tools.ts';

export interface OwnChoice {
  readonly kubeconfig: string;
  readonly hostPoolFile: string;
}

type Kubectl = (args: readonly string[], stdin?: string) => Promise<string>;
type Stop = () => Promise<unknown>;

/** What the quickstart makes besides the pool: none of it may be there before. */
const made = [
  'namespace/team-a',
  'storagepool.ovcp.dev/local',
  'virtualnetwork.ovcp.dev/lan',
  'virtualmachinesize.ovcp.dev/small',
];

const readPool = (file: string): Json => {
  const objects = parseAllDocuments(readFileSync(file, 'utf8')).map((document) => document.toJS() as Json);
  const [pool, ...others] = objects.filter((object) => textAt(object, 'kind') === 'HostPool');
  if (pool === undefined || others.length > 0)
    throw new Error(`${file} must hold one HostPool (and its Secrets)`);
  return pool;
};

const install = async (kubectl: Kubectl, say: (line: string) => void): Promise<void> => {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: operatorNamespace } };
  say(`namespace ${operatorNamespace}, crds/ and deploy/policies/ are applied`);
  await kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify(namespace));
  await kubectl(['apply', '--server-side', '-f', join(repositoryRoot, 'crds')]);
  await untilCrdsEstablished(kubectl);
  await kubectl(['apply', '--server-side', '-f', join(repositoryRoot, 'deploy/policies')]);
};

const refuseLeftovers = async (kubectl: Kubectl): Promise<void> => {
  const found: string[] = [];
  for (const name of made) {
    const answer = await kubectl(['get', name, '-o', 'name', '--ignore-not-found']);
    if (answer.trim() !== '') found.push(answer.trim());
  }
  if (found.length > 0) {
    throw new Error(
      `The demo makes ${found.join(', ')}, which exist already: it leaves them alone and stops.`,
    );
  }
};

/** Whether an operator holds the lease and renews it. */
const operatorRuns = async (kubectl: Kubectl): Promise<boolean> => {
  const args = ['get', 'lease', 'ovcp-operator', '-n', operatorNamespace, '--ignore-not-found', '-o', 'json'];
  const text = await kubectl(args);
  if (text.trim() === '') return false;
  const lease = JSON.parse(text) as Json;
  const renewedMs = Date.parse(textAt(lease, 'spec', 'renewTime'));
  return textAt(lease, 'spec', 'holderIdentity') !== '' && Date.now() - renewedMs < 30_000;
};

/** The id that this cluster has already, else `CLUSTER_ID`, else `demo`. */
const clusterIdOf = async (kubectl: Kubectl, env: StageOptions['env']): Promise<string> => {
  const args = ['get', 'configmap', 'ovcp-cluster', '-n', operatorNamespace, '--ignore-not-found'];
  const kept = await kubectl([...args, '-o', 'jsonpath={.data.clusterId}']);
  return kept.trim() || env['CLUSTER_ID'] || 'demo';
};

/** The image the user names, else the demo's own, served to the operator by this process. */
const provideImage = async (options: StageOptions, stops: Stop[]): Promise<DemoImage> => {
  const { IMAGE, CHECKSUM } = options.env;
  if (IMAGE !== undefined && IMAGE !== '') {
    if (CHECKSUM === undefined) throw new Error('IMAGE needs CHECKSUM, such as sha256:…');
    return { url: IMAGE, checksum: CHECKSUM, format: 'qcow2' };
  }
  await bringPackages(guestImagePackages, options);
  const image = await ensureGuestImage(options.say);
  const content = { kind: 'file', content: { path: image.qcow2Path } } as const;
  const server = await startFileServer({ routes: { '/guest.qcow2': content } });
  stops.unshift(() => server.stop());
  return { url: `${server.url}/guest.qcow2`, checksum: `sha256:${image.sha256.qcow2}`, format: 'qcow2' };
};

const startOwnOperator = async (
  choice: OwnChoice,
  options: StageOptions,
  kubectl: Kubectl,
  stops: Stop[],
): Promise<void> => {
  const { dir, say, signal, env } = options;
  if (await operatorRuns(kubectl)) {
    if (!env['IMAGE'])
      throw new Error('An operator runs in this cluster already: give it an IMAGE and its CHECKSUM.');
    say('an operator runs in this cluster already, and is used');
    return;
  }
  const clusterId = await clusterIdOf(kubectl, env);
  say(`starting the operator on this machine, cluster id "${clusterId}"`);
  const logPath = join(dir, 'operator.log');
  const ranges = ['127.0.0.1/32'];
  const { kubeconfig } = choice;
  const operator = await startOperator(
    { kubeconfig, logPath, clusterId, allowedImageRanges: ranges },
    signal,
  );
  stops.unshift(() => operator.stop(30_000));
};

/** In this order: machines and disks before what they stand on. The operator must still be at work. */
const removeMade = async (kubectl: Kubectl, pool: string, say: (line: string) => void): Promise<void> => {
  const wait = ['--ignore-not-found', '--timeout=180s'];
  await kubectl(['delete', 'ovm,odisk,oimg', '--all', '-n', 'team-a', ...wait]);
  for (const name of made) await kubectl(['delete', name, ...wait]);
  await kubectl(['delete', 'hostpool.ovcp.dev', pool, ...wait]);
  say(
    `left in the cluster: the CRDs, the policies, and the namespace ${operatorNamespace} with your Secrets`,
  );
  say('left on the hosts: the network filter ovcp-claim, which says which cluster they belong to');
};

/** As `setLabStage`, but asks before it touches the cluster, and stops at names that are taken. */
export const setOwnStage = async (choice: OwnChoice, options: StageOptions): Promise<Stage> => {
  const { dir, say, signal } = options;
  const env = { ...process.env, KUBECONFIG: choice.kubeconfig };
  const known = await run(['kubectl', 'version', '--client'], { allowFailure: true }).catch(() => undefined);
  const program = known?.code === 0 ? 'kubectl' : (await ensureControlPlaneBinaries(say)).kubectl;
  const kubectl: Kubectl = async (args, stdin) =>
    tellKubectl(await run([program, ...args], { env, allowFailure: true, stdin: stdin ?? '' }, signal), args);
  const removal: Kubectl = async (args) =>
    tellKubectl(await run([program, ...args], { env, allowFailure: true }), args);
  const pool = readPool(choice.hostPoolFile);
  const poolName = textAt(pool, 'metadata', 'name');
  const server = await kubectl([
    'config',
    'view',
    '--minify',
    '-o',
    'jsonpath={.clusters[0].cluster.server}',
  ]);
  say(`your cluster is ${server}; your hosts are those of HostPool ${poolName} in ${choice.hostPoolFile}`);
  say('a machine web-1 is made in a new namespace team-a (label team=a), and taken away at the end');
  if (!(await options.agrees('Go on?'))) throw declined;
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const stops: Stop[] = [];
  const end = async (): Promise<void> => {
    for (const stop of stops.splice(0)) await stop();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await install(kubectl, say);
    await refuseLeftovers(kubectl);
    await kubectl(['apply', '--server-side', '-f', resolve(choice.hostPoolFile)]);
    const simulated = textAt(pool, 'spec', 'driver') === 'simulated';
    const image = await provideImage(options, stops);
    await startOwnOperator(choice, options, kubectl, stops);
    return {
      kubectl: [program],
      env,
      mustKubectl: kubectl,
      hosts: await accessesOf(pool, dir, secretReader(kubectl)),
      demoHosts: { kind: 'own', pool: poolName, simulated },
      image,
      guestSpeaks: !simulated && !options.env['IMAGE'],
      enter: [
        `export KUBECONFIG='${choice.kubeconfig
          .split(delimiter)
          .map((it) => resolve(it))
          .join(delimiter)}'`,
      ],
      dir,
      down: async () => {
        await removeMade(removal, poolName, say);
        await end();
      },
    };
  } catch (error) {
    keepLogs(dir, failedLogs(dir));
    await end();
    throw error;
  }
};
