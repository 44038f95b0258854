/** The end of machines: what goes, what stays, what is refused; and at the last that nothing is left over. */
import { describe, expect, it } from 'vitest';
import { operatorUser } from '../../../hack/lab/operator.ts';
import { is, type Lab, team } from '../harness/lab.ts';
import { templated } from '../harness/objects.ts';
import { truthOf } from '../harness/truth.ts';
import { domainsOf, filesOf, quick } from './trouble.ts';

export const deletion = (lab: () => Lab): void => {
  describe('deletion', () => {
    it('is refused while deletionProtection is on', async () => {
      await lab().apply(quick('precious', { deletionProtection: true }));
      const placed = await lab().untilReady('precious');
      await expect(lab().kubectl('delete', 'ovm', 'precious', '--wait=false')).rejects.toThrow(
        'is protected: set spec.deletionProtection to false before deleting it',
      );
      expect(await placed.state()).toMatch(/^running/);
      await lab().patch('machine', 'precious', { deletionProtection: false });
    });

    it('takes the machine, and its disks by their reclaim policy', async () => {
      await lab().patch('machine', 'precious', {
        disks: [
          templated('data', { size: '8Mi' }),
          templated('kept', { size: '8Mi', reclaimPolicy: 'Retain' }),
        ],
      });
      await lab().until('disk', 'precious.kept', (it) => it?.status?.claim?.vmName === 'precious');
      await lab().untilReady('precious');
      const uid = (name: string) => lab().mirror.get('disk', name, team)?.metadata.uid ?? '-';
      const [gone, kept] = [uid('precious.data'), uid('precious.kept')];
      await lab().remove('machine', 'precious');
      await lab().untilGone('machine', 'precious');
      await lab().untilGone('disk', 'precious.data');
      const free = await lab().until('disk', 'precious.kept', (it) => is(it, 'Ready', 'True', 'Available'));
      expect(free.metadata.deletionTimestamp).toBeUndefined();
      await lab().remove('disk', 'precious.kept');
      await lab().untilGone('disk', 'precious.kept');
      expect(await domainsOf(lab(), 'precious')).toEqual([]);
      expect(await filesOf(lab(), gone)).toEqual([]);
      const left = await filesOf(lab(), kept);
      expect(left.filter((name) => name.endsWith('.qcow2'))).toHaveLength(1);
      for (const host of [lab().node1, lab().node2]) {
        await host.exec(['rm', '-f', ...left.map((name) => `${host.diskDir}/${name}`)]);
      }
    });

    it('with deletionPolicy Retain leaves the machine running with its disks, and takes our tag off', async () => {
      await lab().apply(quick('retained', { deletionPolicy: 'Retain' }));
      const placed = await lab().untilReady('retained');
      const pid = await placed.pid();
      const disk = lab().mirror.get('disk', 'retained.data', team);
      await lab().remove('machine', 'retained');
      await lab().untilGone('machine', 'retained');
      expect(await placed.pid()).toBe(pid);
      for (const inactive of [false, true]) {
        const xml = await placed.xml(inactive);
        expect(xml.all('metadata/machine')).toEqual([]);
        expect(xml.text).toContain(disk?.status.volume.name);
      }
      expect(lab().mirror.get('disk', 'retained.data', team)?.metadata.deletionTimestamp).toBeUndefined();
      expect(await filesOf(lab(), disk?.metadata.uid ?? '-')).not.toEqual([]);
      // Its machine still uses the disk, whoever owns the machine now.
      await expect(lab().kubectl('delete', 'odisk', 'retained.data', '--wait=false')).rejects.toThrow(
        'is in use by VirtualMachine retained',
      );
      await placed.host.virsh('destroy', placed.domain);
      await placed.host.virsh('undefine', placed.domain);
      await lab().until('disk', 'retained.data', (it) => is(it, 'Ready', 'True', 'Available'));
      await lab().remove('disk', 'retained.data');
      await lab().untilGone('disk', 'retained.data');
    });

    it('and creation cost at most four writes for the machine, four for its disk, and three events', async () => {
      await lab().apply(quick('counted'));
      await lab().untilReady('counted');
      await lab().remove('machine', 'counted');
      await lab().untilGone('machine', 'counted');
      await lab().untilGone('disk', 'counted.data');
      const writes = (await lab().plane.audit(operatorUser)).filter(({ code }) => code < 300);
      const of = (resource: string, name: string) =>
        writes
          .filter((it) => it.resource === resource && it.name === name)
          .map((it) => `${it.verb} ${it.subresource}`);
      const machine = of('virtualmachines', 'counted');
      expect(machine.length, machine.join()).toBeLessThanOrEqual(4);
      const disk = of('virtualdisks', 'counted.data');
      expect(disk.length, disk.join()).toBeLessThanOrEqual(4);
      const events = writes.filter((it) => it.resource === 'events' && it.name.startsWith('counted'));
      expect(events.length).toBeLessThanOrEqual(3);
    });
  });
};

export const leftovers = (lab: () => Lab): void => {
  describe('at the end', () => {
    it('all but the claim goes with its objects, and each host is as it was before', async () => {
      const names = (kind: 'machine' | 'disk' | 'image') =>
        lab()
          .mirror.list(kind)
          .map(({ metadata }) => metadata.name);
      await lab().remove('machine', ...names('machine'));
      for (const name of names('machine')) await lab().untilGone('machine', name);
      for (const kind of ['disk', 'image'] as const) {
        const rest = names(kind);
        await lab().remove(kind, ...rest);
        for (const name of rest) await lab().untilGone(kind, name);
      }
      for (const [kind, rest] of [
        ['network', ['lan', 'closed']],
        ['storage', ['local']],
        ['pool', ['kvm', 'split']],
      ] as const) {
        await lab().remove(kind, ...rest);
        for (const name of rest) await lab().untilGone(kind, name);
      }
      await lab().pulse.until('no Host', () => (lab().mirror.list('host').length === 0 ? true : undefined));
      for (const host of lab().hosts) {
        // The claim outlives the pool, so that no other installation takes the host unasked (docs/hosts.md).
        await host.virsh('nwfilter-undefine', 'ovcp-claim');
        expect(await truthOf(host), host.name).toEqual(lab().before.get(host.name));
      }
    });

    it('somebody else’s machine is what it was', async () => {
      expect(await lab().foreignNow()).toEqual(lab().foreign);
    });
  });
};
