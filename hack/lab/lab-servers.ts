/** The storage servers of a lab that is left running, and what a person or a later process does to them. */
import { join } from 'node:path';
import { type GlusterLab, type GlusterNode, powerOnServer, startGluster } from './gluster.ts';
import { type IscsiTarget, startIscsiTarget } from './iscsi-target.ts';
import { writeSshCommand } from './kvm-host-credentials.ts';
import { type LabNetwork, labNetworkOf } from './lab-network.ts';
import {
  isRunning,
  type LabState,
  type RecordedProcess,
  readState,
  recordProcess,
  stopRecorded,
  writeState,
} from './lab-state.ts';
import { type RunResult, run } from './process.ts';

/** Name of the lab's iSCSI target server. */
export const targetName = 'san';

const processName = (server: string): string => `server ${server}`;

const record = (server: string, initPid: number): RecordedProcess =>
  recordProcess(processName(server), initPid, 'kill');

const recordGluster = ({ nodes }: GlusterLab): RecordedProcess[] =>
  nodes.map((node) => record(node.name, node.initPid() ?? 0));

/** Three Gluster servers and a tgt server; `started` hears of each as soon as it is there. */
export const startStorageServers = async (
  dir: string,
  network: LabNetwork,
  started: (processes: readonly RecordedProcess[], gluster: LabState['gluster']) => void,
  signal?: AbortSignal,
): Promise<{ gluster: GlusterLab; target: IscsiTarget }> => {
  const options = { network, detached: true };
  const gluster = startGluster({ ...options, dir: join(dir, 'gluster'), brickDiskMiB: 3072 }, signal);
  const target = startIscsiTarget({ ...options, dir: join(dir, 'iscsi'), name: targetName }, signal);
  const all = [
    gluster.then((it) =>
      started(
        recordGluster(it),
        it.nodes.map(({ name, dir: folder, index }) => ({ name, dir: folder, index })),
      ),
    ),
    target.then((it) => started([record(it.name, it.initPid)], [])),
  ];
  // What is there when the other fails is recorded, and so is taken down.
  await Promise.allSettled(all);
  await Promise.all(all);
  return { gluster: await gluster, target: await target };
};

const stateOf = (dir: string): LabState => {
  const state = readState(dir);
  if (state === undefined) throw new Error(`there is no lab in ${dir}`);
  return state;
};

const processOf = (state: LabState, server: string): RecordedProcess => {
  const found = state.processes.find(({ name }) => name === processName(server));
  if (found === undefined) throw new Error(`the lab has no server ${server}`);
  return found;
};

/** Runs a program on a storage server of the lab. Throws with its error, and when the server has no power. */
export const onServer = async (dir: string, server: string, argv: readonly string[]): Promise<RunResult> => {
  const recorded = processOf(stateOf(dir), server);
  if (!isRunning(recorded)) throw new Error(`${server} has no power`);
  return run(['nsenter', '-t', `${recorded.pid}`, '-m', '-n', '-p', '-u', '--', ...argv]);
};

const glusterServer = (state: LabState, name: string) => {
  const server = state.gluster.find((each) => each.name === name);
  if (server === undefined || state.bridge === undefined)
    throw new Error(`the lab has no Gluster server ${name}`);
  return { server, network: labNetworkOf(state.bridge) };
};

/** Everything on a Gluster server dies at once; its disk stays. */
export const serverOff = async (dir: string, name: string): Promise<void> => {
  const state = stateOf(dir);
  const { server, network } = glusterServer(state, name);
  await stopRecorded(processOf(state, name));
  // The kernel takes the cable of what died away some time later, and its name must be free at once.
  await run(['ip', 'link', 'del', network.portOf(server.index)], { allowFailure: true });
};

/** Power for a Gluster server that has none. Its process is recorded, so that the lab takes it down. */
export const serverOn = async (dir: string, name: string, signal?: AbortSignal): Promise<void> => {
  const { server, network } = glusterServer(stateOf(dir), name);
  if (isRunning(processOf(stateOf(dir), name))) return;
  const recorded = record(name, await powerOnServer(server, network, signal));
  const state = stateOf(dir);
  const others = state.processes.filter((process) => process.name !== recorded.name);
  writeState(dir, { ...state, processes: [...others, recorded] });
};

const sshLine = (server: GlusterNode | IscsiTarget, folder: string): string => {
  const { credentials, address } = server;
  const command = writeSshCommand(folder, credentials);
  return `'${command}' -i '${credentials.sshPrivateKeyPath}' root@${address}`;
};

/** Lines of `.lab/env`: how a person reaches each server. */
export const serverLines = (
  dir: string,
  { gluster, target }: { gluster: GlusterLab; target: IscsiTarget },
): string[] => [
  ...gluster.nodes.flatMap((node) => {
    const name = node.name.toUpperCase();
    return [
      `export SSH_${name}="${sshLine(node, node.dir)}"`,
      `#   Gluster server ${node.name} (${node.address}), bricks below ${node.brickFolder}:  eval $SSH_${name} gluster pool list`,
    ];
  }),
  `export SSH_SAN="${sshLine(target, join(dir, 'iscsi', target.name))}"`,
  `#   iSCSI target server (${target.address}), disks below ${target.lunFolder}:  eval $SSH_SAN tgtadm --lld iscsi --op show --mode target`,
  '#   their Secrets for StoragePools:  gluster-ssh, san-ssh, san-chap in ovcp-system',
  '#   a Gluster server dies, and comes back:  eval $OVCP_LAB server-off g3;  eval $OVCP_LAB server-on g3',
];
