/** What is looked at once more right before a step that cannot be taken back. */
import { Fault } from '../../../runtime/fault.ts';
import type { GlusterWish, PoolIdentity, ServerEndpoint } from '../contract.ts';
import type { Gluster } from './command.ts';
import { listed } from './health.ts';
import { parsePeers, type VolumeInfo } from './parse.ts';

/** A server that is away may hold files that did not move yet, and what the others tell says nothing of them. */
export const requireConnected = async (gluster: Gluster, signal: AbortSignal): Promise<void> => {
  const { root } = await gluster.tell(['pool', 'list'], signal);
  const away = parsePeers(root).peers.filter(({ connected, inCluster }) => !connected || !inCluster);
  if (away.length === 0) return;
  const names = listed(away.map(({ names: [name = 'unknown'] }) => name));
  const message = `The bricks are kept for now, because these servers are not connected: ${names}.`;
  throw new Fault('unreachable', message, { reason: 'ServerDown', where: gluster.server });
};

/** What Gluster itself keeps in the root of a brick; pieces in `.shard` belong to files that are elsewhere on it. */
const GLUSTERS_OWN = /^\.(glusterfs|glusterfs-anonymous-inode-.*|shard|trashcan)$/;

/** Files on the volume by what its bricks hold: of ours nothing but the marker of the pool may be left, and nothing of others. */
export const requireNoFiles = async (
  {
    wish,
    identity,
    endpoints,
    on,
  }: {
    readonly wish: GlusterWish;
    readonly identity: PoolIdentity;
    readonly endpoints: readonly ServerEndpoint[];
    readonly on: (server: string) => Gluster;
  },
  { bricks }: VolumeInfo,
  signal: AbortSignal,
): Promise<void> => {
  const found = new Set<string>();
  for (const { id } of bricks) {
    const endpoint = endpoints.find(({ address }) => id.startsWith(`${address}:/`));
    if (endpoint === undefined) {
      const message = `The volume ${wish.volume} is not erased: brick ${id} is on no server of the pool, and nobody can look at it.`;
      throw new Fault('invalid', message, { reason: 'LayoutUnsuitable' });
    }
    const names = await on(endpoint.name).list(id.slice(endpoint.address.length + 1), signal);
    for (const name of names.split('\n')) {
      if (name !== '' && !GLUSTERS_OWN.test(name) && name !== `ovcp-pool-${identity.poolUid}`)
        found.add(name);
    }
  }
  if (found.size === 0) return;
  const message = `The volume ${wish.volume} is not erased, because there are files on it: ${listed([...found].toSorted())}. Take them away, or set deletionPolicy to Retain.`;
  throw new Fault('invalid', message, { reason: 'WaitingForDependents' });
};
