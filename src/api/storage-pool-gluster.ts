import { z } from 'zod';
import {
  absent,
  atomic,
  dnsLabel,
  immutable,
  int,
  listMap,
  listSet,
  matching,
  type Output,
  reference,
  rule,
  text,
} from './kit.ts';

const ADDRESS = /^([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)$/;

/** What hosts and servers call a machine. */
export const machineAddress = () =>
  matching(253, ADDRESS, 'must be an IP address or a DNS name such as 192.0.2.21 or g1.example.org');

const PATH_SHAPE = /^(\/[A-Za-z0-9._-]+)+$/;

/** A folder that the administrator chose. */
export const absolutePath = (what: string, example: string) =>
  rule(text(512), {
    cel: `self.matches(r'${PATH_SHAPE.source}') && !self.split('/').exists(part, part == '.' || part == '..')`,
    message: `${what} must be absolute, of plain letters and free of '.' and '..', such as ${example}`,
    js: (value) => PATH_SHAPE.test(value) && !value.split('/').some((part) => part === '.' || part === '..'),
  });

/** What becomes of what the operator made on the servers when the StoragePool is deleted. */
export const serverDeletionPolicy = () =>
  z
    .enum(['Delete', 'Retain'])
    .describe(
      'Delete: what the operator made on the servers, with all data in it, goes with the StoragePool. Absent means Retain.',
    );

/** A machine that is managed over SSH. */
export const sshFields = () => ({
  address: machineAddress().describe('IP address or DNS name by which it is reached.'),
  sshPort: int(1, 65_535).optional().describe('Port of its SSH server; absent means 22.'),
  user: matching(32, /^[a-z_][a-z0-9_-]*$/, 'must be the name of a user such as root')
    .optional()
    .describe(
      'User for SSH; absent means root. Another one needs the sudo rules of docs/storage-servers.md.',
    ),
  credentialsSecretRef: reference(
    "Secret in the operator's namespace: ssh-privatekey or ssh-password, and known_hosts.",
  ),
});

const server = z.object({
  name: dnsLabel().describe('Name within the pool.'),
  ...sshFields(),
});

/** Options a volume may be given beyond the group `virt`; none of them can lose data or let anybody in. */
export const glusterOptions = [
  'client.event-threads',
  'cluster.min-free-disk',
  'cluster.self-heal-window-size',
  'cluster.shd-max-threads',
  'cluster.shd-wait-qlength',
  'features.shard-block-size',
  'network.ping-timeout',
  'performance.cache-size',
  'performance.io-thread-count',
  'performance.stat-prefetch',
  'performance.write-behind-window-size',
  'server.event-threads',
  'server.tcp-user-timeout',
  'storage.health-check-interval',
  'storage.owner-gid',
  'storage.owner-uid',
] as const;

const allowed: ReadonlySet<string> = new Set(glusterOptions);

const options = () =>
  rule(
    z
      .record(z.string(), matching(64, /^[A-Za-z0-9.:%_-]+$/, 'must be the value of an option'))
      .refine((given) => Object.keys(given).length <= 32, { message: 'at most 32 options' })
      .meta({ maxProperties: 32 }),
    {
      cel: `self.all(name, name in [${glusterOptions.map((name) => `'${name}'`).join(', ')}])`,
      message: 'options may only hold those that docs/storage-servers.md lists, such as network.ping-timeout',
      js: (given) => Object.keys(given).every((name) => allowed.has(name)),
    },
  );

const brick = z.object({
  name: dnsLabel().describe('Name within its set. The same name with another server or path replaces it.'),
  server: dnsLabel().describe('Name of one of the servers.'),
  path: absolutePath('path of a brick', '/bricks/gv0').describe('Folder of the brick on that server.'),
});

const replicaSet = z.object({
  name: dnsLabel().describe('Name within the volume.'),
  bricks: listMap(brick, 'name', 6)
    .refine((bricks) => bricks.length > 0, { message: 'at least one brick' })
    .meta({ minItems: 1 })
    .describe('Bricks of the set. With an arbiter the last one is it.'),
});

const layout = atomic(
  z.discriminatedUnion('type', [
    z.object({
      type: z.literal('Distribute').describe('Distribute: each file on one brick. Replicate: on several.'),
      replica: absent(),
      arbiter: absent(),
    }),
    z.object({
      type: z.literal('Replicate'),
      replica: int(2, 3).describe('Full copies of each file.'),
      arbiter: z
        .boolean()
        .optional()
        .describe('One more brick in each set that holds no data and decides quarrels; with replica 2.'),
    }),
  ]),
).describe('How files lie on the bricks. It cannot be changed, and stays written over a time of Observe.');

const common = {
  volume: immutable(
    // `all` stands for every volume in the commands of Gluster.
    rule(matching(63, /^[A-Za-z0-9][A-Za-z0-9_-]*$/, 'must be the name of a volume such as gv0'), {
      cel: "self != 'all'",
      message: 'a volume cannot be named all',
      js: (value) => value !== 'all',
    }),
    'volume',
  ).describe('Name of the volume on the servers.'),
  servers: rule(
    listMap(server, 'name', 32)
      .refine((servers) => servers.length > 0, { message: 'at least one server' })
      .meta({
        minItems: 1,
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    {
      cel: 'self.all(a, self.exists_one(b, b.address == a.address))',
      message: 'two servers have the same address',
      js: (servers) => new Set(servers.map(({ address }) => address)).size === servers.length,
    },
  ).describe('Servers of the volume. Observe needs one that can be asked; more are asked when it is down.'),
};

const union = z.discriminatedUnion('management', [
  z.object({
    management: z
      .literal('Manage')
      .describe(
        'Manage: the volume is made, changed and healed as written here. Observe: an existing one is used and reported, and nothing is changed on the servers.',
      ),
    ...common,
    layout,
    replicaSets: listMap(replicaSet, 'name', 32)
      .refine((sets) => sets.length > 0, { message: 'at least one set' })
      .meta({
        minItems: 1,
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      })
      .describe('Sets of bricks. A new set is added and the data spread; a set taken out is emptied first.'),
    options: options().optional().describe('Options of the volume beyond the group virt.'),
    clients: listSet(machineAddress(), 128)
      .optional()
      .describe(
        'Further addresses that may mount the volume: of hosts that mount from another address than the one in their URI.',
      ),
    force: z
      .boolean()
      .optional()
      .describe(
        'Allows what Gluster warns of: bricks on the root file system, two bricks of a set on one server, replica 2 without arbiter.',
      ),
    deletionPolicy: serverDeletionPolicy().optional(),
  }),
  z.object({
    management: z.literal('Observe'),
    ...common,
    layout: layout.optional(),
    replicaSets: absent(),
    options: absent(),
    clients: absent(),
    force: absent(),
    deletionPolicy: absent(),
  }),
]);

type Gluster = z.output<typeof union>;
type Managed = Extract<Gluster, { management: 'Manage' }>;

const bricksOf = ({ replicaSets }: Managed) => replicaSets.flatMap(({ bricks }) => bricks);
const managed = (check: (it: Managed) => boolean) => (it: Gluster) =>
  it.management === 'Observe' || check(it);
const unmanaged = '!has(self.replicaSets) || !has(self.layout)';
const forced = 'has(self.force) && self.force';
const distributed = "self.layout.type == 'Distribute'";

const isArbitrated = ({ layout: it }: Managed): boolean => it.type === 'Replicate' && it.arbiter === true;

const serversListed = {
  cel: `${unmanaged} || self.replicaSets.all(s, s.bricks.all(b, self.servers.exists(x, x.name == b.server)))`,
  message: 'a brick is on a server that is not listed in servers',
  js: managed((it) => {
    const names = new Set(it.servers.map(({ name }) => name));
    return bricksOf(it).every(({ server: name }) => names.has(name));
  }),
};

const pathsDiffer = {
  cel: `${unmanaged} || self.replicaSets.all(s, s.bricks.all(b, self.replicaSets.exists_one(t, t.bricks.exists_one(c, c.server == b.server && c.path == b.path))))`,
  message: 'two bricks have the same path on the same server',
  js: managed((it) => {
    const bricks = bricksOf(it);
    return new Set(bricks.map(({ server: name, path }) => `${name}:${path}`)).size === bricks.length;
  }),
};

const arbiterNeedsTwo = {
  cel: `${unmanaged} || !has(self.layout.arbiter) || !self.layout.arbiter || self.layout.replica == 2`,
  message: 'an arbiter goes with replica 2: two bricks with data and the arbiter',
  js: managed((it) => !isArbitrated(it) || (it.layout.type === 'Replicate' && it.layout.replica === 2)),
};

const twoNeedsArbiter = {
  cel: `${unmanaged} || ${distributed} || self.layout.replica != 2 || (has(self.layout.arbiter) && self.layout.arbiter) || (${forced})`,
  message: 'replica 2 without arbiter can end in split-brain: set layout.arbiter, or force to allow it',
  js: managed(
    (it) =>
      it.layout.type === 'Distribute' || it.layout.replica !== 2 || isArbitrated(it) || it.force === true,
  ),
};

const setsAreWhole = {
  cel: `${unmanaged} || ${distributed} || self.replicaSets.all(s, s.bricks.size() == self.layout.replica + (has(self.layout.arbiter) && self.layout.arbiter ? 1 : 0))`,
  message: 'each set needs as many bricks as layout.replica says, and one more with an arbiter',
  js: managed(
    (it) =>
      it.layout.type === 'Distribute' ||
      it.replicaSets.every(
        ({ bricks }) =>
          it.layout.type === 'Replicate' && bricks.length === it.layout.replica + (isArbitrated(it) ? 1 : 0),
      ),
  ),
};

const setsAreSpread = {
  cel: `${unmanaged} || ${distributed} || (${forced}) || self.replicaSets.all(s, s.bricks.all(b, s.bricks.exists_one(c, c.server == b.server)))`,
  message: 'two bricks of one set are on the same server: both copies would go with it; force allows it',
  js: managed(
    (it) =>
      it.layout.type === 'Distribute' ||
      it.force === true ||
      it.replicaSets.every(
        ({ bricks }) => new Set(bricks.map(({ server: name }) => name)).size === bricks.length,
      ),
  ),
};

/** Over a time of Observe too. */
const layoutStays = {
  cel: '!has(oldSelf.layout) || (has(self.layout) && self.layout == oldSelf.layout)',
  message: 'layout cannot be changed once it is set, and stays written with management Observe',
};

/** A Gluster volume and the servers it is on. */
export const glusterSpec = [
  layoutStays,
  serversListed,
  pathsDiffer,
  arbiterNeedsTwo,
  twoNeedsArbiter,
  setsAreWhole,
  setsAreSpread,
].reduce<typeof union>((schema, it) => rule(schema, it), union);

export type GlusterSpec = Output<typeof glusterSpec>;
