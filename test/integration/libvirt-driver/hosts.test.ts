import { mkdtempSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KvmHost, startKvmHosts } from '../../../hack/lab/kvm-host.ts';
import type {
  Change,
  HostCredentials,
  HostEndpoint,
  HostSeen,
  HypervisorPool,
} from '../../../src/drivers/hypervisor/contract.ts';
import { createLibvirtDriver } from '../../../src/drivers/hypervisor/libvirt/driver.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { never, newIdentity, recordOf } from './world.ts';

const shape = {
  cpu: { sockets: 1, cores: 1, threads: 1 },
  memoryMiB: 64,
  disks: [],
  cdroms: [],
  nics: [],
  hardware: {},
  autostart: false,
};

describe('hosts', () => {
  const dir = mkdtempSync('/tmp/ovcp-drh-');
  let single: KvmHost;
  let split: KvmHost;
  const driver = createLibvirtDriver({ clock: systemClock(), random: Math.random });
  const open: HypervisorPool[] = [];
  const pool = (...endpoints: HostEndpoint[]): HypervisorPool => {
    const opened = driver.open({ endpoints });
    open.push(opened);
    return opened;
  };
  const credentials = (of: KvmHost): HostCredentials => ({
    sshPrivateKey: of.credentials.sshPrivateKey,
    sshKnownHosts: of.credentials.sshKnownHosts,
    tlsCa: of.credentials.tls.ca,
    tlsCert: of.credentials.tls.clientCert,
    tlsKey: of.credentials.tls.clientKey,
  });
  const settled = async (of: HypervisorPool): Promise<HostSeen | undefined> => {
    await of.survey(never);
    return (await of.hosts(never))[0];
  };

  beforeAll(async () => {
    const hosts = await startKvmHosts({ dir, hosts: [{ name: 'one' }, { name: 'two', daemons: 'split' }] });
    const [first, second] = hosts;
    if (first === undefined || second === undefined) throw new Error('two hosts were asked for');
    [single, split] = [first, second];
  });
  afterAll(async () => {
    await Promise.all(open.map((each) => each.close()));
    await single?.stop();
    await split?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it.each(['unix', 'ssh', 'tls'] as const)(
    'are reached over %s and tell what they are',
    async (transport) => {
      const uri = single.uris[transport] ?? '';
      const seen = await settled(pool({ host: 'one', uri, credentials: credentials(single) }));
      expect(seen).toMatchObject({
        kind: 'reachable',
        facts: {
          hostUuid: single.hostUuid,
          acceleration: 'Emulation',
          claimedBy: undefined,
          hypervisor: { type: 'QEMU', architecture: 'x86_64' },
        },
      });
      if (seen?.kind !== 'reachable') throw new Error('the host is not reachable');
      const [major] = (seen.facts.hypervisor.libvirtVersion ?? '').split('.');
      expect(await single.virsh('version')).toContain(`libvirt ${major}.`);
      expect(seen.facts.capabilities).toContain('AntiSpoofing');
      expect(seen.facts.uri).not.toContain('?');
    },
  );

  it('with split daemons run a machine as well', async () => {
    const vm = newIdentity('split');
    const each = pool({ host: 'two', uri: split.uris.ssh, credentials: credentials(split) });
    expect((await settled(each))?.kind).toBe('reachable');
    await each.take(vm, { kind: 'define', host: 'two', shape, record: recordOf(vm) }, never);
    await each.take(vm, { kind: 'start', host: 'two' }, never);
    expect(await split.virsh('domstate', vm.uuid)).toContain('running');
    const place = {
      clusterId: 'c',
      poolUid: 'p',
      poolName: 'p',
      path: `${split.diskDir}/x`,
      topology: 'HostLocal',
    } as const;
    await each.hostStorage('two').take(place, { kind: 'preparePlace' }, never);
    expect((await each.hostStorage('two').seePlace(place, never)).kind).toBe('ready');
    await each.take(vm, { kind: 'destroy', host: 'two' }, never);
    await each.take(vm, { kind: 'undefine', host: 'two' }, never);
  });

  it.each<[string, () => HostEndpoint, string]>([
    [
      'another SSH host key',
      () => ({
        host: 'one',
        uri: single.uris.ssh,
        credentials: {
          ...credentials(single),
          sshKnownHosts: split.credentials.sshKnownHosts.replace(split.address, single.address),
        },
      }),
      'HostKeyMismatch',
    ],
    ['no pinned host key', () => ({ host: 'one', uri: single.uris.ssh, credentials: {} }), 'SecretInvalid'],
    ['a URI of no use', () => ({ host: 'one', uri: 'esx://vc/x' }), 'InvalidUri'],
    [
      'nobody there',
      () => ({ host: 'one', uri: 'qemu+unix:///system?socket=/tmp/ovcp-nobody.sock' }),
      'HostUnreachable',
    ],
  ])('say why with %s', async (_, endpoint, reason) => {
    expect(await settled(pool(endpoint()))).toMatchObject({ kind: 'unreachable', reason });
  });

  it('are found again after their daemon restarted, with everything that happened meanwhile', async () => {
    const vm = newIdentity('kept');
    const each = pool({ host: 'one', uri: single.uris.unix });
    await each.take(vm, { kind: 'define', host: 'one', shape, record: recordOf(vm) }, never);
    await each.take(vm, { kind: 'start', host: 'one' }, never);
    const changes: Change[] = [];
    const listening = (async () => {
      for await (const change of each.changes(never)) changes.push(change);
    })();
    await single.killLibvirtd();
    await expect.poll(async () => (await each.see(vm, 'one', never)).unseen).toEqual(['one']);
    changes.length = 0;
    await single.startLibvirtd();
    await expect.poll(() => changes.some(({ kind }) => kind === 'resync')).toBe(true);
    const [sighting] = (await each.see(vm, undefined, never)).sightings;
    expect(sighting).toMatchObject({ power: { kind: 'running' }, ownership: { kind: 'ours' } });
    await single.virsh('destroy', vm.uuid);
    await expect
      .poll(async () => (await each.see(vm, 'one', never)).sightings[0]?.power)
      .toEqual({ kind: 'off', cause: 'Destroyed' });
    await each.take(vm, { kind: 'undefine', host: 'one' }, never);
    await each.close();
    await listening;
  });
});
