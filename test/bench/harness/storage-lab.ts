/** The KVM lab with storage servers beside it: a tgt target, on request a Gluster cluster, and pools on them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { type GlusterLab, startGluster } from '../../../hack/lab/gluster.ts';
import { type IscsiTarget, startIscsiTarget } from '../../../hack/lab/iscsi-target.ts';
import type { HostCredentials } from '../../../hack/lab/kvm-host-credentials.ts';
import { createLabNetwork } from '../../../hack/lab/lab-network.ts';
import { tgtPool, volumePool } from '../../../hack/lab/storage-pools.ts';
import { has } from './cluster.ts';
import { deployedFlags } from './deployed.ts';
import { type KvmLab, kvmPoolName, startKvmLab } from './kvm-lab.ts';
import { type Disks, followDisks } from './machines.ts';
import { imageFlags } from './simulated-lab.ts';

export const sanName = 'san';
export const localName = 'local';
export const glusterName = 'gv0';
export const chap = { user: 'ovcp-san', password: 'a-secret-for-chap' } as const;

export interface StorageLab extends KvmLab {
  /** For files of the benchmark, on the machine. */
  readonly dir: string;
  readonly target: IscsiTarget;
  readonly gluster: GlusterLab | undefined;
  readonly disks: Disks;
}

export interface StorageLabOptions {
  /** Room on the target, in MiB of memory. */
  readonly roomMiB?: number;
  /** Room of each brick, in MiB; without it there is no Gluster. */
  readonly brickMiB?: number;
}

const secret = (name: string, values: Readonly<Record<string, string>>) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'ovcp-system' },
  stringData: values,
});

const sshSecret = (name: string, { sshPrivateKey, sshKnownHosts }: HostCredentials) =>
  secret(name, { 'ssh-privatekey': sshPrivateKey, known_hosts: sshKnownHosts });

const localPool = (path: string) => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'StoragePool',
  metadata: { name: localName },
  spec: {
    driver: 'dir',
    topology: 'HostLocal',
    hostPoolRefs: [{ name: kvmPoolName }],
    allowedNamespaces: { from: 'All' },
    roles: ['Disks', 'Images'],
    dir: { path },
  },
});

export const sanFolder = ({ target }: Pick<StorageLab, 'target'>): string => `${target.lunFolder}/san`;

const preparePools = async (
  { cluster, host }: KvmLab,
  target: IscsiTarget,
  gluster: GlusterLab | undefined,
): Promise<void> => {
  const [node] = gluster?.nodes ?? [];
  // One known_hosts for all servers of the cluster: each line pins one of them.
  const knownHosts = gluster?.nodes.map(({ credentials }) => credentials.sshKnownHosts).join('\n') ?? '';
  await cluster.apply(
    sshSecret('san-ssh', target.credentials),
    secret('san-chap', { 'chap-password': chap.password }),
    localPool(host.diskDir),
    tgtPool(sanName, target, 'root'),
    ...(gluster === undefined || node === undefined
      ? []
      : [
          sshSecret('gluster-ssh', { ...node.credentials, sshKnownHosts: knownHosts }),
          volumePool(glusterName, gluster.nodes),
        ]),
  );
  const names = [localName, sanName, ...(gluster === undefined ? [] : [glusterName])];
  for (const name of names) {
    const path = `/apis/ovcp.dev/v1alpha1/storagepools/${name}`;
    await cluster.until(path, (it) => has(it, 'Ready', 'True'));
  }
};

export const startStorageLab = async (options: StorageLabOptions = {}): Promise<StorageLab> => {
  const dir = await mkdtemp('/tmp/ovcp-bs-');
  const closers: (() => Promise<void>)[] = [() => rm(dir, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const closer of closers.toReversed()) await closer();
  };
  try {
    const network = await createLabNetwork();
    closers.push(() => network.remove());
    const { roomMiB, brickMiB } = options;
    const room = roomMiB === undefined ? {} : { roomMiB };
    const target = await startIscsiTarget({ dir, network, ...room });
    closers.push(() => target.stop());
    const gluster =
      brickMiB === undefined ? undefined : await startGluster({ dir, network, brickDiskMiB: brickMiB });
    if (gluster !== undefined) closers.push(() => gluster.stop());
    const kvm = await startKvmLab({ network, flags: imageFlags, nodeFlags: await deployedFlags() });
    closers.push(() => kvm.close());
    const disks = await followDisks(kvm.cluster);
    closers.push(() => disks.stop());
    await preparePools(kvm, target, gluster);
    return { ...kvm, dir, target, gluster, disks, close };
  } catch (error) {
    await close();
    throw error;
  }
};
