/** StoragePools on the lab's servers, for a HostPool `kvm`. */
import type { GlusterNode } from './gluster.ts';
import type { IscsiTarget } from './iscsi-target.ts';

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

/**
 * Files on tgt, opened by QEMU with CHAP; wants the Secrets `san-ssh` and `san-chap`. `user`: an account of the server,
 * which needs no sudo when it is root.
 */
export const tgtPool = (name: string, target: IscsiTarget, user = target.sudoUser) =>
  pool(name, {
    driver: 'iscsi',
    roles: ['Disks'],
    iscsi: {
      target: {
        software: 'TGT',
        address: target.address,
        user,
        credentialsSecretRef: { name: 'san-ssh' },
        portals: [`${target.portal.address}:${target.portal.port}`],
      },
      backing: { type: 'Files', files: { path: `${target.lunFolder}/${name}` } },
      chap: { credentialsSecretRef: { name: 'san-chap' } },
      attach: 'QEMU',
    },
  });
