/** Somebody uses virsh: by policy undone, told or left alone. On `bare`, a machine without disks, which starts at once. */
import { describe, expect, it } from 'vitest';
import { domainName } from '../../../src/api/identity.ts';
import { conditionOf, is, type Lab, team } from '../harness/lab.ts';
import { foreignXml, machine } from '../harness/objects.ts';
import { untilStartedAgain } from './power.ts';

const bare = (name: string, spec: object = {}) =>
  machine(name, { disks: [], shutdown: { mode: 'Hard' }, ...spec });

export const drift = (lab: () => Lab): void => {
  describe('drift', () => {
    const destroy = async () => {
      const { host, domain } = lab().placed('bare');
      await host.virsh('destroy', domain);
    };

    it('virsh destroy is undone at once with driftPolicy Enforce', async () => {
      await lab().apply(bare('bare'));
      await lab().untilReady('bare');
      const placed = await untilStartedAgain(lab(), 'bare', destroy);
      expect(placed.lifecycle()).toContain('Stopped Destroyed');
    });

    it('virsh suspend is undone too', async () => {
      const placed = lab().placed('bare');
      const pid = await placed.pid();
      const resumes = (): number => placed.lifecycle().filter((it) => it.startsWith('Resumed')).length;
      const before = resumes();
      await placed.host.virsh('suspend', placed.domain);
      await lab().pulse.until('bare resumed', () => (resumes() > before ? true : undefined), {
        explain: () => placed.lifecycle().join(', '),
      });
      expect(await placed.state()).toMatch(/^running/);
      expect(await placed.pid()).toBe(pid);
      await lab().untilReady('bare');
    });

    it('virsh undefine of a running machine is undone, and the machine goes on', async () => {
      const placed = lab().placed('bare');
      const pid = await placed.pid();
      await placed.host.virsh('undefine', placed.domain);
      await lab().pulse.until('bare defined again', async () =>
        /^Persistent: +yes$/m.test(await placed.host.virsh('dominfo', placed.domain)) ? true : undefined,
      );
      expect(await placed.pid()).toBe(pid);
    });

    it('virsh edit is undone with Enforce', async () => {
      const placed = lab().placed('bare');
      const edited = (await placed.xml(true)).text
        .replace(/<memory unit='KiB'>\d+</, "<memory unit='KiB'>262144<")
        .replace(/<currentMemory unit='KiB'>\d+</, "<currentMemory unit='KiB'>262144<");
      await placed.host.virshFile(edited, 'define');
      await lab().pulse.until('bare as its spec says', async () =>
        (await placed.xml(true)).textAt('memory') === String(192 * 1024) ? true : undefined,
      );
      await lab().untilReady('bare');
    });

    it('virsh undefine of a machine that is off is undone: defined, tagged, and still off', async () => {
      await lab().patch('machine', 'bare', { powerState: 'PoweredOff' });
      const placed = await lab().untilReady('bare', 'PoweredOff');
      await placed.host.virsh('undefine', placed.domain);
      await lab().pulse.until('bare defined again', async () => {
        const xml = await placed.xml(true);
        return xml.all('metadata/machine').length === 1 ? true : undefined;
      });
      await lab().untilReady('bare', 'PoweredOff');
      expect(await placed.state()).toMatch(/^shut off/);
      expect((await placed.host.virsh('domuuid', placed.domain)).trim()).toBe(placed.uuid);
    });

    it('virsh start of a machine that shall be off is undone', async () => {
      const placed = lab().placed('bare');
      const events = placed.lifecycle().length;
      // The operator may be quicker than virsh, which then fails.
      await placed.host.virsh('start', placed.domain).catch(() => undefined);
      await lab().pulse.until('bare off again', async () =>
        placed.lifecycle().length > events && (await placed.state()).startsWith('shut off')
          ? true
          : undefined,
      );
      await lab().untilReady('bare', 'PoweredOff');
      await untilStartedAgain(lab(), 'bare', () =>
        lab().patch('machine', 'bare', { powerState: 'PoweredOn' }),
      );
    });

    it('is only told with Report: destroy and edit stay', async () => {
      const placed = lab().placed('bare');
      await lab().patch('machine', 'bare', { driftPolicy: 'Report' });
      await lab().untilReady('bare');
      await placed.host.virshFile(
        (await placed.xml(true)).text
          .replace(/<vcpu([^>]*)>1</, '<vcpu$1>2<')
          .replace(/cores='1'/, "cores='2'"),
        'define',
      );
      const told = await lab().until('machine', 'bare', (it) => is(it, 'UpToDate', 'False'));
      expect(conditionOf(told, 'UpToDate')?.reason).toBe('DriftDetected');
      expect((await placed.xml(true)).textAt('vcpu')).toBe('2');
      await destroy();
      await lab().until('machine', 'bare', (it) => is(it, 'Ready', 'False', 'DriftDetected'));
      expect(await placed.state()).toBe('shut off (destroyed)');
    });

    it('is left alone and healthy with Ignore', async () => {
      await lab().patch('machine', 'bare', { driftPolicy: 'Ignore' });
      const placed = await lab().untilReady('bare', 'DriftIgnored');
      expect(await placed.state()).toBe('shut off (destroyed)');
    });

    it('ends when the policy is Enforce again', async () => {
      await untilStartedAgain(lab(), 'bare', () =>
        lab().patch('machine', 'bare', { driftPolicy: 'Enforce' }),
      );
      expect((await lab().placed('bare').xml(true)).textAt('vcpu')).toBe('1');
    });

    it('waits while the machine is paused by annotation, and is undone afterwards', async () => {
      await lab().kubectl('annotate', 'ovm', 'bare', 'ovcp.dev/paused=ann: looking into it');
      const paused = await lab().until('machine', 'bare', (it) => is(it, 'Paused', 'True'));
      expect(conditionOf(paused, 'Paused')?.message).toContain('ann: looking into it');
      const placed = lab().placed('bare');
      await destroy();
      await lab().pulse.until('bare off', () =>
        placed.lifecycle().at(-1) === 'Stopped Destroyed' ? true : undefined,
      );
      await lab().until('machine', 'bare', (it) => it?.status?.powerState === 'PoweredOff');
      expect(await placed.state()).toBe('shut off (destroyed)');
      await untilStartedAgain(lab(), 'bare', () =>
        lab().kubectl('annotate', 'ovm', 'bare', 'ovcp.dev/paused-'),
      );
    });

    it('a name that is taken by somebody’s domain is a condition, and the machine comes once it is free', async () => {
      const paused = bare('taken');
      await lab().apply({
        ...paused,
        metadata: { ...paused.metadata, annotations: { 'ovcp.dev/paused': 'until its name is taken' } },
      });
      const made = await lab().until('machine', 'taken', (it) => it !== undefined);
      const name = domainName(team, 'taken', made.metadata.uid);
      const hosts = [lab().node1, lab().node2];
      for (const host of hosts) await host.virshFile(foreignXml(name), 'define');
      await lab().kubectl('annotate', 'ovm', 'taken', 'ovcp.dev/paused-');
      const refused = await lab().until('machine', 'taken', (it) => is(it, 'Ready', 'False', 'NameTaken'));
      expect(conditionOf(refused, 'Ready')?.message).toContain(name);
      for (const host of hosts) {
        expect(await host.virsh('dumpxml', name)).toContain('https://example.org/app');
        await host.virsh('undefine', name);
      }
      const placed = await lab().untilReady('taken');
      expect(await placed.state()).toMatch(/^running/);
      await lab().remove('machine', 'taken');
      await lab().untilGone('machine', 'taken');
    });
  });
};
