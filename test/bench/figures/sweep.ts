/**
 * The health sweep of a pool: what one costs with no disk on the pool and with many. On Gluster and tgt the commands
 * over SSH are counted, of the driver alone; on a simulated server everything the operator asks while 500 disks rest.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type GlusterLab, startGluster } from '../../../hack/lab/gluster.ts';
import { startIscsiTarget } from '../../../hack/lab/iscsi-target.ts';
import type { HostCredentials } from '../../../hack/lab/kvm-host-credentials.ts';
import type {
  GlusterWish,
  IscsiWish,
  ServerEndpoint,
  StorageServer,
} from '../../../src/drivers/storage/contract.ts';
import { createGlusterDriver } from '../../../src/drivers/storage/gluster/driver.ts';
import { createIscsiDriver } from '../../../src/drivers/storage/iscsi/driver.ts';
import { createServerLinks, dialServer } from '../../../src/drivers/storage/server-link.ts';
import { has, inParallel, sleep } from '../harness/cluster.ts';
import { createDisks, servedPool, servedPoolName } from '../harness/disks.ts';
import { atMost, type Figure } from '../harness/figure.ts';
import { createNotes, type Notes } from '../harness/notes.ts';
import { simulatedPool } from '../harness/objects.ts';
import { type SimulatedLab, startSimulatedLab } from '../harness/simulated-lab.ts';

const row = 'sweep';
const never = new AbortController().signal;
/** The shortest that a HostPool may have; its storage is swept as often. */
const periodSeconds = 30;

const identity = (poolName: string) => ({
  clusterId: 'bench',
  poolUid: crypto.randomUUID(),
  poolName,
});

const endpoint = (name: string, address: string, credentials: HostCredentials): ServerEndpoint => ({
  name,
  address,
  ssh: {
    host: address,
    port: 22,
    user: 'root',
    credentials: { sshPrivateKey: credentials.sshPrivateKey, sshKnownHosts: credentials.sshKnownHosts },
  },
});

/** Until nothing is left to be done on the servers. */
const settle = async (server: StorageServer): Promise<void> => {
  for (;;) {
    const plan = server.plan(await server.see(never));
    if (plan.kind === 'settled') return;
    if (plan.kind === 'step') await server.take(plan.step, never);
    else await sleep(Math.min(plan.pollMs, 1_000));
  }
};

/** Commands of one sweep. */
const commandsOf = async (server: StorageServer, notes: Notes): Promise<number> => {
  notes.ssh();
  await server.see(never);
  return notes.ssh().commands;
};

interface Costs {
  readonly empty: number;
  readonly full: number;
}

const figureOf = (what: string, { empty, full }: Costs, note: string): Figure => ({
  row,
  what,
  value: full - empty,
  unit: 'more',
  gate: atMost(0),
  note: `${note}: ${empty} without disks, ${full} with them`,
});

const glusterWish = ({ nodes, clients }: GlusterLab): GlusterWish => ({
  kind: 'gluster',
  management: 'Manage',
  volume: 'gv0',
  layout: { type: 'Replicate', replica: 3, arbiter: false },
  replicaSets: [
    {
      name: 'a',
      bricks: nodes.map(({ name, brickFolder }, at) => ({
        name: `a${at + 1}`,
        server: name,
        path: `${brickFolder}/gv0`,
      })),
    },
  ],
  options: {},
  force: false,
  clients: clients.map(({ address }) => address),
});

const fillVolume = async (gluster: GlusterLab, count: number): Promise<void> => {
  const [node] = gluster.nodes;
  const [client] = gluster.clients;
  if (node === undefined || client === undefined) throw new Error('a server and a client are needed');
  const folder = await client.mount(node, 'gv0');
  const make = 'for i in $(seq "$2"); do truncate -s 1G "$1/ovcp-disk-$i.qcow2"; done';
  await client.exec(['sh', '-c', make, 'sh', folder, `${count}`]);
  await client.unmount(folder);
};

const onGluster = async (dir: string, count: number): Promise<Costs> => {
  const gluster = await startGluster({ dir, clients: ['c1'] });
  const notes = createNotes();
  const server = createGlusterDriver(createServerLinks(notes.connect(dialServer))).open({
    identity: identity('gv0'),
    wish: glusterWish(gluster),
    endpoints: gluster.nodes.map((node) => endpoint(node.name, node.address, node.credentials)),
  });
  try {
    await settle(server);
    const empty = await commandsOf(server, notes);
    await fillVolume(gluster, count);
    return { empty, full: await commandsOf(server, notes) };
  } finally {
    await server.close();
    await gluster.stop();
  }
};

const onTgt = async (dir: string, count: number): Promise<Costs> => {
  const target = await startIscsiTarget({ dir });
  const notes = createNotes();
  const wish: IscsiWish = {
    kind: 'iscsi',
    software: 'TGT',
    portals: [target.portal],
    backing: { type: 'Files', path: `${target.lunFolder}/san` },
  };
  const server = createIscsiDriver(createServerLinks(notes.connect(dialServer))).open({
    identity: identity('san'),
    wish,
    endpoints: [endpoint('target', target.address, target.credentials)],
  });
  try {
    await settle(server);
    const empty = await commandsOf(server, notes);
    await inParallel(Array.from({ length: count }), 2, async () => {
      const disk = { diskUid: crypto.randomUUID() };
      await server.disks?.take(disk, { kind: 'createBlank', sizeBytes: 16 * 1024 ** 2 }, never);
    });
    return { empty, full: await commandsOf(server, notes) };
  } finally {
    await server.close();
    await target.stop();
  }
};

/** What the operator asks of storage servers in the time of some sweeps, for each of them. */
export const callsPerSweep = async ({ operator }: SimulatedLab, seconds: number): Promise<number> => {
  await operator.driven();
  await sleep(seconds * 1000);
  const calls = await operator.driven();
  const sweeps = calls.filter(({ call }) => call === 'sweep').length;
  if (sweeps === 0) throw new Error('nobody swept');
  return calls.length / sweeps;
};

export const servePool = async ({ cluster }: SimulatedLab): Promise<void> => {
  await cluster.apply(simulatedPool(2, { auditPeriodSeconds: periodSeconds }), servedPool());
  const path = `/apis/ovcp.dev/v1alpha1/storagepools/${servedPoolName}`;
  await cluster.until(path, (it) => has(it, 'Ready', 'True'));
};

const onSimulated = async (count: number): Promise<Costs> => {
  const lab = await startSimulatedLab({ hosts: 2, audit: false });
  try {
    await servePool(lab);
    await lab.operator.quiet(5_000);
    const seconds = 2.5 * periodSeconds;
    const empty = await callsPerSweep(lab, seconds);
    await createDisks(lab.cluster, 'many', servedPoolName, { count });
    await lab.operator.quiet(5_000);
    return { empty, full: await callsPerSweep(lab, seconds) };
  } finally {
    await lab.close();
  }
};

export const sweep = async (): Promise<readonly Figure[]> => {
  const count = Number(process.env['SWEEP_DISKS'] ?? 500);
  const dir = await mkdtemp('/tmp/ovcp-sw-');
  try {
    return [
      figureOf(
        `Gluster, ${count} disks on the volume: commands of a sweep`,
        await onGluster(join(dir, 'g'), count),
        'over SSH, to three servers',
      ),
      figureOf(`tgt, ${count} disks: commands of a sweep`, await onTgt(join(dir, 't'), count), 'over SSH'),
      figureOf(
        `simulated server, ${count} disks: calls of the operator per sweep`,
        await onSimulated(count),
        'of any sort',
      ),
    ];
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
};
