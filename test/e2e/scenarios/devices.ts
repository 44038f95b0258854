/** Disks, cards and discs of one machine, `box`: as it was made, and changed while it runs. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../../../hack/lab/process.ts';
import { macAddress } from '../../../src/api/identity.ts';
import { conditionOf, is, type Lab, type Placed, team } from '../harness/lab.ts';
import { bootDisk, image, machine, secret, templated } from '../harness/objects.ts';
import { child, diskNamed, nicNamed, qemuImgInfo } from '../harness/truth.ts';

const MiB = 1024 * 1024;
const ownMac = '52:54:00:aa:bb:01';

const baseDisks = [
  bootDisk(),
  templated('data', { size: '32Mi' }, { bus: 'SCSI' }),
  templated('more', { size: '16Mi' }, { bus: 'SATA' }),
];
const eth0 = { name: 'eth0', networkRef: { name: 'lan' }, macAddress: ownMac, bootOrder: 3 };
const eth1 = { name: 'eth1', networkRef: { name: 'closed' } };
const drive = (imageName?: string) => ({
  name: 'install',
  bootOrder: 2,
  ...(imageName === undefined ? {} : { imageRef: { name: imageName } }),
});

/** A disc with one file, served and imported. */
const importDisc = async (lab: Lab, name: string): Promise<void> => {
  const folder = join(lab.dir, name);
  const path = join(lab.dir, `${name}.iso`);
  await mkdir(folder);
  await writeFile(join(folder, 'marker'), `${name}\n`);
  await run(['genisoimage', '-quiet', '-o', path, '-V', name, '-r', folder]);
  lab.files.setRoute(`/${name}.iso`, { kind: 'file', content: { path } });
  const digest = (await run(['sha256sum', path])).stdout.slice(0, 64);
  await lab.apply(image(name, `${lab.files.url}/${name}.iso`, `sha256:${digest}`, { format: 'iso' }));
};

/** Made early, so that it boots while others are looked at. */
export const applyBox = async (lab: Lab): Promise<void> => {
  await importDisc(lab, 'disc-a');
  await importDisc(lab, 'disc-b');
  await lab.apply(
    secret('box-user-data', team, { userData: '#cloud-config\nhostname: box-first\n' }),
    machine('box', {
      disks: baseDisks,
      networks: [eth0, eth1],
      cdroms: [drive('disc-a')],
      cloudInit: { userDataSecretRef: { name: 'box-user-data' } },
    }),
  );
};

/** Asks the guest until its facts are as wanted: it looks at its hardware every two seconds. */
const untilSeen = (box: Placed, lab: Lab, what: string, wanted: Parameters<typeof seen>[1]) =>
  lab.pulse.until(`the guest sees ${what}`, () => seen(box, wanted), {
    explain: async () => JSON.stringify(await box.facts()),
  });

const seen = async (
  box: Placed,
  wanted: (facts: Awaited<ReturnType<Placed['facts']>>) => boolean,
): Promise<true | undefined> => (wanted(await box.facts()) ? true : undefined);

const disc = (box: Placed): Promise<string> =>
  box.ask(
    // A drive learns of another disc by an access that fails.
    'for try in $(seq 30); do mount -t iso9660 -o ro /dev/$(cat /run/disc) /mnt 2>/dev/null && break; sleep 1; done; ' +
      'cat /mnt/marker; umount /mnt',
  );

/** The drives are found by their size: cloud-init's seed has one too. */
const findDisc = (box: Placed, name: string) =>
  box.ask(
    `for it in /dev/sr?; do mount -t iso9660 -o ro $it /mnt && { [ "$(cat /mnt/marker 2>/dev/null)" = ${name} ] && basename $it > /run/disc; umount /mnt; }; done; cat /run/disc`,
  );

export const devices = (lab: () => Lab): void => {
  describe('devices', () => {
    it('several disks on virtio, SCSI and SATA, each of its size', async () => {
      const box = await lab().untilReady('box');
      const xml = await box.xml();
      const buses = ['root', 'data', 'more'].map((name) =>
        child(diskNamed(xml, name), 'target')?.getAttribute('bus'),
      );
      expect(buses).toEqual(['virtio', 'scsi', 'sata']);
      const { disks } = await box.facts();
      expect(Object.values(disks)).toEqual(expect.arrayContaining([256 * MiB, 32 * MiB, 16 * MiB]));
      expect(disks['vda']).toBe(256 * MiB);
    });

    it('disks of a template are named after machine and disk, and are ours by finalizer, not by owner', async () => {
      const disk = lab().mirror.get('disk', 'box.data', team);
      expect(disk?.metadata).toMatchObject({ finalizers: ['ovcp.dev/protect'] });
      expect(disk?.metadata).not.toHaveProperty('ownerReferences');
      expect(disk?.status.claim).toMatchObject({ purpose: 'run', vmName: 'box' });
    });

    it('several cards, one with its own MAC and one with a derived one', async () => {
      const box = lab().placed('box');
      const { uid } = lab().mirror.get('machine', 'box', team)?.metadata ?? { uid: '' };
      const derived = macAddress(uid, 'eth1');
      expect((await box.ask('cat /sys/class/net/eth*/address')).trim().split('\n').toSorted()).toEqual(
        [ownMac, derived].toSorted(),
      );
      const xml = await box.xml();
      expect(child(nicNamed(xml, 'eth0'), 'mac')?.getAttribute('address')).toBe(ownMac);
      const told = await lab().until(
        'machine',
        'box',
        (it) =>
          (it?.status?.networks as { ipAddresses?: string[] }[] | undefined)?.every(
            ({ ipAddresses }) => ipAddresses !== undefined,
          ) === true,
      );
      const { ip } = await box.facts();
      const [first, second] = told.status.networks as { mac: string; ipAddresses: string[] }[];
      expect([first?.mac, second?.mac]).toEqual([ownMac, derived]);
      expect(new Set([first?.ipAddresses[0], second?.ipAddresses[0]])).toEqual(new Set(Object.values(ip)));
      expect(second?.ipAddresses[0]).toMatch(/^10\.77\.0\./);
    });

    it('boot in the order of the spec', async () => {
      const xml = await lab().placed('box').xml();
      const order = (element: Parameters<typeof child>[0]) => child(element, 'boot')?.getAttribute('order');
      expect([diskNamed(xml, 'root'), diskNamed(xml, 'install'), nicNamed(xml, 'eth0')].map(order)).toEqual([
        '1',
        '2',
        '3',
      ]);
      expect(order(nicNamed(xml, 'eth1'))).toBeUndefined();
    });

    it('a disc is in its drive, is changed and ejected while the machine runs', async () => {
      const box = lab().placed('box');
      const pid = await box.pid();
      await findDisc(box, 'disc-a');
      expect(await disc(box)).toContain('disc-a');
      await lab().patch('machine', 'box', { cdroms: [drive('disc-b')] });
      await lab().untilReady('box');
      expect(await disc(box)).toContain('disc-b');
      await lab().patch('machine', 'box', { cdroms: [drive()] });
      await lab().untilReady('box');
      expect(child(diskNamed(await box.xml(), 'install'), 'source')?.getAttribute('file') ?? null).toBeNull();
      const name = (await box.ask('cat /run/disc')).trim();
      await untilSeen(box, lab(), 'an empty drive', ({ disks }) => disks[name] === 0);
      expect(await box.pid()).toBe(pid);
    });

    it('a disk is attached, grown and detached while the machine runs, and detaching deletes nothing', async () => {
      const box = lab().placed('box');
      const pid = await box.pid();
      const extra = (size: string) => templated('extra', { size });
      await lab().patch('machine', 'box', { disks: [...baseDisks, extra('24Mi')] });
      await untilSeen(box, lab(), '24 MiB', ({ disks }) => disks['vdb'] === 24 * MiB);
      await lab().untilReady('box');
      await box.ask('echo kept > /dev/vdb; sync');
      await lab().patch('disk', 'box.extra', { size: '48Mi' });
      await untilSeen(box, lab(), '48 MiB', ({ disks }) => disks['vdb'] === 48 * MiB);
      const grown = await lab().until(
        'disk',
        'box.extra',
        (it) => is(it, 'Ready', 'True') && it?.status.size === '48Mi',
      );
      const path = `${box.host.diskDir}/${grown.status.volume.name}`;
      expect(await qemuImgInfo(box.host, path)).toMatchObject({ format: 'qcow2', 'virtual-size': 48 * MiB });
      await lab().patch('machine', 'box', { disks: baseDisks });
      await untilSeen(box, lab(), 'no more vdb', ({ disks }) => disks['vdb'] === undefined);
      await lab().untilReady('box');
      const left = await lab().until('disk', 'box.extra', (it) => it?.status?.claim === undefined);
      expect(left.metadata.deletionTimestamp).toBeUndefined();
      const { stdout } = await box.host.exec(['qemu-io', '-f', 'qcow2', '-r', '-c', 'read -v 0 512', path]);
      expect(stdout).toContain('6b 65 70 74');
      expect(await box.pid()).toBe(pid);
    });

    it('a card is attached, loses its link and is detached while the machine runs', async () => {
      const box = lab().placed('box');
      const pid = await box.pid();
      const { uid } = lab().mirror.get('machine', 'box', team)?.metadata ?? { uid: '' };
      const mac = macAddress(uid, 'eth2');
      const eth2 = (linkState: string) => ({ name: 'eth2', networkRef: { name: 'closed' }, linkState });
      const untilCarrier = (state: '0' | '1') =>
        lab().pulse.until(`carrier ${state} in the guest`, async () => {
          const told = await box.ask('cat /sys/class/net/eth2/address /sys/class/net/eth2/carrier');
          return told === `${mac}\n${state}\n` ? true : undefined;
        });
      await lab().patch('machine', 'box', { networks: [eth0, eth1, eth2('Up')] });
      await untilSeen(box, lab(), 'an address of eth2', ({ ip }) => ip['eth2'] !== undefined);
      await lab().untilReady('box');
      await untilCarrier('1');
      await lab().patch('machine', 'box', { networks: [eth0, eth1, eth2('Down')] });
      await lab().untilReady('box');
      expect(await box.host.virsh('domif-getlink', box.domain, mac)).toContain('down');
      await untilCarrier('0');
      await lab().patch('machine', 'box', { networks: [eth0, eth1] });
      await lab().untilReady('box');
      expect((await box.host.virsh('domiflist', box.domain)).toLowerCase()).not.toContain(mac);
      await untilSeen(box, lab(), 'no more eth2', ({ ip }) => ip['eth2'] === undefined);
      expect(await box.pid()).toBe(pid);
    });

    it('what cannot be changed live is pending, and applied at the next power cycle', async () => {
      const box = lab().placed('box');
      const before = await box.facts();
      expect(before).toMatchObject({ hostname: 'box-first', cpus: 1 });
      await lab().patch('machine', 'box', { cpu: { cores: 2 }, memory: '256Mi' });
      const waits = await lab().until('machine', 'box', (it) =>
        is(it, 'UpToDate', 'False', 'RequiresPowerCycle'),
      );
      const pending = waits.status.pendingChanges as { path: string; impact: string }[];
      expect(pending.map(({ path }) => path).join()).toMatch(/cpu/);
      expect(pending).toContainEqual(
        expect.objectContaining({ path: expect.stringMatching(/memory/), impact: 'PowerCycle' }),
      );
      expect(is(waits, 'Ready', 'True', 'Running')).toBe(true);
      expect((await box.xml()).textAt('memory')).toBe(String(192 * 1024));
      expect((await box.xml(true)).textAt('memory')).toBe(String(256 * 1024));
    });

    it('cloud-init follows its Secret: the next boot has the new seed, and the old one is gone', async () => {
      const seeds = async (): Promise<readonly string[]> => {
        const { host } = lab().placed('box');
        const { uid } = lab().mirror.get('machine', 'box', team)?.metadata ?? { uid: '' };
        const { stdout } = await host.exec(['ls', host.diskDir]);
        return stdout
          .split('\n')
          .filter((name) => name.startsWith(`ovcp-seed-${uid}`) && name.endsWith('.iso'));
      };
      const before = await seeds();
      expect(before).toHaveLength(1);
      await lab().apply(secret('box-user-data', team, { userData: '#cloud-config\nhostname: box-second\n' }));
      const restartRequestedAt = new Date().toISOString();
      await lab().patch('machine', 'box', { restartRequestedAt });
      await lab().until('machine', 'box', (it) => it?.status?.restartHandledAt === restartRequestedAt);
      const box = await lab().untilReady('box');
      const after = await box.facts();
      expect(after).toMatchObject({ hostname: 'box-second', cpus: 2 });
      expect(after.memory).toBeGreaterThan(200 * 1024);
      const now = await lab().until('machine', 'box', (it) => is(it, 'UpToDate', 'True'));
      expect(now.status.pendingChanges ?? []).toEqual([]);
      const left = await lab().pulse.until('one seed', async () => {
        const there = await seeds();
        return there.length === 1 ? there : undefined;
      });
      expect(left).not.toEqual(before);
      expect(conditionOf(now, 'UpToDate')?.reason).toBe('Synced');
    });
  });
};
