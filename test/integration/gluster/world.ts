/** Three Gluster servers and a client of the lab, the driver under test, and gluster's own word on what is there. */
import { mkdtemp, rm } from 'node:fs/promises';
import {
  type GlusterClient,
  type GlusterLab,
  type GlusterNode,
  startGluster,
} from '../../../hack/lab/gluster.ts';
import { run, waitUntil } from '../../../hack/lab/process.ts';
import type {
  Brick,
  GlusterWish,
  PoolIdentity,
  ServerEndpoint,
  ServerHealth,
  ServerPlan,
  ServerSeen,
  StorageServer,
} from '../../../src/drivers/storage/contract.ts';
import { createGlusterDriver } from '../../../src/drivers/storage/gluster/driver.ts';
import { createServerLinks, type ServerLinks } from '../../../src/drivers/storage/server-link.ts';
import { type Fault, isFault } from '../../../src/runtime/fault.ts';

export const never = new AbortController().signal;
export const identity: PoolIdentity = {
  clusterId: 'lab-one',
  poolUid: '0b0c7d0e-53a2-4c0f-9f5e-2f1c7b1d7a01',
  poolName: 'gv0',
};

export interface World {
  readonly lab: GlusterLab;
  readonly nodes: readonly [GlusterNode, GlusterNode, GlusterNode];
  readonly client: GlusterClient;
  readonly endpoints: readonly ServerEndpoint[];
  stop(): Promise<void>;
}

export const startWorld = async (): Promise<World> => {
  const dir = await mkdtemp('/tmp/ovcp-gl-');
  const lab = await startGluster({ dir, clients: ['c1'] });
  const [g1, g2, g3] = lab.nodes;
  const [client] = lab.clients;
  if (g1 === undefined || g2 === undefined || g3 === undefined || client === undefined) {
    throw new Error('three servers and a client were asked for');
  }
  return {
    lab,
    nodes: [g1, g2, g3],
    client,
    // The second and third are spoken to by an account that is not root.
    endpoints: [g1, g2, g3].map((node, index) => ({
      name: node.name,
      address: node.address,
      ssh: {
        host: node.address,
        port: 22,
        user: index === 0 ? 'root' : node.sudoUser,
        credentials: {
          sshPrivateKey: node.credentials.sshPrivateKey,
          sshKnownHosts: node.credentials.sshKnownHosts,
        },
      },
    })),
    stop: async () => {
      await lab.stop();
      const left = await Promise.all([run(['losetup', '--list']), run(['ip', 'link']), run(['mount'])]);
      for (const mark of [dir, `${lab.network.bridge}p`]) {
        if (left.some(({ stdout }) => stdout.includes(mark)))
          throw new Error(`the lab left something: ${mark}`);
      }
      await rm(dir, { recursive: true, force: true });
    },
  };
};

export const brick = (node: GlusterNode, name: string, folder: string): Brick => ({
  name,
  server: node.name,
  path: `${node.brickFolder}/${folder}`,
});

/** A set of one brick on each server, all in folders of one name. */
export const setOf = ({ nodes }: World, name: string, folder = name): GlusterWish['replicaSets'][number] => ({
  name,
  bricks: nodes.map((node, index) => brick(node, `${name}${index + 1}`, folder)),
});

export const wishOf = (world: World, volume: string, change: Partial<GlusterWish> = {}): GlusterWish => ({
  kind: 'gluster',
  management: 'Manage',
  volume,
  layout: { type: 'Replicate', replica: 3, arbiter: false },
  replicaSets: [setOf(world, 'a', volume)],
  options: {},
  force: false,
  clients: [world.client.address],
  ...change,
});

export const open = (
  world: World,
  wish: GlusterWish,
  other: {
    readonly identity?: PoolIdentity;
    readonly endpoints?: readonly ServerEndpoint[];
    readonly existed?: () => boolean;
    readonly links?: ServerLinks;
  } = {},
): StorageServer =>
  createGlusterDriver(other.links ?? createServerLinks()).open({
    identity: other.identity ?? { ...identity, poolName: wish.volume },
    wish,
    endpoints: other.endpoints ?? world.endpoints,
    existed: other.existed,
  });

export interface Walk {
  readonly steps: readonly string[];
  /** Every health on the way, first sight of each sentence. */
  readonly told: readonly ServerHealth[];
  readonly seen: ServerSeen;
  readonly plan: ServerPlan;
}

type Until = (plan: ServerPlan, seen: ServerSeen) => boolean;
const settled: Until = ({ kind }) => kind === 'settled';

/** As a controller does it: look, plan, take, until `until`; waits, and servers that are busy or cannot be reached, are asked again soon. Throws other faults. */
export const walk = async (
  server: StorageServer,
  until: Until = settled,
  planOf: (seen: ServerSeen) => ServerPlan = (seen) => server.plan(seen),
): Promise<Walk> => {
  const steps: string[] = [];
  const told: ServerHealth[] = [];
  let last: { seen: ServerSeen; plan: ServerPlan } | undefined;
  await waitUntil(
    'the pool',
    async () => {
      try {
        const seen = await server.see(never);
        const plan = planOf(seen);
        last = { seen, plan };
        if (!told.some(({ message }) => message === plan.health.message)) told.push(plan.health);
        if (until(plan, seen)) return true;
        if (plan.kind === 'step') {
          await server.take(plan.step, never);
          steps.push(plan.step.what);
        }
      } catch (error) {
        // Peers that were just started know each other again in a moment.
        const again = (['busy', 'conflict', 'unreachable'] as const).some((kind) => isFault(error, kind));
        if (!again) throw error;
      }
      return false;
    },
    { limitMs: 90_000, stepMs: 100 },
  ).catch((error: unknown) => {
    const where = last === undefined ? 'nothing seen' : JSON.stringify(last.plan.health);
    throw new Error(`${String(error)}; steps ${steps.join(', ')}; last ${where}`, { cause: error });
  });
  if (last === undefined) throw new Error('nothing was seen');
  return { steps, told, ...last };
};

export const faultOf = async (call: Promise<unknown>): Promise<Pick<Fault, 'kind' | 'reason' | 'message'>> =>
  call.then(
    () => {
      throw new Error('no fault was thrown');
    },
    (error: unknown) => {
      if (!isFault(error)) throw error;
      return { kind: error.kind, reason: error.reason, message: error.message };
    },
  );

/** The fault of the first step that fails on the way. */
export const failure = (server: StorageServer) =>
  faultOf(
    (async () => {
      for (;;) {
        const plan = server.plan(await server.see(never));
        if (plan.kind !== 'step') throw new Error(`no step: ${JSON.stringify(plan)}`);
        await server.take(plan.step, never);
      }
    })(),
  );

/** The lines of `volume info`, by their labels: gluster's word. */
export const info = async (node: GlusterNode, volume: string): Promise<ReadonlyMap<string, string>> => {
  const text = await node.gluster('volume', 'info', volume);
  const pairs = text.split('\n').map((line) => /^([^:]+): (.*)$/.exec(line)?.slice(1, 3) ?? []);
  return new Map(
    pairs.flatMap(([name, value]) => (name === undefined ? [] : [[name.trim(), value ?? ''] as const])),
  );
};

export const bricksOn = async (node: GlusterNode, volume: string): Promise<readonly string[]> => {
  const lines = [...(await info(node, volume))];
  return lines
    .filter(([name]) => /^Brick\d+$/.test(name))
    .map(([, value]) => value.replace(/ \(arbiter\)$/, ''));
};

/** Everything about all volumes but what is told of processes: what must not change. */
export const inventory = (node: GlusterNode): Promise<string> => node.gluster('volume', 'info', 'all');

export const volumes = async (node: GlusterNode): Promise<readonly string[]> =>
  (await node.gluster('volume', 'list'))
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('No volumes'));

export const idOf = ({ address }: GlusterNode, path: string): string => `${address}:${path}`;

/** All bricks of the volume run and nothing waits for healing, by gluster's word. */
export const whole = async (node: GlusterNode, volume: string): Promise<void> => {
  await waitUntil(
    `${volume} to be whole`,
    async () => {
      const result = await node.exec(
        ['gluster', '--mode=script', 'volume', 'heal', volume, 'info', 'summary'],
        {
          allowFailure: true,
        },
      );
      const entries = [...result.stdout.matchAll(/Total Number of entries: (\S+)/g)].map((match) => match[1]);
      return result.code === 0 && entries.length > 0 && entries.every((count) => count === '0');
    },
    { limitMs: 60_000, stepMs: 200 },
  );
};
