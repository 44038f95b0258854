/** The quickstart as a tenant applies it: an image from a URL, a machine, what kubectl and virsh say of it. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { repositoryRoot } from '../../../hack/lab/operator.ts';
import { domainName, macAddress, vmUuid } from '../../../src/api/identity.ts';
import { clusterId, is, type Lab, team } from '../harness/lab.ts';
import { image } from '../harness/objects.ts';
import { child, diskNamed, nicNamed, qemuImgInfo } from '../harness/truth.ts';

const samples = join(repositoryRoot, 'deploy/samples/quickstart');

/** Objects of these kinds in the quickstart. */
const quickstart = (names: readonly string[], kinds: readonly string[]): object[] =>
  names.flatMap((name) =>
    parseAllDocuments(readFileSync(join(samples, name), 'utf8'))
      .map((document) => document.toJS() as { kind: string })
      .filter(({ kind }) => kinds.includes(kind)),
  );

const sshKey =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0Zt3vT3mFhVbWZb0m0h6dS0yQbXo0h1b0l2k3j4h5g ann@example.org';

/** `meanwhile` makes what boots while the machine of the quickstart does. */
export const quickstarted = (
  lab: () => Lab,
  files: readonly string[],
  meanwhile: (lab: Lab) => Promise<void>,
): void => {
  describe('the quickstart', () => {
    it('imports an image over HTTP, tells how many percent, and verifies its checksum', async () => {
      const { image: guest, files: server } = lab();
      const content = { path: guest.qcow2Path };
      // The rest is sent once the percent was seen: a fast machine would be through before it could be told.
      const told = Promise.withResolvers<void>();
      const bytes = Math.floor(statSync(guest.qcow2Path).size / 2);
      server.setRoute('/held.qcow2', { kind: 'held', content, bytes, until: told.promise });
      await lab().apply(image('tiny', `${server.url}/held.qcow2`, `sha256:${guest.sha256.qcow2}`));
      await lab().until('image', 'tiny', (it) =>
        ((it?.status?.copies ?? []) as { percent?: number }[]).some(({ percent = 0 }) => percent > 0),
      );
      told.resolve();
      const ready = await lab().until('image', 'tiny', (it) => is(it, 'Ready', 'True'));
      expect(ready.status).toMatchObject({ digest: `sha256:${guest.sha256.qcow2}` });
      const percents = lab()
        .mirror.history('image', 'tiny', team)
        .flatMap((it) => (it.status?.copies ?? []) as { percent?: number }[])
        .flatMap(({ percent }) => percent ?? []);
      expect(percents).toEqual(percents.toSorted((a, b) => a - b));
      expect(percents.some((percent) => percent > 0 && percent < 100)).toBe(true);
      const [copy] = ready.status.copies as { host: string; state: string }[];
      const host = copy?.host === 'kvm.node1' ? lab().node1 : lab().node2;
      const volumes = await host.virsh('vol-list', (await host.virsh('pool-list', '--name')).trim());
      expect(volumes).toContain(`ovcp-image-${ready.metadata.uid}.qcow2`);
      const info = await qemuImgInfo(host, `${host.diskDir}/ovcp-image-${ready.metadata.uid}.qcow2`);
      expect(info).toMatchObject({ format: 'qcow2', 'virtual-size': guest.sizeBytes });
      expect(info['backing-filename']).toBeUndefined();
    });

    it('refuses an image whose checksum is wrong and leaves nothing of it', async () => {
      await lab().apply(image('forged', `${lab().files.url}/guest.qcow2`, `sha256:${'0'.repeat(64)}`));
      const refused = await lab().until('image', 'forged', (it) =>
        is(it, 'Ready', 'False', 'ImageChecksumMismatch'),
      );
      await lab().remove('image', 'forged');
      await lab().untilGone('image', 'forged');
      for (const host of [lab().node1, lab().node2]) {
        const { stdout } = await host.exec(['ls', host.diskDir]);
        expect(stdout).not.toContain(refused.metadata.uid);
      }
    });

    it('boots a machine to Ready with the address of its lease and of its agent', async () => {
      const objects = quickstart(files, ['VirtualMachineSize']);
      await lab().applyAsAdmin(...objects);
      // Disks of a pool of folders stay on their host: those that move later must meet there.
      await lab().patch('host', 'kvm.node2', { unschedulable: true });
      await lab().until('host', 'kvm.node2', (it) => is(it, 'Schedulable', 'False', 'Unschedulable'));
      const [machine] = quickstart(files, ['VirtualMachine']) as { spec: Record<string, unknown> }[];
      if (machine === undefined) throw new Error('the quickstart has no machine');
      machine.spec['cloudInit'] = { hostname: 'web-1.example', sshAuthorizedKeys: [sshKey] };
      await lab().apply(machine);
      await meanwhile(lab());
      const web = await lab().untilReady('web-1');
      const reported = await lab().until('machine', 'web-1', (it) => it?.status?.ipAddress !== undefined, {
        limitMs: 300_000,
      });
      const ip = reported.status.ipAddress as string;
      expect(ip).toMatch(/^192\.168\.150\.\d+$/);
      expect(await web.host.virsh('domifaddr', web.domain, '--source', 'lease')).toContain(`${ip}/24`);
      expect((await web.facts()).ip['eth0']).toBe(ip);
    });

    it('gives the guest its hostname and keys by cloud-init, and hears its name and system from the agent', async () => {
      const web = lab().placed('web-1');
      const facts = await web.facts();
      expect(facts).toMatchObject({ hostname: 'web-1.example', keys: 1, boots: 1 });
      const seen = await lab().until('machine', 'web-1', (it) => is(it, 'GuestAgentConnected', 'True'));
      expect(facts.instance).toContain(seen.metadata.uid);
      const told = await lab().until('machine', 'web-1', (it) => it?.status?.guest?.os !== undefined);
      expect(told.status.guest.hostname).toBe(
        (await web.host.virsh('domhostname', web.domain, '--source', 'agent')).trim(),
      );
      expect(told.status.guest.os).toContain('OVCP test guest');
      expect(await web.host.virsh('guestinfo', web.domain, '--os')).toContain('OVCP test guest');
    });

    it('shows power, host, address, Ready and reason in kubectl get ovm', async () => {
      const table = (await lab().kubectl('get', 'ovm', 'web-1'))
        .split('\n')
        .map((line) => line.trim().split(/\s{2,}/));
      const [head = [], row = []] = table;
      const shown = Object.fromEntries(head.map((name, at) => [name, row[at]]));
      const { status } = lab().mirror.get('machine', 'web-1', team) ?? {};
      expect(shown).toMatchObject({
        NAME: 'web-1',
        POWER: 'PoweredOn',
        HOST: status.host,
        IP: status.ipAddress,
        READY: 'True',
        REASON: 'Running',
      });
      expect(shown['AGE']).toMatch(/^\d+[sm]/);
    });

    it('reads like a story in kubectl describe: each transition once', async () => {
      const text = await lab().kubectl('describe', 'ovm', 'web-1');
      const events = text.slice(text.indexOf('\nEvents:'));
      expect(events.match(/\bStarted\b/g)).toHaveLength(1);
      expect(text).toContain('The machine runs on');
    });

    it('defines the machine under our name, UUID and tag', async () => {
      const web = lab().placed('web-1');
      const { uid } = lab().mirror.get('machine', 'web-1', team)?.metadata ?? { uid: '' };
      expect(web.uuid).toBe(vmUuid(clusterId, uid));
      expect(web.domain).toBe(domainName(team, 'web-1', uid));
      expect((await web.host.virsh('domuuid', web.domain)).trim()).toBe(web.uuid);
      const [tag] = (await web.xml()).all('metadata/machine');
      const tagged = ['cluster', 'uid', 'namespace', 'name'].map((name) => tag?.getAttribute(name));
      expect(tagged).toEqual([clusterId, uid, team, 'web-1']);
    });

    it('names the driver of each disk and ends its backing chain', async () => {
      const web = lab().placed('web-1');
      const root = diskNamed(await web.xml(true), 'root');
      expect(child(root, 'driver')?.getAttribute('type')).toBe('qcow2');
      const backing = child(root, 'backingStore');
      expect(child(backing, 'format')?.getAttribute('type')).toBe('qcow2');
      expect(child(backing, 'source')?.getAttribute('file')).toMatch(/ovcp-image-[0-9a-f-]+\.qcow2$/);
      const end = child(backing, 'backingStore');
      expect([end?.hasChildNodes(), end?.attributes.length]).toEqual([false, 0]);
    });

    it('gives it a serial console, VNC on loopback alone, a random number generator and the agent’s channel', async () => {
      const web = lab().placed('web-1');
      const xml = await web.xml();
      expect(xml.attribute('devices/serial', 'type')).toBe('pty');
      expect(xml.attribute('devices/graphics', 'type')).toBe('vnc');
      expect(xml.all('devices/graphics/listen').map((it) => it.getAttribute('address'))).toEqual([
        '127.0.0.1',
      ]);
      expect((await web.host.virsh('vncdisplay', web.domain)).trim()).toMatch(/^127\.0\.0\.1:\d+$/);
      expect(xml.textAt('devices/rng/backend')).toBe('/dev/urandom');
      expect(await web.ask('cat /sys/class/misc/hw_random/rng_available')).toContain('virtio_rng');
      expect(xml.attribute('devices/channel/target', 'name')).toBe('org.qemu.guest_agent.0');
      expect(xml.attribute('clock', 'offset')).toBe('utc');
      expect(xml.textAt('vcpu')).toBe('1');
    });

    it('keeps the guest from spoofing, and derives its MAC', async () => {
      const web = lab().placed('web-1');
      const { uid } = lab().mirror.get('machine', 'web-1', team)?.metadata ?? { uid: '' };
      const nic = nicNamed(await web.xml(), 'eth0');
      expect(child(nic, 'mac')?.getAttribute('address')).toBe(macAddress(uid, 'eth0'));
      expect(child(nic, 'filterref')?.getAttribute('filter')).toBe('clean-traffic');
      const bindings = await web.host.virsh('nwfilter-binding-list');
      expect(bindings).toContain(child(nic, 'target')?.getAttribute('dev'));
    });
  });
};

/** Files of the quickstart that the suite uses; the others name hosts and URLs of the reader's own. */
export const quickstartFiles = (all: readonly string[]): readonly string[] =>
  all.filter((it) => it.endsWith('.yaml'));
