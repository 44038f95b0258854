/** StoragePools on the lab's servers. */
import type { GlusterNode } from '../../../hack/lab/gluster.ts';
import type { IscsiTarget } from '../../../hack/lab/iscsi-target.ts';

const pool = (name: string, spec: object) => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'StoragePool',
  metadata: { name },
  spec: { hostPoolRefs: [{ name: 'kvm' }], allowedNamespaces: { from: 'All' }, ...spec },
});

/** A volume with a copy on each server, made and taken away by the operator; wants the Secret `gluster-ssh`. */
export const volumePool = (name: string, nodes: readonly GlusterNode[]) =>
  pool(name, {
    driver: 'gluster',
    roles: ['Disks', 'Images'],
    gluster: {
      management: 'Manage',
      volume: name,
      servers: nodes.map((node) => ({
        name: node.name,
        address: node.address,
        credentialsSecretRef: { name: 'gluster-ssh' },
      })),
      layout: { type: 'Replicate', replica: nodes.length },
      replicaSets: [
        {
          name: 'a',
          bricks: nodes.map((node, at) => ({
            name: `a${at + 1}`,
            server: node.name,
            path: `${node.brickFolder}/${name}`,
          })),
        },
      ],
      deletionPolicy: 'Delete',
    },
  });

/** Files on tgt, opened by QEMU with CHAP; wants the Secrets `san-ssh` and `san-chap`. */
export const tgtPool = (name: string, target: IscsiTarget) =>
  pool(name, {
    driver: 'iscsi',
    roles: ['Disks'],
    iscsi: {
      target: {
        software: 'TGT',
        address: target.address,
        user: target.sudoUser,
        credentialsSecretRef: { name: 'san-ssh' },
        portals: [`${target.portal.address}:${target.portal.port}`],
      },
      backing: { type: 'Files', files: { path: `${target.lunFolder}/${name}` } },
      chap: { credentialsSecretRef: { name: 'san-chap' } },
      attach: 'QEMU',
    },
  });
