/** Hosts: how they are reached, and what is said when they cannot be. */
import { readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createAuthority, openAuthority } from '../../../hack/lab/certificates.ts';
import { conditionOf, is, type Lab } from '../harness/lab.ts';
import { hostPool, hostSecret, machine, network, secret, storagePool } from '../harness/objects.ts';

/** The three ways to a host: SSH with a pinned key, TLS, a socket of the split daemons. */
export const applyPools = async (lab: Lab): Promise<void> => {
  const { node1, node2, split } = lab;
  await lab.applyAsAdmin(
    hostSecret('node1', node1),
    hostSecret('node2', node2),
    hostPool('kvm', [
      { name: 'node1', uri: node1.uris.ssh, secret: 'node1' },
      { name: 'node2', uri: node2.uris.tls ?? '', secret: 'node2' },
    ]),
    hostPool('split', [{ name: 'split', uri: split.uris.unix }]),
    storagePool('local', 'kvm', node1.diskDir, { maxImageSize: '10Gi' }),
    network('lan', 'kvm', { type: 'NAT', nat: { cidr: '192.168.150.0/24', dhcp: {} } }),
    network('closed', 'kvm', { type: 'Isolated', isolated: { cidr: '10.77.0.0/24', dhcp: {} } }),
  );
};

const untilReachable = (lab: Lab, name: string) =>
  lab.until('host', name, (it) => is(it, 'Schedulable', 'True'));

export const hosts = (lab: () => Lab): void => {
  describe('hosts', () => {
    it('are reached by SSH with a pinned key, by TLS and by the socket of split daemons', async () => {
      await applyPools(lab());
      for (const [name, host] of [
        ['kvm.node1', lab().node1],
        ['kvm.node2', lab().node2],
        ['split.split', lab().split],
      ] as const) {
        const seen = await untilReachable(lab(), name);
        expect(seen.status).toMatchObject({ hostUuid: host.hostUuid, acceleration: 'Emulation' });
        expect((await host.virsh('version')).replaceAll('\n', ' ')).toContain(
          `hypervisor: QEMU ${seen.status.hypervisor.version}`,
        );
        const info = await host.virsh('nodeinfo');
        expect(info).toMatch(new RegExp(`^CPU\\(s\\): +${seen.status.capacity.cpus}$`, 'm'));
      }
      const pool = await lab().until('pool', 'kvm', (it) => is(it, 'Ready', 'True'));
      expect(pool.status.hosts).toEqual({ total: 2, ready: 2 });
    });

    it('with split daemons only run a machine', async () => {
      await lab().apply(
        machine('on-split', { hostPoolRef: { name: 'split' }, disks: [], shutdown: { mode: 'Hard' } }),
      );
      const placed = await lab().untilReady('on-split');
      expect(placed.host.name).toBe('split');
      expect(await placed.state()).toBe('running (booted)');
      await lab().remove('machine', 'on-split');
      await lab().untilGone('machine', 'on-split');
      expect((await lab().split.virsh('list', '--all', '--name')).trim()).toBe('');
    });

    it('whose SSH key is not the pinned one are not spoken to', async () => {
      const { split, node1 } = lab();
      const wrong = node1.credentials.sshKnownHosts.replace(node1.address, split.address);
      await lab().applyAsAdmin(
        hostSecret('wrong-key', split, { known_hosts: wrong }),
        hostPool('trial', [{ name: 'wrong-key', uri: split.uris.ssh, secret: 'wrong-key' }]),
      );
      const seen = await lab().until('host', 'trial.wrong-key', (it) =>
        is(it, 'Reachable', 'False', 'HostKeyMismatch'),
      );
      expect(conditionOf(seen, 'Reachable')?.message).toMatch(/key/i);
      expect(seen.status.capacity).toBeUndefined();
    });

    it('without their Secret say so, and come once it is there', async () => {
      const { split } = lab();
      await lab().patch('pool', 'trial', {
        libvirt: {
          hosts: [{ name: 'late', uri: split.uris.sshUser, credentialsSecretRef: { name: 'late' } }],
        },
      });
      const seen = await lab().until('host', 'trial.late', (it) =>
        is(it, 'Reachable', 'False', 'SecretNotFound'),
      );
      expect(conditionOf(seen, 'Reachable')?.message).toContain('late');
      await lab().applyAsAdmin(hostSecret('late', split));
      const reached = await lab().until('host', 'trial.late', (it) => is(it, 'Reachable', 'True'));
      // It is the very machine of the pool `split`, over another way.
      expect(reached.status.hostUuid).toBe(split.hostUuid);
    });

    it('listed in two pools take machines of the first alone', async () => {
      const twice = await lab().until('host', 'trial.late', (it) =>
        is(it, 'Ready', 'False', 'DuplicateHost'),
      );
      expect(conditionOf(twice, 'Ready')?.message).toContain('split.split');
      expect(is(lab().mirror.get('host', 'split.split'), 'Ready', 'True')).toBe(true);
    });

    it('of another authority or with an expired certificate are not trusted', async () => {
      const { node2, dir } = lab();
      const authority = await createAuthority(await mkdtemp(join(dir, 'ca-')), 'somebody else');
      await lab().applyAsAdmin(
        hostSecret('other-ca', node2, { 'ca.crt': readFileSync(authority.caPath, 'utf8') }),
        secret('expired', 'ovcp-system', await expiredClient(lab())),
      );
      await lab().patch('pool', 'trial', {
        libvirt: {
          hosts: [
            { name: 'other-ca', uri: node2.uris.tls, credentialsSecretRef: { name: 'other-ca' } },
            { name: 'expired', uri: node2.uris.tls, credentialsSecretRef: { name: 'expired' } },
          ],
        },
      });
      await lab().until('host', 'trial.other-ca', (it) => is(it, 'Reachable', 'False', 'CertificateInvalid'));
      await lab().until('host', 'trial.expired', (it) => is(it, 'Reachable', 'False', 'CertificateInvalid'));
    });

    it('taken out of their pool go when nothing is on them', async () => {
      await lab().remove('pool', 'trial');
      await lab().untilGone('pool', 'trial');
      expect(
        lab()
          .mirror.list('host')
          .map(({ metadata }) => metadata.name),
      ).toEqual(expect.not.arrayContaining([expect.stringMatching(/^trial\./)]));
    });
  });
};

/** A client certificate of the hosts' own authority that ran out a day ago. */
const expiredClient = async ({ dir, node2 }: Lab): Promise<Record<string, string>> => {
  const day = 86_400_000;
  const pair = await openAuthority(join(dir, 'kvm', 'pki')).issue({
    file: 'expired',
    commonName: 'ovcp-operator',
    usage: 'client',
    validity: { from: new Date(Date.now() - 2 * day), to: new Date(Date.now() - day) },
  });
  return {
    'tls.crt': readFileSync(pair.certPath, 'utf8'),
    'tls.key': readFileSync(pair.keyPath, 'utf8'),
    'ca.crt': node2.credentials.tls.ca,
  };
};
