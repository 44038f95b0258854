/** The laws over a real Gluster cluster of three servers. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { type GlusterNode, startGluster } from '../../../hack/lab/gluster.ts';
import type { GlusterWish, PoolIdentity, StorageServer } from '../../../src/drivers/storage/contract.ts';
import { createGlusterDriver } from '../../../src/drivers/storage/gluster/driver.ts';
import { createServerLinks } from '../../../src/drivers/storage/server-link.ts';
import { Fault } from '../../../src/runtime/fault.ts';
import type { ServerDriver } from './fixture.ts';

const wishOf = (nodes: readonly GlusterNode[], { poolName }: PoolIdentity): GlusterWish => ({
  kind: 'gluster',
  management: 'Manage',
  volume: poolName,
  layout: { type: 'Replicate', replica: 3, arbiter: false },
  replicaSets: [
    {
      name: 'a',
      bricks: nodes.map(({ name, brickFolder }, at) => ({
        name: `a${at + 1}`,
        server: name,
        path: `${brickFolder}/${poolName}`,
      })),
    },
  ],
  options: {},
  force: false,
  clients: [],
});

/** Loses the answer of the next step once it has been taken. */
const forgetful = (server: StorageServer, isLost: () => boolean): StorageServer => ({
  ...server,
  take: async (step, signal) => {
    await server.take(step, signal);
    if (isLost()) throw new Fault('unreachable', 'The answer was lost.');
  },
});

export const gluster: ServerDriver = {
  name: 'gluster',
  notSupported: {},
  missing: () => {
    if (process.getuid?.() !== 0) return 'the lab needs root';
    return existsSync('/usr/sbin/glusterd') ? undefined : 'glusterfs-server is not installed';
  },
  start: async () => {
    const dir = await mkdtemp('/tmp/ovcp-glaw-');
    const lab = await startGluster({ dir });
    const { nodes } = lab;
    const [g1, g2] = nodes;
    if (g1 === undefined || g2 === undefined) throw new Error('three servers were asked for');
    const driver = createGlusterDriver(createServerLinks());
    const endpoints = nodes.map(({ name, address, credentials }) => ({
      name,
      address,
      ssh: {
        host: address,
        port: 22,
        user: 'root',
        credentials: {
          sshPrivateKey: credentials.sshPrivateKey,
          sshKnownHosts: credentials.sshKnownHosts,
        },
      },
    }));
    const infoOf = async (volume: string): Promise<string> =>
      (await g1.exec(['gluster', '--mode=script', 'volume', 'info', volume], { allowFailure: true })).stdout;
    let pools = 0;
    let losing = false;
    return {
      newPool: async () => {
        pools += 1;
        const uid = `0b0c7d0e-0000-4000-8000-${String(pools).padStart(12, '0')}`;
        return { clusterId: 'laws', poolUid: uid, poolName: `law${pools}` };
      },
      open: (identity) =>
        forgetful(driver.open({ identity, wish: wishOf(nodes, identity), endpoints }), () => {
          const lost = losing;
          losing = false;
          return lost;
        }),
      hands: {
        snapshot: async () => {
          const folders = nodes.map(async (node) => (await node.exec(['ls', node.brickFolder])).stdout);
          return [await infoOf('all'), ...(await Promise.all(folders))].join('\n');
        },
        isServed: async ({ poolName }) => (await infoOf(poolName)).includes('Status: Started'),
        makeForeign: async (pool) => {
          const bricks = nodes.map(
            ({ address, brickFolder }) => `${address}:${brickFolder}/${pool.poolName}`,
          );
          await g1.gluster('volume', 'create', pool.poolName, 'replica', '3', ...bricks);
          await g1.gluster('volume', 'start', pool.poolName);
        },
        breakPart: ({ poolName }) => g2.killBrick(`${g2.brickFolder}/${poolName}`),
        mendPart: async ({ poolName }) => void (await g1.gluster('volume', 'start', poolName, 'force')),
        loseReply: async () => {
          losing = true;
        },
        cutOff: async () => void (await Promise.all(nodes.map((node) => node.cut()))),
        reconnect: async () => void (await Promise.all(nodes.map((node) => node.heal()))),
      },
      teardown: async () => {
        await lab.stop();
        await rm(dir, { recursive: true, force: true });
      },
    };
  },
};
