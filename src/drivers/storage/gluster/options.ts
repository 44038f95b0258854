/** Volume options: what a volume for machines needs, what an administrator may add, and our mark. */
import { glusterOptions } from '../../../api/storage-pool-gluster.ts';
import type { GlusterWish, PoolIdentity } from '../contract.ts';
import type { VolumeSeen } from './seen.ts';

/** What group `virt` of glusterfs 10 sets, but for `user.cifs`: kept so, whatever a hand or another version makes of it. */
const FOR_MACHINES: Readonly<Record<string, string>> = {
  'performance.quick-read': 'off',
  'performance.read-ahead': 'off',
  'performance.io-cache': 'off',
  'performance.low-prio-threads': '32',
  'network.remote-dio': 'disable',
  'performance.strict-o-direct': 'on',
  'cluster.server-quorum-type': 'server',
  'features.shard': 'on',
  'client.event-threads': '4',
  'server.event-threads': '4',
  'performance.client-io-threads': 'on',
  'network.ping-timeout': '20',
  'server.tcp-user-timeout': '20',
  'server.keepalive-time': '10',
  'server.keepalive-interval': '2',
  'server.keepalive-count': '5',
  'cluster.lookup-optimize': 'off',
};

/** Refused by gluster for volumes that are not replicated. */
const FOR_REPLICAS: Readonly<Record<string, string>> = {
  'cluster.eager-lock': 'enable',
  'cluster.quorum-type': 'auto',
  'cluster.data-self-heal-algorithm': 'full',
  'cluster.locking-scheme': 'granular',
  'cluster.shd-max-threads': '8',
  'cluster.shd-wait-qlength': '10000',
  'cluster.choose-local': 'off',
};

/** What a StoragePool may set. Left out is what could lose data (quorum, shards, split-brain policies) or open the volume. */
export const ALLOWED_OPTIONS: ReadonlySet<string> = new Set(glusterOptions);

/** They decide how a file lies on the bricks: never changed on a volume that may hold some. */
const ONLY_BEFORE_FIRST_START = new Set(['features.shard-block-size']);

const OWNER = 'user.ovcp.owner';
const POOL = 'user.ovcp.pool';
const ORIGIN = 'user.ovcp.origin';
/** `due` from before bricks are added, then the id of the rebalance, until that has been through. */
const REBALANCE = 'user.ovcp.rebalance';
/** Gluster sets options of ours and never takes one back (`volume reset` does not know them). */
const NONE = 'none';

const given = (value: string | undefined): string | undefined => (value === NONE ? undefined : value);

/** What a rebalance is due for, or its id. */
export const rebalanceOf = ({ options }: Pick<VolumeSeen, 'options'>): string | undefined =>
  given(options[REBALANCE]);

export const rebalanceOptions = (value: string = NONE): Readonly<Record<string, string>> => ({
  [REBALANCE]: value,
});

/** Set together, they leave a volume as one without a mark. */
export const unmarkOptions: Readonly<Record<string, string>> = {
  [OWNER]: NONE,
  [POOL]: NONE,
  [ORIGIN]: NONE,
  [REBALANCE]: NONE,
};

export type Mark =
  | { readonly kind: 'none' }
  | { readonly kind: 'ours'; readonly made: boolean }
  /** Of this cluster, but another pool. */
  | { readonly kind: 'otherPool'; readonly pool: string }
  | { readonly kind: 'otherCluster'; readonly cluster: string };

export const markOf = (
  { options }: Pick<VolumeSeen, 'options'>,
  { clusterId, poolUid }: PoolIdentity,
): Mark => {
  const owner = given(options[OWNER]);
  if (owner === undefined) return { kind: 'none' };
  const slash = owner.lastIndexOf('/');
  const [cluster, uid] = [owner.slice(0, slash), owner.slice(slash + 1)];
  if (cluster !== clusterId) return { kind: 'otherCluster', cluster };
  if (uid !== poolUid) return { kind: 'otherPool', pool: options[POOL] ?? uid };
  return { kind: 'ours', made: options[ORIGIN] === 'made' };
};

export const markOptions = (identity: PoolIdentity, made: boolean): Readonly<Record<string, string>> => ({
  [OWNER]: `${identity.clusterId}/${identity.poolUid}`,
  [POOL]: identity.poolName,
  [ORIGIN]: made ? 'made' : 'adopted',
});

/** Servers mount too: for healing, and for themselves. */
const allowed = (wish: GlusterWish, addresses: readonly string[]): string =>
  [...new Set([...addresses, ...wish.clients])].toSorted().join(',');

/** Gluster keeps some words as they were given: `on` and `enable` are one. */
const normal = (value: string | undefined): string | undefined => {
  if (value === undefined) return undefined;
  const word = value.trim().toLowerCase();
  if (['on', 'enable', 'enabled', 'yes', 'true', '1'].includes(word)) return 'on';
  if (['off', 'disable', 'disabled', 'no', 'false', '0'].includes(word)) return 'off';
  return word;
};

const same = (name: string, has: string | undefined, wanted: string): boolean => {
  if (name !== 'auth.allow') return normal(has) === normal(wanted);
  return (has ?? '').split(',').toSorted().join(',') === wanted;
};

/** What has to be set so that the volume is as it should be; empty when nothing has. */
export const optionDrift = (
  wish: GlusterWish,
  addresses: readonly string[],
  volume: VolumeSeen,
  made: boolean,
): Readonly<Record<string, string>> => {
  const wanted: Record<string, string> = {
    ...FOR_MACHINES,
    ...(wish.layout.type === 'Replicate' ? FOR_REPLICAS : {}),
    ...wish.options,
    'auth.allow': allowed(wish, addresses),
  };
  const fresh = volume.status === 'Created';
  const entries = Object.entries(wanted).filter(([name, value]) => {
    if (same(name, volume.options[name], value)) return false;
    if (ONLY_BEFORE_FIRST_START.has(name)) return fresh;
    // An adopted volume holds whole files: with shards some of them would change how they lie on the bricks.
    return name !== 'features.shard' || made;
  });
  return Object.fromEntries(entries);
};

/** What the wish asks of a volume that can hold files by now, and cannot have; a sentence. */
export const tooLate = (wish: GlusterWish, { status, options }: VolumeSeen): string | undefined => {
  const late = Object.entries(wish.options).find(
    ([name, value]) =>
      ONLY_BEFORE_FIRST_START.has(name) && status !== 'Created' && !same(name, options[name], value),
  );
  return late === undefined
    ? undefined
    : `The option ${late[0]} can be set before the first start of a volume only, and stays ${options[late[0]] ?? 'as it is'}.`;
};

/** A fresh volume gets its server's own profile first, which may know more than we do. */
export const needsProfile = (wish: GlusterWish, volume: VolumeSeen): boolean =>
  wish.layout.type === 'Replicate' &&
  volume.status === 'Created' &&
  volume.options['features.shard'] === undefined;
