/** LUNs on the lab's target without the operator: made by the same driver, opened by QEMU's own initiator. */
import { randomUUID } from 'node:crypto';
import { run } from '../../../hack/lab/process.ts';
import { DISK_LUN, diskTargetIqn, hostInitiatorIqn } from '../../../src/api/identity.ts';
import type { DiskServer, IscsiWish } from '../../../src/drivers/storage/contract.ts';
import { createIscsiDriver } from '../../../src/drivers/storage/iscsi/driver.ts';
import { createServerLinks } from '../../../src/drivers/storage/server-link.ts';
import { createInitiator } from '../../contract/fixtures/iscsi-initiator.ts';
import { chap, type StorageLab, sanFolder, sanName } from './storage-lab.ts';

const never = new AbortController().signal;

/** The pool of the lab as the driver alone opens it; over a connection of its own. */
export const openSan = async (
  lab: StorageLab,
): Promise<{ disks: DiskServer; close: () => Promise<void> }> => {
  const { cluster, target } = lab;
  const path = `/apis/ovcp.dev/v1alpha1/storagepools/${sanName}`;
  const { metadata } = (await cluster.call({ method: 'GET', path })) as { metadata: { uid: string } };
  const wish: IscsiWish = {
    kind: 'iscsi',
    software: 'TGT',
    portals: [target.portal],
    backing: { type: 'Files', path: sanFolder(lab) },
    chap,
  };
  const { sshPrivateKey, sshKnownHosts } = target.credentials;
  const credentials = { sshPrivateKey, sshKnownHosts };
  const ssh = { host: target.address, port: 22, user: 'root', credentials };
  const server = createIscsiDriver(createServerLinks()).open({
    identity: { clusterId: 'bench', poolUid: metadata.uid, poolName: sanName },
    wish,
    endpoints: [{ name: 'target', address: target.address, ssh }],
  });
  if (server.disks === undefined) throw new Error('the server hands out no disks');
  return { disks: server.disks, close: () => server.close() };
};

export interface Lun {
  /** Copies a raw file into it over iSCSI. */
  write(path: string): Promise<void>;
  remove(): Promise<void>;
}

export const createLuns = async (lab: StorageLab) => {
  const { disks, close } = await openSan(lab);
  const iqn = hostInitiatorIqn(randomUUID());
  const initiator = createInitiator(lab.dir, iqn, chap);
  const make = async (sizeBytes: number): Promise<Lun> => {
    const diskUid = randomUUID();
    const served = {
      protocol: 'iscsi' as const,
      portals: [lab.target.portal],
      targetIqn: diskTargetIqn(diskUid),
      lun: DISK_LUN,
      serial: diskUid,
      wwn: '',
    };
    await disks.take({ diskUid }, { kind: 'createBlank', sizeBytes }, never);
    await disks.take({ diskUid }, { kind: 'publish', initiator: { iqn } }, never);
    const options = initiator.options(served);
    const secret = options.slice(0, -2);
    const target = options.at(-1) ?? '';
    return {
      write: async (path) => {
        const copy = [
          'qemu-img',
          'convert',
          '-n',
          ...secret,
          '-f',
          'raw',
          '--target-image-opts',
          path,
          target,
        ];
        await run(copy);
      },
      remove: async () => {
        await disks.take({ diskUid }, { kind: 'revoke', initiator: { iqn } }, never);
        await disks.take({ diskUid }, { kind: 'delete' }, never);
      },
    };
  };
  return { make, close };
};
