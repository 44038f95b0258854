/** Operator, API server, hosts and libvirt fail and come back: nothing is lost, nothing is made twice. */
import { statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { operatorUser } from '../../../hack/lab/operator.ts';
import { conditionOf, is, type Lab, team } from '../harness/lab.ts';
import { type Kind, plurals, type Thing } from '../harness/mirror.ts';
import { image, machine, templated } from '../harness/objects.ts';
import { untilStartedAgain } from './power.ts';

/** Starts at once: one blank disk, nothing to boot. */
export const quick = (name: string, spec: object = {}) =>
  machine(name, { disks: [templated('data', { size: '8Mi' })], shutdown: { mode: 'Hard' }, ...spec });

/** Files on a host that carry this uid. */
export const filesOf = async (lab: Lab, uid: string): Promise<readonly string[]> => {
  const found: string[] = [];
  for (const host of [lab.node1, lab.node2]) {
    const { stdout } = await host.exec(['ls', host.diskDir]);
    found.push(...stdout.split('\n').filter((name) => name.includes(uid)));
  }
  return found;
};

/** Names of the domains on the hosts of the pool that belong to a machine of this name. */
export const domainsOf = async (lab: Lab, name: string): Promise<readonly string[]> => {
  const lists = await Promise.all(
    [lab.node1, lab.node2].map((host) => host.virsh('list', '--all', '--name')),
  );
  return lists.flatMap((text) => text.split('\n')).filter((domain) => domain.startsWith(`${team}.${name}.`));
};

/** A lab's machine may be one whose memory grows and shrinks: what it had is read anew at each connection. */
const measured: ReadonlySet<string> = new Set(['capacity', 'available', 'lastSeenTime']);

/** Status of everything that the operator writes, without what was measured. */
const settledThings = (lab: Lab): readonly (readonly [string, string])[] =>
  (['host', 'pool', 'storage', 'network', 'image', 'disk', 'machine'] as const).flatMap((kind) =>
    lab.mirror.list(kind).map(({ metadata, status }) => {
      const text = JSON.stringify(status, (key, value: unknown) => (measured.has(key) ? undefined : value));
      return [`${kind} ${metadata.name}`, text] as const;
    }),
  );

/** The watches have seen all that was written. */
const untilMirrored = async (lab: Lab): Promise<void> => {
  for (const [kind, plural] of Object.entries(plurals) as [Kind, string][]) {
    const text = await lab.plane.mustKubectl(['get', `${plural}.ovcp.dev`, '-A', '-o', 'json']);
    const written = (JSON.parse(text) as { items: Thing[] }).items;
    const versionOf = ({ metadata }: Thing): string => `${metadata.uid} ${metadata.resourceVersion}`;
    await lab.pulse.until(`the watch of ${plural} is up to date`, () => {
      const seen = new Set(lab.mirror.list(kind).map(versionOf));
      return written.every((thing) => seen.has(versionOf(thing))) ? true : undefined;
    });
  }
};

export const trouble = (lab: () => Lab): void => {
  describe('trouble', () => {
    it('a restart of the operator writes nothing about what is settled', async () => {
      await lab().untilReady('web-1');
      await lab().until('machine', 'web-1', (it) => it?.status?.ipAddress !== undefined);
      const placed = await lab().untilReady('bare');
      const pid = await lab().placed('web-1').pid();
      // Totals of hosts are told at most every half a minute.
      const here = lab()
        .mirror.list('machine')
        .filter(({ status }) => status?.host === 'kvm.node1').length;
      await lab().until('host', 'kvm.node1', (it) => it?.status?.machines === here);
      await lab().stopOperator();
      await untilMirrored(lab());
      const before = (await lab().plane.audit(operatorUser)).length;
      const versions = new Map(settledThings(lab()));
      await lab().startOperator();
      // When it heals this it has looked at its hosts again.
      await untilStartedAgain(lab(), 'bare', () => placed.host.virsh('destroy', placed.domain));
      const writes = (await lab().plane.audit(operatorUser)).slice(before);
      const others = writes.filter(
        ({ resource, name }) => resource.startsWith('virtual') && !name.startsWith('bare'),
      );
      expect(others.map((it) => `${it.verb} ${it.resource} ${it.subresource} ${it.name}`)).toEqual([]);
      await untilMirrored(lab());
      const changed = settledThings(lab()).filter(
        ([key, text]) => key !== 'machine bare' && versions.get(key) !== text,
      );
      expect(changed).toEqual([]);
      expect(await lab().placed('web-1').pid()).toBe(pid);
    });

    it('the operator killed while it makes a machine goes on where it was', async () => {
      await lab().apply(quick('cut-short'));
      await lab().until('machine', 'cut-short', (it) => it?.status?.host !== undefined);
      await lab().killOperator();
      await lab().startOperator();
      await lab().untilReady('cut-short');
      expect(await domainsOf(lab(), 'cut-short')).toHaveLength(1);
      const disk = lab().mirror.get('disk', 'cut-short.data', team);
      expect(await filesOf(lab(), disk?.metadata.uid ?? '-')).toEqual([disk?.status.volume.name]);
    });

    it('the operator killed while it imports an image imports it again, and leaves no half file', async () => {
      const { image: guest, files } = lab();
      const content = { path: guest.qcow2Path };
      const killed = Promise.withResolvers<void>();
      const bytes = Math.floor(statSync(guest.qcow2Path).size / 2);
      files.setRoute('/broken-off.qcow2', { kind: 'held', content, bytes, until: killed.promise });
      await lab().apply(image('broken-off', `${files.url}/broken-off.qcow2`, `sha256:${guest.sha256.qcow2}`));
      await lab().pulse.until('the download', () =>
        files.requests.some(({ path }) => path === '/broken-off.qcow2') ? true : undefined,
      );
      await lab().until('image', 'broken-off', (it) => (it?.status?.copies?.[0]?.percent ?? 0) > 0);
      await lab().killOperator();
      killed.resolve();
      files.setRoute('/broken-off.qcow2', { kind: 'file', content });
      await lab().startOperator();
      const ready = await lab().until('image', 'broken-off', (it) => is(it, 'Ready', 'True'));
      const kept = (await filesOf(lab(), ready.metadata.uid)).filter((name) => name.endsWith('.qcow2'));
      expect(kept).toEqual([`ovcp-image-${ready.metadata.uid}.qcow2`]);
      await lab().remove('image', 'broken-off');
      await lab().untilGone('image', 'broken-off');
      expect(await filesOf(lab(), ready.metadata.uid)).toEqual([]);
    });

    it('the API server goes and comes back, and what was asked meanwhile at the hosts is healed', async () => {
      const placed = lab().placed('bare');
      await lab().plane.killApiServer();
      await placed.host.virsh('destroy', placed.domain);
      await lab().plane.startApiServer();
      await lab().pulse.until('bare runs again', async () =>
        (await placed.state()).startsWith('running') ? true : undefined,
      );
      await lab().untilReady('bare');
      await lab().patch('machine', 'cut-short', { powerState: 'PoweredOff' });
      await lab().untilReady('cut-short', 'PoweredOff');
    });

    it('a host that cannot be reached leaves its machines unknown and running, and they are known again', async () => {
      const placed = lab().placed('bare');
      const pid = await placed.pid();
      await placed.host.cut();
      const unknown = await lab().until(
        'machine',
        'bare',
        (it) => is(it, 'Ready', 'Unknown', 'HostUnreachable'),
        {
          limitMs: 300_000,
        },
      );
      expect(unknown.status).toMatchObject({ powerState: 'Unknown', host: 'kvm.node1' });
      const host = await lab().until('host', 'kvm.node1', (it) =>
        is(it, 'Reachable', 'False', 'HostUnreachable'),
      );
      expect(conditionOf(host, 'Schedulable')?.status).toBe('False');
      expect((await lab().node2.virsh('list', '--all', '--name')).trim()).toBe('');
      await placed.host.heal();
      await lab().untilReady('bare', 'Running', { limitMs: 300_000 });
      expect(await placed.pid()).toBe(pid);
    });

    it('libvirtd is restarted: machines keep running and events are heard again', async () => {
      const placed = lab().placed('bare');
      const pid = await placed.pid();
      await placed.host.restartLibvirtd();
      await lab().until('host', 'kvm.node1', (it) => is(it, 'Reachable', 'True'));
      expect(await placed.pid()).toBe(pid);
      expect(await placed.state()).toMatch(/^running/);
      await lab().untilReady('bare');
      await placed.host.virsh('destroy', placed.domain);
      await lab().pulse.until('bare runs again', async () =>
        (await placed.state()).startsWith('running') ? true : undefined,
      );
      expect(await placed.pid()).not.toBe(pid);
    });

    it('a host loses its power: what was on it runs again when it is back', async () => {
      const { split } = lab();
      await lab().apply(
        machine('powerless', { hostPoolRef: { name: 'split' }, disks: [], shutdown: { mode: 'Hard' } }),
      );
      const placed = await lab().untilReady('powerless');
      await split.powerLoss();
      await lab().until('machine', 'powerless', (it) => is(it, 'Ready', 'Unknown', 'HostUnreachable'));
      await split.powerOn();
      await lab().untilReady('powerless', 'Running', { limitMs: 300_000 });
      expect(await placed.state()).toMatch(/^running/);
      await lab().remove('machine', 'powerless');
      await lab().untilGone('machine', 'powerless');
    });

    it('machines of a host that is closed for new ones go on, and new ones go elsewhere, with their image', async () => {
      await lab().patch('host', 'kvm.node2', { unschedulable: false });
      await lab().patch('host', 'kvm.node1', { unschedulable: true });
      await lab().until('host', 'kvm.node1', (it) => is(it, 'Schedulable', 'False', 'Unschedulable'));
      await lab().apply(quick('elsewhere'));
      const placed = await lab().untilReady('elsewhere');
      expect(placed.host.name).toBe('node2');
      expect(await placed.state()).toMatch(/^running/);
      expect(await lab().placed('bare').state()).toMatch(/^running/);
      await untilStartedAgain(lab(), 'elsewhere', () => placed.host.virsh('destroy', placed.domain));
      await lab().patch('host', 'kvm.node1', { unschedulable: false });
    });
  });
};
