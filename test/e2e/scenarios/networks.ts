/** Networks: made and kept on every host of the pool; a bridge of the administrator's; guests that may not pretend. */
import { describe, expect, it } from 'vitest';
import type { KvmHost } from '../../../hack/lab/kvm-host.ts';
import { networkBridgeName, networkHostName } from '../../../src/api/identity.ts';
import { conditionOf, is, type Lab } from '../harness/lab.ts';
import { machine, network } from '../harness/objects.ts';
import { child, nicNamed } from '../harness/truth.ts';

export const networks = (lab: () => Lab): void => {
  describe('networks', () => {
    const both = (): readonly KvmHost[] => [lab().node1, lab().node2];
    const uidOf = (name: string): string => lab().mirror.get('network', name)?.metadata.uid ?? '';
    const nameOf = (name: string): string => networkHostName(name, uidOf(name));

    it('NAT and isolated ones are made on every host of the pool, with DHCP, and start with the host', async () => {
      for (const name of ['lan', 'closed']) {
        const ready = await lab().until('network', name, (it) => is(it, 'Ready', 'True'));
        expect(ready.status.hostsReady).toBe(2);
        for (const host of both()) {
          const info = await host.virsh('net-info', nameOf(name));
          expect(info).toMatch(/^Active: +yes$/m);
          expect(info).toMatch(/^Persistent: +yes$/m);
          expect(info).toMatch(/^Autostart: +yes$/m);
          expect(info).toContain(networkBridgeName(uidOf(name)));
          expect(await host.virsh('net-dumpxml', nameOf(name))).toContain('<range ');
        }
      }
      expect(await lab().node1.virsh('net-dumpxml', nameOf('lan'))).toMatch(/<forward mode='nat'/);
      expect(await lab().node1.virsh('net-dumpxml', nameOf('closed'))).not.toContain('<forward');
    });

    it('come back after virsh net-destroy and net-undefine', async () => {
      const host = lab().node2;
      await host.virsh('net-destroy', nameOf('closed'));
      await host.virsh('net-undefine', nameOf('closed'));
      await lab().pulse.until('the network is back', async () => {
        const { stdout } = await host.exec(['virsh', '-q', '-c', 'qemu:///system', 'net-list', '--name'], {
          allowFailure: true,
        });
        return stdout.includes(nameOf('closed')) ? true : undefined;
      });
      await lab().until('network', 'closed', (it) => is(it, 'Ready', 'True') && it?.status.hostsReady === 2);
    });

    it('on a bridge that a host lacks are not ready there, and say which bridge', async () => {
      await lab().applyAsAdmin(network('office', 'kvm', { type: 'Bridge', bridge: { name: 'br-office' } }));
      const lacking = await lab().until('network', 'office', (it) => is(it, 'Ready', 'False'));
      expect(conditionOf(lacking, 'Ready')?.message).toContain('br-office');
      const bridge = ['ip', 'link', 'add', 'br-office', 'type', 'bridge'];
      for (const host of both()) {
        await host.exec(bridge);
        await host.exec(['ip', 'link', 'set', 'br-office', 'up']);
      }
    });
  });
};

/** Later, because a host is asked for its bridges once in an audit, and others can be looked at meanwhile. */
export const bridged = (lab: () => Lab): void => {
  describe('networks', () => {
    const both = (): readonly KvmHost[] => [lab().node1, lab().node2];

    it('plug machines into the administrator’s bridge once it is there, guarded against spoofing', async () => {
      await lab().until('network', 'office', (it) => is(it, 'Ready', 'True'), { limitMs: 300_000 });
      await lab().apply(
        machine('plugged', {
          disks: [],
          shutdown: { mode: 'Hard' },
          networks: [{ name: 'eth0', networkRef: { name: 'office' }, addresses: ['192.0.2.200/24'] }],
        }),
      );
      const placed = await lab().untilReady('plugged');
      const nic = nicNamed(await placed.xml(), 'eth0');
      expect(child(nic, 'source')?.getAttribute('bridge')).toBe('br-office');
      const port = child(nic, 'target')?.getAttribute('dev') ?? '';
      expect((await placed.host.exec(['ls', '/sys/class/net/br-office/brif'])).stdout.trim()).toBe(port);
      expect(child(nic, 'filterref')?.getAttribute('filter')).toBe('clean-traffic');
      expect(child(child(nic, 'filterref'), 'parameter')?.getAttribute('value')).toBe('192.0.2.200');
      expect(await placed.host.virsh('nwfilter-binding-list')).toContain(port);
      await lab().remove('machine', 'plugged');
      await lab().untilGone('machine', 'plugged');
      await lab().remove('network', 'office');
      await lab().untilGone('network', 'office');
      for (const host of both()) await host.exec(['ip', 'link', 'del', 'br-office']);
    });
  });
};
