/**
 * A StoragePool whose disks are LUNs that QEMU opens, on two KVM hosts: what holds whatever software the target runs.
 * The pool is called `san`. What is true is asked of the target's own tools, virsh, QEMU's initiator and the guests.
 */
import { expect, it } from 'vitest';
import type { KvmHost } from '../../../hack/lab/kvm-host.ts';
import { DISK_LUN, diskTargetIqn, hostInitiatorIqn } from '../../../src/api/identity.ts';
import { createInitiator } from '../../contract/fixtures/iscsi-initiator.ts';
import { is, type Lab, type Placed, team } from '../harness/lab.ts';
import {
  bootDisk,
  disk,
  hostPool,
  hostSecret,
  image,
  machine,
  secret,
  storagePool,
} from '../harness/objects.ts';

export const onSan = { storagePoolRef: { name: 'san' } };
export const login = { user: 'ovcp-san', password: 'a-secret-for-chap' };
/** Guests are emulated, and a server may be: on a busy machine a power cycle takes minutes, and so does a step there. */
export const slow = { timeout: 900_000 };
export const patient = { limitMs: 600_000 };
export const hard = { shutdown: { mode: 'Hard', timeoutSeconds: 1 } };

/** What the target's own tools say of the target of one disk. */
export interface Shown {
  /** Who has a session. */
  readonly initiators: readonly string[];
  /** Who may have one. */
  readonly acls: readonly string[];
  /** Users of CHAP that are let in. */
  readonly accounts: readonly string[];
}

export interface SanServer {
  /** Content of the Secret `san-ssh`. */
  readonly secret: Readonly<Record<string, string>>;
  /** `spec.iscsi` of the pool `san`; its CHAP secret is `san-chap`. */
  readonly iscsi: object;
  readonly portal: { readonly address: string; readonly port: number };
  /** Undefined when there is no such target. */
  shown(iqn: string): Promise<Shown | undefined>;
  /** Everything there is on the server. */
  inventory(): Promise<string>;
}

export interface SanSetting {
  readonly lab: () => Lab;
  readonly server: () => SanServer;
  /** A folder for secrets of initiators. */
  readonly dir: () => string;
}

export const sanPool = (name: string, iscsi: object) => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'StoragePool',
  metadata: { name },
  spec: {
    driver: 'iscsi',
    hostPoolRefs: [{ name: 'kvm' }],
    roles: ['Disks'],
    allowedNamespaces: { from: 'All' },
    iscsi,
  },
});

/** Looks and waits, and where the first machine went. */
export const createSan = ({ lab, server, dir }: SanSetting) => {
  let places: { readonly first: KvmHost; readonly other: KvmHost } | undefined;
  const uidOf = (name: string): string => lab().mirror.get('disk', name, team)?.metadata.uid ?? '';
  const initiatorOf = (host: KvmHost): string =>
    hostInitiatorIqn(lab().mirror.get('host', `kvm.${host.name}`)?.metadata.uid ?? '');
  /** Name of the guest's disk with our serial number; undefined while there is none. */
  const deviceIn = async (box: Placed, name: string): Promise<string | undefined> => {
    const serial = uidOf(name).replaceAll('-', '').slice(0, 20);
    const look = `for it in /sys/block/vd?; do [ "$(cat $it/serial)" = ${serial} ] && basename $it; done`;
    // What a guest prints while it boots may stand between.
    return /^vd[a-z]$/m.exec(await box.ask(`${look}; true`))?.[0];
  };
  return {
    lab,
    server,
    uidOf,
    initiatorOf,
    before: '',
    /** Where the machine `box` was put, and the other host. */
    places: () => {
      if (places === undefined) throw new Error('no machine was placed');
      return places;
    },
    placed: (box: Placed) => {
      places = { first: box.host, other: box.host.name === 'node1' ? lab().node2 : lab().node1 };
      return places;
    },
    shown: (name: string) => server().shown(diskTargetIqn(uidOf(name))),
    served: (name: string) => ({
      protocol: 'iscsi' as const,
      portals: [server().portal],
      targetIqn: diskTargetIqn(uidOf(name)),
      lun: DISK_LUN,
      serial: uidOf(name),
      wwn: '',
    }),
    initiator: (iqn: string, chap: typeof login | undefined) => createInitiator(dir(), iqn, chap),
    deviceIn,
    untilPlugged: (box: Placed, name: string) =>
      lab().pulse.until(`the disk ${name} in the guest`, () => deviceIn(box, name), patient),
    secretsOn: async (host: KvmHost): Promise<string> => (await host.virsh('secret-list')).trim(),
    untilRunning: (name: string) => lab().untilReady(name, 'Running', patient),
  };
};

export type San = ReturnType<typeof createSan>;

const withCarried = [bootDisk(onSan), { name: 'carried', diskRef: { name: 'carried' } }];

export const isMade = (san: San): void => {
  it('is made on its server, and ready on hosts whose emulator can open it', slow, async () => {
    const { lab, server } = san;
    const { node1, node2, files, image: guest } = lab();
    san.before = await server().inventory();
    await lab().applyAsAdmin(
      secret('san-ssh', 'ovcp-system', server().secret),
      secret('san-chap', 'ovcp-system', { 'chap-password': login.password }),
      hostSecret('node1', node1),
      hostSecret('node2', node2),
      hostPool('kvm', [
        { name: 'node1', uri: node1.uris.ssh, secret: 'node1' },
        { name: 'node2', uri: node2.uris.ssh, secret: 'node2' },
      ]),
      storagePool('local', 'kvm', node1.diskDir),
      sanPool('san', server().iscsi),
    );
    const pool = await lab().until(
      'storage',
      'san',
      (it) => is(it, 'Ready', 'True') && it?.status?.hostsReady === 2,
      patient,
    );
    expect(pool.status.health).toMatchObject({ state: 'Healthy' });
    const host = await lab().until('host', 'kvm.node1', (it) => it?.status?.attachmentKinds !== undefined);
    expect(host.status.attachmentKinds).toEqual(['block', 'file', 'network']);
    await lab().apply(image('tiny', `${files.url}/guest.qcow2`, `sha256:${guest.sha256.qcow2}`));
    await lab().until('image', 'tiny', (it) => is(it, 'Ready', 'True'), patient);
  });
};

export const boots = (san: San): void => {
  it('boots a machine from a LUN that was filled from an image, with CHAP', slow, async () => {
    const { lab, initiatorOf } = san;
    await lab().apply(disk('carried', '32Mi', onSan), machine('box', { ...hard, disks: withCarried }));
    const box = await san.untilRunning('box');
    const { first, other } = san.placed(box);
    expect((await box.facts()).boots).toBeGreaterThan(0);
    const shown = await san.shown('box.root');
    expect(shown).toMatchObject({ initiators: [initiatorOf(first)], accounts: [login.user] });
    expect(shown?.acls).toContain(initiatorOf(first));
    expect(shown?.acls).not.toContain(initiatorOf(other));
    const xml = await first.virsh('dumpxml', box.domain, '--security-info');
    expect(xml).toContain(`name='${diskTargetIqn(san.uidOf('box.root'))}/${DISK_LUN}'`);
    expect(xml).toContain(`<iqn name='${initiatorOf(first)}'/>`);
    expect(xml).not.toContain(login.password);
    expect(await san.secretsOn(first)).toMatch(/iscsi +ovcp\/e2e\//);
    expect(await san.secretsOn(other)).not.toContain('ovcp/');
    const device = await san.untilPlugged(box, 'carried');
    await box.ask(`echo carried-by-lun > /dev/${device}; sync`);
  });
};

export const letsNobodyIn = (san: San): void => {
  it('lets nobody in but the host of the machine', async () => {
    const served = san.served('box.root');
    const { first, other } = san.places();
    const stranger = hostInitiatorIqn('00000000-0000-4000-8000-000000000000');
    const wrong = { ...login, password: 'wrong-password' };
    for (const initiator of [
      san.initiator(stranger, login),
      san.initiator(san.initiatorOf(other), login),
      // By its name alone nobody gets in either.
      san.initiator(san.initiatorOf(first), undefined),
      san.initiator(san.initiatorOf(first), wrong),
    ]) {
      expect(await initiator.logsIn(served)).toBe(false);
    }
  });
};

export const plugs = (san: San): void => {
  it('plugs a blank LUN into the running machine and takes it out again', slow, async () => {
    const { lab } = san;
    await lab().apply(disk('extra', '16Mi', onSan));
    const disks = [...withCarried, { name: 'extra', diskRef: { name: 'extra' } }];
    await lab().patch('machine', 'box', { disks });
    const box = lab().placed('box');
    const device = await san.untilPlugged(box, 'extra');
    expect(await box.ask(`head -c 65536 /dev/${device} | tr -d '\\0' | wc -c`)).toMatch(/^0$/m);
    await lab().patch('machine', 'box', { disks: withCarried });
    await lab().pulse.until(
      'the disk out of the guest',
      async () => ((await san.deviceIn(box, 'extra')) === undefined ? true : undefined),
      patient,
    );
    const free = await lab().until('disk', 'extra', (it) => is(it, 'Ready', 'True', 'Available'), patient);
    expect(free.status.claim).toBeUndefined();
    expect((await san.shown('extra'))?.acls).not.toContain(san.initiatorOf(san.places().first));
    await lab().remove('disk', 'extra');
    await lab().untilGone('disk', 'extra', patient);
  });
};

export const moves = (san: San): void => {
  it('goes with its data to a machine on the other host, and is open to one at a time', slow, async () => {
    const { lab } = san;
    const { first, other } = san.places();
    await lab().patch('machine', 'box', { powerState: 'PoweredOff' });
    await lab().until('machine', 'box', (it) => is(it, 'Ready', 'True', 'PoweredOff'), patient);
    await lab().patch('host', `kvm.${first.name}`, { unschedulable: true });
    await lab().apply(machine('mover', { ...hard, disks: withCarried }));
    const mover = await san.untilRunning('mover');
    expect(mover.host.name).toBe(other.name);
    const device = await san.untilPlugged(mover, 'carried');
    expect(await mover.ask(`head -n 1 /dev/${device}`)).toMatch(/^carried-by-lun$/m);
    const shown = await san.shown('carried');
    expect(shown?.initiators).toEqual([san.initiatorOf(other)]);
    expect(shown?.acls).not.toContain(san.initiatorOf(first));
    // Nothing of the pool is used there any more.
    await lab().pulse.until(
      'the secret is gone',
      async () => ((await san.secretsOn(first)).includes('ovcp/') ? undefined : true),
      patient,
    );
    await lab().patch('host', `kvm.${first.name}`, { unschedulable: false });
  });
};

/** `pools`: all StoragePools of the server. */
export const leavesNothing = (san: San, pools: readonly string[], secrets: readonly string[]): void => {
  it('leaves nothing on the server or the hosts when all is deleted', slow, async () => {
    const { lab } = san;
    await lab().remove('machine', 'box', 'mover');
    await lab().untilGone('machine', 'box', patient);
    await lab().untilGone('machine', 'mover', patient);
    // Deletion is refused until the hosts said that the machine is gone.
    await lab().until('disk', 'carried', (it) => it?.status?.claim === undefined, patient);
    await lab().remove('disk', 'carried');
    for (const name of ['carried', 'box.root', 'mover.root']) await lab().untilGone('disk', name, patient);
    await lab().remove('storage', ...pools);
    for (const name of pools) await lab().untilGone('storage', name, patient);
    expect(await san.server().inventory()).toBe(san.before);
    for (const host of [lab().node1, lab().node2]) expect(await san.secretsOn(host)).not.toContain('ovcp/');
    for (const word of secrets) expect(lab().operatorLog()).not.toContain(word);
  });
};
