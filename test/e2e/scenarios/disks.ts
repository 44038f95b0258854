/** Disks with a life of their own: moved from machine to machine, copied, kept. On `web-1` and `box`, on one host. */
import { describe, expect, it } from 'vitest';
import { conditionOf, is, type Lab, type Placed, team } from '../harness/lab.ts';
import { disk } from '../harness/objects.ts';
import { qemuImgInfo } from '../harness/truth.ts';

const MiB = 1024 * 1024;

/** Name of the guest's disk with our serial number. */
const guestDisk = (box: Placed, uid: string): Promise<string> =>
  box
    .ask(
      `for it in /sys/block/vd?; do [ "$(cat $it/serial)" = ${uid.replaceAll('-', '').slice(0, 20)} ] && basename $it; done`,
    )
    .then((text) => text.trim());

const untilInGuest = (lab: Lab, name: string, uid: string): Promise<string> =>
  lab.pulse.until(`${name} in the guest`, async () => {
    const found = await guestDisk(lab.placed('box'), uid);
    return found === '' ? undefined : found;
  });

export const disks = (lab: () => Lab): void => {
  describe('disks', () => {
    const disksOf = (machine: string) =>
      (lab().mirror.get('machine', machine, team)?.spec.disks ?? []) as { name: string }[];
    const give = async (machine: string, name: string): Promise<void> => {
      const rest = disksOf(machine).filter((it) => it.name !== name);
      await lab().patch('machine', machine, { disks: [...rest, { name, diskRef: { name } }] });
    };
    const takeAway = async (machine: string, name: string): Promise<void> => {
      await lab().patch('machine', machine, { disks: disksOf(machine).filter((it) => it.name !== name) });
    };
    const fileOf = (name: string): string =>
      `${lab().node1.diskDir}/${lab().mirror.get('disk', name, team)?.status.volume.name}`;
    const uidOf = (name: string): string => lab().mirror.get('disk', name, team)?.metadata.uid ?? '';

    it('wait for their first use, which is healthy', async () => {
      await lab().apply(disk('shared', '20Mi', { reclaimPolicy: 'Retain' }));
      const waiting = await lab().until('disk', 'shared', (it) =>
        is(it, 'Ready', 'True', 'WaitingForFirstUse'),
      );
      expect(waiting.status.host).toBeUndefined();
    });

    it('are made on the host of the first machine that uses them', async () => {
      await give('box', 'shared');
      const bound = await lab().until('disk', 'shared', (it) => it?.status?.claim?.vmName === 'box');
      expect(bound.status.host).toBe('kvm.node1');
      await lab().untilReady('box');
      expect(await qemuImgInfo(lab().node1, fileOf('shared'))).toMatchObject({ 'virtual-size': 20 * MiB });
      const name = await untilInGuest(lab(), 'shared', uidOf('shared'));
      await lab().placed('box').ask(`echo moved-with-me > /dev/${name}; sync`);
    });

    it('are attached to one running machine at a time', async () => {
      await give('web-1', 'shared');
      const waits = await lab().until('machine', 'web-1', (it) => is(it, 'StorageReady', 'False'));
      expect(conditionOf(waits, 'StorageReady')?.message).toContain('shared');
      const web = lab().placed('web-1');
      expect(await web.host.virsh('domblklist', web.domain)).not.toContain(uidOf('shared'));
      expect(await web.state()).toMatch(/^running/);
    });

    it('that are in use cannot be deleted', async () => {
      await expect(lab().kubectl('delete', 'odisk', 'shared', '--wait=false')).rejects.toThrow(
        'is in use by VirtualMachine box',
      );
    });

    it('move to another machine with what is on them', async () => {
      await takeAway('box', 'shared');
      const moved = await lab().until('disk', 'shared', (it) => it?.status?.claim?.vmName === 'web-1');
      expect(moved.status.host).toBe('kvm.node1');
      const web = await lab().untilReady('web-1');
      expect(await web.host.virsh('domblklist', web.domain)).toContain(uidOf('shared'));
      const name = await lab().pulse.until('shared in web-1', async () => {
        const found = await guestDisk(web, uidOf('shared'));
        return found === '' ? undefined : found;
      });
      expect(await web.ask(`head -n 1 /dev/${name}`)).toBe('moved-with-me\n');
      await takeAway('web-1', 'shared');
      await lab().until('disk', 'shared', (it) => it !== undefined && it.status?.claim === undefined);
    });

    it('are linked clones of an image or full copies of it, of the larger size', async () => {
      await lab().apply(
        disk('full', '1Mi', { source: { type: 'Image', imageRef: { name: 'tiny' }, clone: 'Full' } }),
        disk('copy', '32Mi', { source: { type: 'Disk', diskRef: { name: 'shared' } } }),
      );
      await give('box', 'full');
      await give('box', 'copy');
      await lab().until('disk', 'full', (it) => it?.status?.claim?.vmName === 'box');
      await lab().until('disk', 'copy', (it) => it?.status?.claim?.vmName === 'box');
      await lab().untilReady('box');
      const full = await qemuImgInfo(lab().node1, fileOf('full'));
      expect(full['backing-filename']).toBeUndefined();
      expect(full['virtual-size']).toBeGreaterThanOrEqual(lab().image.sizeBytes);
      const linked = await qemuImgInfo(lab().node1, fileOf('box.root'));
      expect(linked['backing-filename']).toContain(
        `ovcp-image-${lab().mirror.get('image', 'tiny', team)?.metadata.uid}.qcow2`,
      );
      expect(linked['virtual-size']).toBe(256 * MiB);
    });

    it('are copied from another disk, with what is on it', async () => {
      const info = await qemuImgInfo(lab().node1, fileOf('copy'));
      expect(info).toMatchObject({ 'virtual-size': 32 * MiB });
      expect(info['backing-filename']).toBeUndefined();
      const name = await untilInGuest(lab(), 'copy', uidOf('copy'));
      expect(await lab().placed('box').ask(`head -n 1 /dev/${name}`)).toBe('moved-with-me\n');
      await takeAway('box', 'copy');
      await takeAway('box', 'full');
      await lab().untilReady('box');
    });

    it('go with their data by reclaimPolicy Delete, and without it by Retain', async () => {
      const [copy, full, shared] = ['copy', 'full', 'shared'].map(fileOf);
      await lab().until('disk', 'copy', (it) => it?.status?.claim === undefined);
      await lab().until('disk', 'full', (it) => it?.status?.claim === undefined);
      await lab().remove('disk', 'copy', 'full', 'shared', 'box.extra');
      for (const name of ['copy', 'full', 'shared', 'box.extra']) await lab().untilGone('disk', name);
      const { stdout } = await lab().node1.exec(['ls', lab().node1.diskDir]);
      const there = (path: string | undefined) => stdout.includes(path?.split('/').at(-1) ?? 'nothing');
      expect([copy, full, shared].map(there)).toEqual([false, false, true]);
      const kept = await lab().node1.exec([
        'qemu-io',
        '-f',
        'qcow2',
        '-r',
        '-c',
        'read -v 0 512',
        shared ?? '',
      ]);
      expect(kept.stdout).toContain('moved.with.me');
      await lab().node1.exec(['rm', shared ?? '']);
    });

    it('of an image live on when its object is deleted, for as long as they need it', async () => {
      const file = `ovcp-image-${lab().mirror.get('image', 'tiny', team)?.metadata.uid}.qcow2`;
      await lab().remove('image', 'tiny');
      await lab().untilGone('image', 'tiny');
      expect((await lab().node1.exec(['ls', lab().node1.diskDir])).stdout).toContain(file);
      const restartRequestedAt = new Date().toISOString();
      await lab().patch('machine', 'web-1', { restartRequestedAt });
      await lab().until('machine', 'web-1', (it) => it?.status?.restartHandledAt === restartRequestedAt);
      const web = await lab().untilReady('web-1');
      expect((await web.facts()).hostname).toBe('web-1.example');
    });
  });
};
