/**
 * A disk of an iSCSI target is plugged into a running machine and taken out again. Each round does it through the API,
 * and then sends the same commands bare for a second machine, which the operator leaves alone: the host is let in at
 * the target, the secret put, the disk attached live and stored, taken out stored and live, the secret dropped, the
 * host let out. Both go through the same clients over connections that are open already. How long the guest takes to
 * let go of the device is in neither time. What is added is all time of the operator's round but that of those commands: looks at
 * the target that the bare round needs not are the operator's own.
 */
import { ensureGuestImage } from '../../../hack/lab/guest-image.ts';
import { startFileServer } from '../../../hack/lab/http-server.ts';
import { hostInitiatorIqn } from '../../../src/api/identity.ts';
import type { VirtualDisk } from '../../../src/api/virtual-disk.ts';
import type { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import type { DiskServer } from '../../../src/drivers/storage/contract.ts';
import { createSecrets } from '../../../src/wire/libvirt/secrets.ts';
import { has, sleep } from '../harness/cluster.ts';
import { atMost, type Figure, quantile } from '../harness/figure.ts';
import { kvmNamespace, kvmPoolName, timed } from '../harness/kvm-lab.ts';
import { openSan } from '../harness/luns.ts';
import { runs } from '../harness/machines.ts';
import { nowMs } from '../harness/now.ts';
import { collection, machinePath } from '../harness/objects.ts';
import type { Driven } from '../harness/operator-protocol.ts';
import { chap, localName, type StorageLab, sanName, startStorageLab } from '../harness/storage-lab.ts';

const row = 'attach';
const never = new AbortController().signal;
const live = 1;
const stored = 2;
/** What any tool would have to do. */
const needed: ReadonlySet<string> = new Set([
  'disk.publish',
  'disk.revoke',
  'DOMAIN_ATTACH_DEVICE_FLAGS',
  'DOMAIN_DETACH_DEVICE_FLAGS',
  'DOMAIN_DETACH_DEVICE_ALIAS',
  'SECRET_DEFINE_XML',
  'SECRET_SET_VALUE',
  'SECRET_UNDEFINE',
]);

/** Between what is asked for, the commands, and what is told of them. */
type Gap = 'to let in' | 'to attach' | 'to tell' | 'to detach' | 'to let out' | 'to tell again';

interface Round {
  readonly totalMs: number;
  /** Of it, in the commands that are needed. */
  readonly neededMs: number;
  /** Of it, until the guest had let go. */
  readonly guestMs: number;
  readonly calls: readonly Driven[];
  /** Of what was added, from one command to the next. */
  readonly gaps: Readonly<Record<Gap, number>>;
  /** The same commands bare. */
  readonly bareMs: number;
}

const boxSpec = (disks: readonly object[]) => ({
  hostPoolRef: { name: kvmPoolName },
  cpu: { cores: 1 },
  memory: '192Mi',
  powerState: 'PoweredOn',
  shutdown: { mode: 'Hard', timeoutSeconds: 1 },
  disks,
});
const rootDisk = {
  name: 'root',
  bootOrder: 1,
  template: { size: '256Mi', storagePoolRef: { name: localName }, imageRef: { name: 'tiny' } },
};
const object = (kind: string, name: string, spec: object) => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind,
  metadata: { name, namespace: kvmNamespace },
  spec,
});
const key = (name: string): string => `${kvmNamespace}/${name}`;
const diskPath = (name: string): string => `${collection('virtualdisks', kvmNamespace)}/${name}`;

const merge = ({ cluster }: StorageLab, path: string, body: object): Promise<unknown> =>
  cluster.call({ method: 'PATCH', path, body, contentType: 'application/merge-patch+json' });

const isPlugged = (vm: VirtualMachine | undefined): boolean =>
  vm?.status?.disks?.some(({ name, attached }) => name === 'extra' && attached) === true;
const isMade = (disk: VirtualDisk | undefined): boolean => disk?.status?.volume !== undefined;

/** When guests let go of devices. */
const followRemovals = async ({ session }: StorageLab) => {
  const seen: { readonly domain: string; readonly atMs: number }[] = [];
  const waiting = new Set<() => void>();
  await session.events.subscribe(
    ['domainDeviceRemoved'],
    (event) => {
      if (event.kind !== 'domainDeviceRemoved') return;
      seen.push({ domain: event.domain.name, atMs: nowMs() });
      for (const wake of waiting) wake();
    },
    never,
  );
  const find = (domain: string, fromMs: number): number | undefined =>
    seen.find((it) => it.domain === domain && it.atMs >= fromMs)?.atMs;
  return (domain: string, fromMs: number): Promise<number> =>
    new Promise((resolve) => {
      const look = (): void => {
        const atMs = find(domain, fromMs);
        if (atMs === undefined) return;
        waiting.delete(look);
        resolve(atMs);
      };
      waiting.add(look);
      look();
    });
};
type Removed = Awaited<ReturnType<typeof followRemovals>>;

const inAll = (calls: readonly Driven[]): number => calls.reduce((sum, it) => sum + it.toMs - it.fromMs, 0);

interface Moments {
  readonly fromMs: number;
  readonly pluggedMs: number;
  readonly outMs: number;
  readonly removedMs: number;
  readonly freeMs: number;
}

const gapsOf = (calls: readonly Driven[], at: Moments): Round['gaps'] => {
  const begin = (name: string): number => calls.find(({ call }) => call === name)?.fromMs ?? Number.NaN;
  const end = (name: string): number => calls.findLast(({ call }) => call === name)?.toMs ?? Number.NaN;
  return {
    'to let in': begin('disk.publish') - at.fromMs,
    'to attach': begin('SECRET_DEFINE_XML') - end('disk.publish'),
    'to tell': at.pluggedMs - end('DOMAIN_ATTACH_DEVICE_FLAGS'),
    'to detach': begin('DOMAIN_DETACH_DEVICE_FLAGS') - at.outMs,
    'to let out': begin('disk.revoke') - at.removedMs,
    'to tell again': at.freeMs - end('disk.revoke'),
  };
};

const throughApi = async (lab: StorageLab, removed: Removed): Promise<Omit<Round, 'bareMs'>> => {
  const { machines, disks, operator } = lab;
  const domain = machines.get(key('box'))?.status?.domainName ?? '';
  await operator.driven();
  const fromMs = nowMs();
  const extra = { name: 'extra', diskRef: { name: 'extra' } };
  await merge(lab, machinePath('box', kvmNamespace), { spec: { disks: [rootDisk, extra] } });
  const pluggedMs = await machines.when(key('box'), isPlugged);
  await sleep(settleMs);
  const outMs = nowMs();
  await merge(lab, machinePath('box', kvmNamespace), { spec: { disks: [rootDisk] } });
  const freeMs = await disks.when(key('extra'), (it) => it?.status?.claim === undefined);
  await machines.when(key('box'), (it) => !isPlugged(it));
  const calls = await operator.driven();
  const asked = calls.find(({ call }) => call === 'DOMAIN_DETACH_DEVICE_ALIAS')?.toMs ?? outMs;
  const removedMs = Math.max(asked, await removed(domain, outMs));
  const guestMs = removedMs - asked;
  const gaps = gapsOf(calls, { fromMs, pluggedMs, outMs, removedMs, freeMs });
  const timely = calls.filter(({ fromMs: at }) => at <= pluggedMs || at >= outMs);
  const neededMs = inAll(timely.filter(({ call }) => needed.has(call)));
  return { totalMs: pluggedMs - fromMs + freeMs - outMs, neededMs, guestMs, calls, gaps };
};

/** What the operator gave to libvirt, for the other machine's disk. */
const translated = (lab: StorageLab, calls: readonly Driven[]) => {
  const uidOf = (name: string): string => lab.disks.get(key(name))?.metadata.uid ?? '';
  const plain = (uid: string): string => uid.replaceAll('-', '').slice(0, 20);
  const [from, to] = [uidOf('extra'), uidOf('twin-extra')];
  const xmlOf = (name: string): string =>
    (calls.find(({ call }) => call === name)?.xml ?? '')
      .replaceAll(from, to)
      .replaceAll(plain(from), plain(to));
  const attach = xmlOf('DOMAIN_ATTACH_DEVICE_FLAGS');
  return {
    attach,
    detach: xmlOf('DOMAIN_DETACH_DEVICE_FLAGS'),
    alias: /<alias name=["']([^"']+)["']/.exec(attach)?.[1] ?? '',
    secret: calls.find(({ call }) => call === 'SECRET_DEFINE_XML')?.xml ?? '',
    diskUid: to,
  };
};

const bare = async (
  lab: StorageLab,
  server: DiskServer,
  removed: Removed,
  calls: readonly Driven[],
): Promise<number> => {
  const { cluster, domains, machines } = lab;
  const { attach, detach, alias, secret: secretXml, diskUid } = translated(lab, calls);
  const secrets = createSecrets(lab.session.call);
  const dom = await domains.byName(machines.get(key('twin'))?.status?.domainName ?? '', never);
  const host = await cluster.call({
    method: 'GET',
    path: `/apis/ovcp.dev/v1alpha1/hosts/${kvmPoolName}.node1`,
  });
  const initiator = { iqn: hostInitiatorIqn((host as { metadata: { uid: string } }).metadata.uid) };
  const attachMs = await timed(async () => {
    await server.take({ diskUid }, { kind: 'publish', initiator }, never);
    const secret = await secrets.defineXml(secretXml, never);
    await secrets.setValue(secret, Buffer.from(chap.password), never);
    await domains.attachDevice(dom, attach, live, never);
    await domains.attachDevice(dom, attach, stored, never);
  });
  await sleep(settleMs);
  const outMs = nowMs();
  const askMs = await timed(async () => {
    await domains.detachDevice(dom, detach, stored, never);
    await domains.detachAlias(dom, alias, live, never);
  });
  await removed(dom.name, outMs);
  const cleanMs = await timed(async () => {
    const [, uuid = ''] = /<uuid>([^<]+)<\/uuid>/.exec(secretXml) ?? [];
    await secrets.undefine(await secrets.byUuid(uuid, never), never);
    await server.take({ diskUid }, { kind: 'revoke', initiator }, never);
  });
  return attachMs + askMs + cleanMs;
};

/** The guest's kernel needs a moment for a new device before it lets go of it again. */
const settleMs = 2_000;

/** Two machines that run, and a disk on the target for each; the second pair is left alone from here on. */
const prepare = async (lab: StorageLab): Promise<void> => {
  const { cluster, machines, disks } = lab;
  const guest = await ensureGuestImage();
  const content = { path: guest.qcow2Path };
  const files = await startFileServer({ routes: { '/guest.qcow2': { kind: 'file', content } } });
  const source = { url: `${files.url}/guest.qcow2`, checksum: `sha256:${guest.sha256.qcow2}` };
  await cluster.apply(
    object('VirtualMachineImage', 'tiny', { storagePoolRef: { name: localName }, source, format: 'qcow2' }),
    ...['extra', 'twin-extra'].map((name) =>
      object('VirtualDisk', name, { storagePoolRef: { name: sanName }, size: '16Mi' }),
    ),
    ...['box', 'twin'].map((name) => object('VirtualMachine', name, boxSpec([rootDisk]))),
  );
  for (const name of ['extra', 'twin-extra']) await disks.when(key(name), isMade);
  for (const name of ['box', 'twin']) {
    await machines.when(key(name), runs, 180_000);
    await cluster.until(machinePath(name, kvmNamespace), (it) => has(it, 'GuestAgentConnected', 'True'));
  }
  await files.stop();
  const paused = { metadata: { annotations: { 'ovcp.dev/paused': 'the bare commands are measured on it' } } };
  await merge(lab, machinePath('twin', kvmNamespace), paused);
  await merge(lab, diskPath('twin-extra'), paused);
  await lab.operator.quiet();
};

const figuresOf = (rounds: readonly Round[]): readonly Figure[] => {
  const median = (of: (round: Round) => number): number => quantile(rounds.map(of), 0.5);
  const ms = (of: (round: Round) => number): string => `${median(of).toFixed(0)} ms`;
  const looks = median(({ calls }) => calls.filter(({ call }) => call === 'disk.see').length);
  const names = Object.keys(rounds[0]?.gaps ?? {}) as Gap[];
  const gaps = names.map((name) => `${name} ${ms((round) => round.gaps[name])}`).join(', ');
  const added = ({ totalMs, neededMs, guestMs }: Round): number => totalMs - neededMs - guestMs;
  return [
    {
      row,
      what: `attach and detach of an iSCSI disk, time added to the target's and libvirt's, ${rounds.length} rounds: P50`,
      value: median(added),
      unit: 'ms',
      gate: atMost(50),
      note: `${ms(({ totalMs, guestMs }) => totalMs - guestMs)} without the guest's own ${ms(({ guestMs }) => guestMs)}, ${ms(({ neededMs }) => neededMs)} of it in the commands; the same commands bare ${ms(({ bareMs }) => bareMs)}; ${looks} looks at the target besides; ${gaps}`,
    },
    {
      row,
      what: 'the same against the bare round: P50',
      value: median(({ totalMs, guestMs }) => totalMs - guestMs) - median(({ bareMs }) => bareMs),
      unit: 'ms',
    },
  ];
};

export const attach = async (): Promise<readonly Figure[]> => {
  const count = Number(process.env['ATTACH_ROUNDS'] ?? 20);
  const lab = await startStorageLab();
  try {
    await prepare(lab);
    const san = await openSan(lab);
    const { disks: server } = san;
    const removed = await followRemovals(lab);
    const rounds: Round[] = [];
    for (let round = 0; round <= count; round += 1) {
      const through = await throughApi(lab, removed);
      await lab.operator.quiet(500);
      const bareMs = await bare(lab, server, removed, through.calls);
      // The first one warms both up.
      if (round > 0) rounds.push({ ...through, bareMs });
    }
    await san.close();
    return figuresOf(rounds);
  } finally {
    await lab.close();
  }
};
