/** The demo on this machine: control plane, two KVM hosts, storage servers and the operator of hack/lab. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensureGuestImage } from '../lab/guest-image.ts';
import { type Lab, labDown, labUp } from '../lab/lab.ts';
import { onServer, serverOff, serverOn } from '../lab/lab-servers.ts';
import { isLabUp } from '../lab/lab-state.ts';
import { labPackages } from '../lab/packages.ts';
import { keepLogs, type Stage, type StageOptions, type StorageAccess, shortPath } from './stage.ts';
import { bringControlPlane, bringPackages } from './tools.ts';

/** Where the logs of a lab go that failed. */
export const failedLogs = (dir: string): string => `${dir}-failed`;

/** A shell looks for a file without a slash on its PATH. */
const envPath = (dir: string): string => shortPath(join(dir, 'env')).replace(/^(?!\/)/, './');

const storageAccess = ({ gluster, target }: Lab, dir: string, signal: AbortSignal): StorageAccess => ({
  parts: {
    gluster: {
      servers: gluster.nodes.map(({ name, address }) => ({ name, address })),
      brickFolder: gluster.nodes[0]?.brickFolder ?? '',
    },
    iscsi: {
      address: target.address,
      portal: `${target.portal.address}:${target.portal.port}`,
      folder: `${target.lunFolder}/${target.name}`,
    },
  },
  target: target.name,
  run: async (server, argv) => (await onServer(dir, server, argv)).stdout,
  off: (server) => serverOff(dir, server),
  on: (server) => serverOn(dir, server, signal),
});

/**
 * Brings everything up. Throws when a lab is up in `dir` already: it may be somebody's work. What was started is taken
 * down again on failure, with its logs kept in `failedLogs(dir)`.
 */
export const setLabStage = async (options: StageOptions): Promise<Stage> => {
  const { dir, say, signal } = options;
  if (isLabUp(dir)) {
    throw new Error(`A lab is up in ${dir}. Take it down first: make lab-down`);
  }
  await bringPackages(labPackages, options);
  await bringControlPlane(options);
  await ensureGuestImage(say);
  const onFailure = (): void => void keepLogs(dir, failedLogs(dir));
  const lab = await labUp({ dir, say, onFailure, hostPool: false }, signal);
  const { plane, hosts } = lab;
  for (const [index, host] of hosts.entries()) {
    say(`${host.name} is at ${host.address}, reached by ${index === 0 ? 'SSH' : 'TLS'}`);
  }
  for (const { name, address } of lab.gluster.nodes) say(`${name} is at ${address}, a Gluster server`);
  say(`${lab.target.name} is at ${lab.target.address}, an iSCSI target server`);
  return {
    kubectl: [plane.kubectlPath, '--kubeconfig', plane.kubeconfig],
    env: { PATH: process.env['PATH'], HOME: dir, KUBECACHEDIR: join(dir, 'kubectl-cache') },
    mustKubectl: (args, stdin) => plane.mustKubectl(args, stdin === undefined ? {} : { stdin }),
    hosts: hosts.map((host) => ({
      host: `kvm.${host.name}`,
      uri: host.virshUris.unix,
      shell: `eval $VIRSH_${host.name.toUpperCase()}`,
    })),
    demoHosts: {
      kind: 'libvirt',
      hosts: hosts.map((host, index) => ({
        name: host.name,
        uri: (index === 0 ? undefined : host.uris.tls) ?? host.uris.ssh,
        secret: host.name,
      })),
    },
    image: { url: lab.imageUrl, checksum: `sha256:${lab.image.sha256.qcow2}`, format: 'qcow2' },
    storage: storageAccess(lab, dir, signal),
    guestSpeaks: true,
    enter: [`. ${envPath(dir)}`, 'alias kubectl="$KUBECTL"'],
    dir,
    down: async () => {
      if (existsSync(dir)) await labDown(dir);
    },
  };
};
