/**
 * An image of 1 GiB, half of it zeros, from HTTP into a folder of a host, into a Gluster volume and into a LUN: how
 * fast against curl, a checksum and `virsh vol-upload` (for the LUN: qemu-img, which writes it over iSCSI) in the same
 * run, in turns. The operator does more meanwhile: it judges the image, has the host convert it to qcow2, and keeps
 * its memory small, which is read every 25 ms.
 */
import { createHash, randomFillSync } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileServer, startFileServer } from '../../../hack/lab/http-server.ts';
import type { KvmHost } from '../../../hack/lab/kvm-host.ts';
import { run } from '../../../hack/lab/process.ts';
import { has } from '../harness/cluster.ts';
import { atLeast, atMost, type Figure, quantile } from '../harness/figure.ts';
import { kvmNamespace, timed } from '../harness/kvm-lab.ts';
import { createLuns } from '../harness/luns.ts';
import { nowMs } from '../harness/now.ts';
import { collection } from '../harness/objects.ts';
import { glusterName, localName, type StorageLab, sanName, startStorageLab } from '../harness/storage-lab.ts';

const row = 'images';
const MiB = 1024 ** 2;
const bytes = 1024 * MiB;
const stripe = 8 * MiB;
const longMs = 600_000;

interface Source {
  readonly path: string;
  readonly url: string;
  readonly checksum: string;
}

/** Stripes of random bytes and of nothing, in turns. */
const writeSource = async (path: string): Promise<string> => {
  const file = await open(path, 'w');
  const digest = createHash('sha256');
  const zeros = Buffer.alloc(stripe);
  const data = Buffer.alloc(stripe);
  try {
    await file.truncate(bytes);
    for (let at = 0; at < bytes; at += 2 * stripe) {
      randomFillSync(data);
      await file.write(data, 0, stripe, at);
      digest.update(data).update(zeros);
    }
  } finally {
    await file.close();
  }
  return `sha256:${digest.digest('hex')}`;
};

const imagePath = (name: string): string => `${collection('virtualmachineimages', kvmNamespace)}/${name}`;
const diskPath = (name: string): string => `${collection('virtualdisks', kvmNamespace)}/${name}`;
const object = (kind: string, name: string, spec: object) => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind,
  metadata: { name, namespace: kvmNamespace },
  spec,
});

const post = ({ cluster }: StorageLab, plural: string, body: object): Promise<unknown> =>
  cluster.call({ method: 'POST', path: collection(plural, kvmNamespace), body });

const remove = async ({ cluster }: StorageLab, path: string): Promise<void> => {
  await cluster.call({ method: 'DELETE', path });
  await cluster.until(path, (it) => it === undefined, longMs);
};

const postImage = (lab: StorageLab, pool: string, { url, checksum }: Source): Promise<unknown> =>
  post(
    lab,
    'virtualmachineimages',
    object('VirtualMachineImage', 'big', {
      storagePoolRef: { name: pool },
      source: { url, checksum },
      format: 'raw',
    }),
  );
const postDisk = (lab: StorageLab, name: string): Promise<unknown> =>
  post(
    lab,
    'virtualdisks',
    object('VirtualDisk', name, {
      storagePoolRef: { name: sanName },
      size: '1Gi',
      source: { type: 'Image', imageRef: { name: 'big' } },
    }),
  );
const imageReady = async ({ cluster }: StorageLab): Promise<void> => {
  await cluster.until(imagePath('big'), (it) => has(it, 'Ready', 'True'), longMs);
};
const diskMade = async ({ disks }: StorageLab, name: string): Promise<void> => {
  await disks.when(`${kvmNamespace}/${name}`, (it) => it?.status?.volume !== undefined, longMs);
};

/** What was written before is on the disk before a time is taken. */
const flushed = async (work: () => Promise<unknown>): Promise<number> => {
  await run(['sync']);
  return timed(work);
};

const download = async ({ url, checksum }: Source, to: string): Promise<void> => {
  await run(['curl', '--silent', '--show-error', '--fail', '--output', to, url]);
  const { stdout } = await run(['sha256sum', to]);
  if (!checksum.endsWith(stdout.split(' ')[0] ?? '-')) throw new Error('curl brought something else');
};

/** libvirt's pool for a StoragePool, by the folder that it has. */
const libvirtPool = async (host: KvmHost, folder: string): Promise<string> => {
  const names = (await host.virsh('pool-list', '--name')).split('\n').map((line) => line.trim());
  for (const name of names.filter((it) => it !== '')) {
    if ((await host.virsh('pool-dumpxml', name)).includes(`<path>${folder}</path>`)) return name;
  }
  throw new Error(`no pool of ${host.name} has the folder ${folder}`);
};

interface Pair {
  readonly ownMs: number;
  readonly bareMs: number;
}

const intoPool = async (lab: StorageLab, pool: string, folder: string, source: Source): Promise<Pair> => {
  const { host, dir } = lab;
  const ownMs = await flushed(async () => {
    await postImage(lab, pool, source);
    await imageReady(lab);
  });
  await remove(lab, imagePath('big'));
  const name = await libvirtPool(host, folder);
  const copy = join(dir, 'bare.raw');
  const bareMs = await flushed(async () => {
    await download(source, copy);
    await host.virsh('vol-create-as', name, 'bare.raw', `${bytes}`, '--format', 'raw');
    await host.virsh('vol-upload', name, 'bare.raw', copy);
  });
  await host.virsh('vol-delete', 'bare.raw', name);
  return { ownMs, bareMs };
};

interface LunRound {
  readonly whole: Pair;
  /** From an image that the operator, or a folder, has already. */
  readonly fill: Pair;
}

const intoLun = async (lab: StorageLab, source: Source): Promise<LunRound> => {
  let madeMs = 0;
  const ownMs = await flushed(async () => {
    await postImage(lab, localName, source);
    await postDisk(lab, 'lun');
    await imageReady(lab);
    madeMs = nowMs();
    await diskMade(lab, 'lun');
  });
  const fillOwnMs = nowMs() - madeMs;
  await remove(lab, diskPath('lun'));
  await remove(lab, imagePath('big'));
  const luns = await createLuns(lab);
  const lun = await luns.make(bytes);
  const copy = join(lab.dir, 'bare.raw');
  let fillBareMs = 0;
  const bareMs = await flushed(async () => {
    await download(source, copy);
    fillBareMs = await timed(() => lun.write(copy));
  });
  await lun.remove();
  await luns.close();
  return { whole: { ownMs, bareMs }, fill: { ownMs: fillOwnMs, bareMs: fillBareMs } };
};

const speed = (ms: number): string => `${(bytes / MiB / (ms / 1000)).toFixed(0)} MiB/s`;

const figureOf = (what: string, pairs: readonly Pair[], gated: boolean): Figure => {
  const median = (of: (pair: Pair) => number): number => quantile(pairs.map(of), 0.5);
  const [ownMs, bareMs] = [median((it) => it.ownMs), median((it) => it.bareMs)];
  return {
    row,
    what: `${what}, ${pairs.length} rounds: speed against bare commands`,
    value: (bareMs * 100) / ownMs,
    unit: '%',
    ...(gated ? { gate: atLeast(80) } : {}),
    note: `${(ownMs / 1000).toFixed(1)} s, ${speed(ownMs)}, against ${(bareMs / 1000).toFixed(1)} s, ${speed(bareMs)}`,
  };
};

const repeat = async <T>(count: number, work: () => Promise<T>): Promise<readonly T[]> => {
  const all: T[] = [];
  for (let round = 0; round < count; round += 1) all.push(await work());
  return all;
};

const measure = async (lab: StorageLab, source: Source, count: number): Promise<readonly Figure[]> => {
  const wanted = (process.env['IMAGES_INTO'] ?? 'dir,gluster,lun').split(',');
  const figures: Figure[] = [];
  if (wanted.includes('dir')) {
    const pairs = await repeat(count, () => intoPool(lab, localName, lab.host.diskDir, source));
    figures.push(figureOf('1 GiB from HTTP into a folder', pairs, true));
  }
  if (lab.gluster !== undefined) {
    const path = `/apis/ovcp.dev/v1alpha1/storagepools/${glusterName}`;
    const { metadata } = (await lab.cluster.call({ method: 'GET', path })) as { metadata: { uid: string } };
    const folder = `/var/lib/ovcp/mounts/${metadata.uid}`;
    const pairs = await repeat(count, () => intoPool(lab, glusterName, folder, source));
    figures.push(figureOf('1 GiB from HTTP into Gluster, three copies', pairs, true));
  }
  if (wanted.includes('lun')) {
    const rounds = await repeat(count, () => intoLun(lab, source));
    figures.push(
      figureOf(
        '1 GiB from HTTP into a LUN, by way of the pool of images',
        rounds.map(({ whole }) => whole),
        true,
      ),
      figureOf(
        'of it, from the pool of images into the LUN',
        rounds.map(({ fill }) => fill),
        false,
      ),
    );
  }
  return figures;
};

export const images = async (): Promise<readonly Figure[]> => {
  const count = Number(process.env['IMAGES_ROUNDS'] ?? 3);
  const withGluster = (process.env['IMAGES_INTO'] ?? 'gluster').includes('gluster');
  const lab = await startStorageLab({ roomMiB: 2304, ...(withGluster ? { brickMiB: 3584 } : {}) });
  let files: FileServer | undefined;
  try {
    const path = join(lab.dir, 'source.raw');
    const checksum = await writeSource(path);
    files = await startFileServer({ routes: { '/big.raw': { kind: 'file', content: { path } } } });
    await lab.operator.quiet();
    const before = (await lab.operator.usage()).rssBytes;
    await lab.operator.peakRss();
    const figures = await measure(lab, { path, checksum, url: `${files.url}/big.raw` }, count);
    const peak = await lab.operator.peakRss();
    return [
      ...figures,
      {
        row,
        what: "the operator's memory over all of it, at its most",
        value: (peak - before) / 1e6,
        unit: 'MB',
        gate: atMost(40),
        note: `${(before / 1e6).toFixed(0)} MB before, as sources and not as a bundle; the flags of Node are the deployment's`,
      },
    ];
  } finally {
    await files?.stop();
    await lab.close();
  }
};
