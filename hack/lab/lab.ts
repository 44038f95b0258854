import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { ensureControlPlaneBinaries } from './control-plane-binaries.ts';
import type { GlusterLab } from './gluster.ts';
import { ensureGuestImage, type GuestImage } from './guest-image.ts';
import type { IscsiTarget } from './iscsi-target.ts';
import { type KvmHost, startKvmHosts } from './kvm-host.ts';
import { createLabNetwork } from './lab-network.ts';
import { serverLines, startStorageServers } from './lab-servers.ts';
import {
  isLabUp,
  isRunning,
  type LabState,
  type RecordedProcess,
  readState,
  recordProcess,
  stopRecorded,
  writeState,
} from './lab-state.ts';
import { credentialsSecret, hostPoolManifest, listOf, storageSecrets } from './manifests.ts';
import { installOperator, repositoryRoot, startOperator } from './operator.ts';
import { ensureDebianPackages, labPackages } from './packages.ts';
import { freePorts } from './ports.ts';
import { run, startDaemon, waitUntil } from './process.ts';

type Say = (line: string) => void;

/** Default folder of `make lab`. */
export const defaultLabDir = join(repositoryRoot, '.lab');

export type Lab = {
  plane: ControlPlane;
  hosts: KvmHost[];
  gluster: GlusterLab;
  target: IscsiTarget;
  image: GuestImage;
  /** Where hosts and operator fetch the guest image from. */
  imageUrl: string;
  state: LabState;
};

const serveImage = async (dir: string, host: KvmHost, image: GuestImage) => {
  const folder = join(dir, 'www');
  mkdirSync(folder, { recursive: true });
  symlinkSync(image.qcow2Path, join(folder, 'guest.qcow2'));
  writeFileSync(join(folder, 'guest.qcow2.sha256'), `${image.sha256.qcow2}  guest.qcow2\n`);
  const [port = 0] = await freePorts(1, host.gateway);
  const script = join(dirname(fileURLToPath(import.meta.url)), 'http-server.ts');
  const daemon = await startDaemon({
    name: 'http-server',
    argv: [process.execPath, script, '--host', host.gateway, '--port', `${port}`, '--dir', folder],
    logPath: join(dir, 'http-server.log'),
    detached: true,
  });
  const url = `http://${host.gateway}:${port}/guest.qcow2`;
  const served = async (): Promise<boolean> => {
    try {
      return (await fetch(`${url}.sha256`)).ok;
    } catch {
      return false;
    }
  };
  await waitUntil('the HTTP server', served, { limitMs: 120_000, alive: [daemon] });
  return { url, pid: daemon.pid };
};

/** Shell assignments and, as comments, what a person does with them. */
const envFile = (dir: string, lab: Lab): string => {
  const { plane, hosts, image, imageUrl, state } = lab;
  const names = hosts.map((host) => host.name.toUpperCase().replaceAll('-', '_'));
  return [
    '# Sourced by a shell: . .lab/env',
    `export OVCP_LAB_DIR='${dir}'`,
    `export OVCP_LAB="'${process.execPath}' '${join(repositoryRoot, 'hack/lab/main.ts')}'"`,
    `export KUBECONFIG='${plane.kubeconfig}'`,
    `export KUBECTL='${plane.kubectlPath}'`,
    `export OVCP_IMAGE_URL='${imageUrl}'`,
    `export OVCP_IMAGE_CHECKSUM='sha256:${image.sha256.qcow2}'`,
    ...hosts.map((host, index) => `export VIRSH_${names[index]}="virsh -c '${host.virshUris.unix}'"`),
    ...hosts.map(
      (host, index) => `#   virsh on ${host.name} (${host.address}):  eval $VIRSH_${names[index]} list --all`,
    ),
    ...serverLines(dir, lab),
    `export OVCP_METRICS='http://127.0.0.1:${state.operator.port}/metrics'`,
    `#   operator's log:   ${state.operator.logPath}`,
    `#   operator, start:  eval $OVCP_LAB operator-start`,
    `#   operator, stop:   eval $OVCP_LAB operator-stop`,
    `#   take down:        eval $OVCP_LAB down`,
    `#   hosts and their credentials as objects, applied already:  ${join(dir, 'hosts.json')}`,
    '',
  ].join('\n');
};

const recordHosts = (hosts: readonly KvmHost[]) =>
  hosts.map((host) => recordProcess(`host ${host.name}`, host.initPid() ?? 0, 'kill'));

/** Starts the operator of a lab that is up, unless it runs. Its process is recorded. */
export const startLabOperator = async (dir: string): Promise<void> => {
  const state = readState(dir);
  if (state === undefined) throw new Error(`there is no lab in ${dir}`);
  if (state.processes.some((process) => process.name === 'operator' && isRunning(process))) return;
  const operator = await startOperator({ ...state.operator, detached: true });
  const others = state.processes.filter((process) => process.name !== 'operator');
  writeState(dir, { ...state, processes: [...others, recordProcess('operator', operator.pid)] });
};

export const stopLabOperator = async (dir: string): Promise<void> => {
  const operator = readState(dir)?.processes.find((process) => process.name === 'operator');
  if (operator !== undefined) await stopRecorded(operator);
};

const startParts = async (
  dir: string,
  say: Say,
  started: (state: LabState) => void,
  signal?: AbortSignal,
): Promise<Lab> => {
  const state: LabState = {
    starter: recordProcess('starter', process.pid),
    processes: [],
    bridge: undefined,
    gluster: [],
    operator: { kubeconfig: '', logPath: join(dir, 'operator.log'), port: 0, allowedImageRanges: [] },
  };
  const record = (processes: readonly RecordedProcess[], gluster: LabState['gluster'] = []): void => {
    state.processes.push(...processes);
    state.gluster.push(...gluster);
    started(state);
  };
  // From here on no other may bring one up in this folder.
  started(state);
  const network = await createLabNetwork();
  state.bridge = network.bridge;
  started(state);
  say('starting the control plane, two KVM hosts, three Gluster servers and an iSCSI target server');
  const starts = [
    startControlPlane({ dir: join(dir, 'cp'), auditLog: true, detached: true }, signal).then((plane) => {
      record(plane.processes().map(({ name, pid }) => recordProcess(name, pid)));
      return plane;
    }),
    startKvmHosts(
      { dir: join(dir, 'kvm'), hosts: [{ name: 'node1' }, { name: 'node2' }], network, detached: true },
      signal,
    ).then((hosts) => {
      record(recordHosts(hosts));
      return hosts;
    }),
    startStorageServers(dir, network, record, signal),
  ] as const;
  // What is there when another fails is recorded, and so is taken down.
  await Promise.allSettled(starts);
  const [plane, hosts, servers] = await Promise.all(starts);
  const [first] = hosts;
  if (first === undefined) throw new Error('no KVM host');
  const image = await ensureGuestImage(say);
  const served = await serveImage(dir, first, image);
  state.processes.push(recordProcess('http-server', served.pid));
  const [port = 0] = await freePorts(1);
  state.operator = {
    ...state.operator,
    kubeconfig: await installOperator(plane),
    port,
    allowedImageRanges: [`${first.gateway}/32`],
  };
  state.starter = undefined;
  started(state);
  return { plane, hosts, ...servers, image, imageUrl: served.url, state };
};

/**
 * Brings up control plane, two KVM hosts, three Gluster servers, an iSCSI target server, the server of the guest image
 * and (unless told otherwise) the operator and a HostPool `kvm` of the hosts, all left running, with their state in
 * `dir`. The Secrets of hosts and servers are there in any case.
 * What was started is taken down again when something fails.
 */
export const labUp = async (
  options: {
    dir?: string;
    operator?: boolean;
    hostPool?: boolean;
    say?: Say;
    onFailure?: (dir: string) => void;
  } = {},
  signal?: AbortSignal,
): Promise<Lab> => {
  const dir = options.dir ?? defaultLabDir;
  const say = options.say ?? ((line) => process.stderr.write(`${line}\n`));
  if (isLabUp(dir)) throw new Error(`a lab is up in ${dir}; take it down first`);
  await labDown(dir);
  await ensureDebianPackages(labPackages, say);
  await ensureControlPlaneBinaries(say);
  mkdirSync(dir, { recursive: true });
  try {
    const lab = await startParts(dir, say, (state) => writeState(dir, state), signal);
    signal?.throwIfAborted();
    const secrets = [...lab.hosts.map((host) => credentialsSecret(host)), ...storageSecrets(lab)];
    const objects = options.hostPool === false ? secrets : [...secrets, hostPoolManifest(lab.hosts)];
    writeFileSync(join(dir, 'hosts.json'), listOf(objects), { mode: 0o600 });
    await lab.plane.mustKubectl(['apply', '--server-side', '-f', join(dir, 'hosts.json')]);
    writeFileSync(join(dir, 'env'), envFile(dir, lab));
    if (options.operator !== false) {
      say('starting the operator');
      await startLabOperator(dir);
    }
    return lab;
  } catch (error) {
    options.onFailure?.(dir);
    await labDown(dir);
    throw error;
  }
};

/** Takes down what `labUp` recorded in `dir` and removes the folder. Nothing else is touched; absent is down. */
export const labDown = async (dir: string = defaultLabDir): Promise<void> => {
  const state = readState(dir);
  if (state === undefined) return;
  for (const process of state.processes.toReversed()) await stopRecorded(process);
  if (state.bridge !== undefined) await run(['ip', 'link', 'del', state.bridge], { allowFailure: true });
  rmSync(dir, { recursive: true, force: true });
};
