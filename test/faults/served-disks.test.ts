/** Disks of a storage server under machines: who is let in when, and what troubles of the server do to them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diskTargetIqn } from '../../src/api/identity.ts';
import { conditionOf, has, type Thing } from './api.ts';
import { type Lab, startLab } from './lab.ts';
import { blank, disk, machine, storagePool } from './objects.ts';
import type { OperatorProcess } from './operator-process.ts';
import { type San, setSan } from './san.ts';
import { type Scene, setScene } from './scene.ts';

const SAN = 'san';
const hard = { shutdown: { mode: 'Hard', timeoutSeconds: 1 } };

describe('disks of a storage server', () => {
  let lab: Lab;
  let scene: Scene;
  let operator: OperatorProcess;
  let san: San;

  beforeAll(async () => {
    lab = await startLab();
    lab.world.guests.setDefault({ shutdownMs: 10 });
    operator = await lab.start();
    scene = await setScene(lab, 'served');
    san = await setSan(lab, scene, SAN, { serves: 'Disks' });
  });
  afterAll(() => lab.close());

  it('lets in the host of the machine and nobody else, from an image of another pool', async () => {
    const root = {
      name: 'root',
      template: { size: '1Gi', storagePoolRef: { name: SAN }, imageRef: { name: 'tiny' } },
    };
    await scene.make('boots', { disks: [root], cloudInit: { hostname: 'first' }, ...hard });
    await scene.running('boots');
    expect(san.admitted('boots.root')).toEqual([san.iqnOf(san.homeOf('boots'))]);
    const { attachment } = scene.domain('boots')?.machine.running?.disks[0] ?? {};
    expect(attachment).toMatchObject({
      kind: 'network',
      targetIqn: diskTargetIqn(san.disk('boots.root').metadata.uid),
      initiator: san.iqnOf(san.homeOf('boots')),
      format: 'raw',
    });
    expect(san.disk('boots.root').status).toMatchObject({
      size: '1Gi',
      volume: { format: 'raw' },
      claim: { vmName: 'boots', published: true },
    });
    await san.drop('boots');
    await scene.gone('VirtualDisk', 'boots.root');
    expect([...lab.storage.disks.keys()]).toEqual([]);
    expect([...lab.storage.fabric.targets.keys()]).toEqual([]);
  });

  it('lets the last host out before the next one in', async () => {
    await lab.api.apply(disk('moves', 'served', SAN));
    const named = { disks: [{ name: 'data', diskRef: { name: 'moves' } }], ...hard };
    const seen: string[] = [];
    await scene.make('first', named);
    await scene.running('first');
    const watch = lab.api.stores.VirtualDisk.subscribe(({ new: now }) => {
      if (now?.metadata.name === 'moves') seen.push(san.admitted('moves').join(' '));
    });
    await scene.make('second', named);
    await scene.told('VirtualMachine', 'second', 'Ready', 'False', 'DiskInUse');
    await scene.patch('first', { powerState: 'PoweredOff' });
    await scene.running('second');
    watch();
    expect(san.admitted('moves')).toEqual([san.iqnOf(san.homeOf('second'))]);
    // Never two at a time, whenever anybody looked.
    expect(seen.filter((iqns) => iqns.includes(' '))).toEqual([]);
    await san.drop('first', 'second');
    await lab.api.until('nobody is let in', () => san.admitted('moves').length === 0);
    await lab.api.remove('VirtualDisk', 'moves', 'served');
    await scene.gone('VirtualDisk', 'moves');
  });

  it('plugs a disk into a running machine and takes it out again', async () => {
    await scene.make('plugs', { disks: [blank('root', 'served')], ...hard });
    await scene.running('plugs');
    await lab.api.apply(disk('extra', 'served', SAN));
    const extra = { name: 'extra', diskRef: { name: 'extra' } };
    await scene.patch('plugs', { disks: [blank('root', 'served'), extra] });
    const disksOf = (): readonly string[] =>
      (scene.domain('plugs')?.machine.running?.disks ?? []).map(({ name }) => name);
    await lab.api.until('the disk is plugged in', () => disksOf().includes('extra'));
    await scene.patch('plugs', { disks: [blank('root', 'served')] });
    await lab.api.until('the disk is out', () => !disksOf().includes('extra'));
    await lab.api.until('nobody is let in', () => san.admitted('extra').length === 0);
    expect(scene.domain('plugs')?.machine.power).toEqual({ kind: 'running' });
    await san.drop('plugs');
    await lab.api.remove('VirtualDisk', 'extra', 'served');
    await scene.gone('VirtualDisk', 'extra');
  });

  it('takes nothing from a machine while the server is silent', async () => {
    await scene.make('stays', { disks: [blank('root', SAN)], ...hard });
    await scene.running('stays');
    for (const brick of ['a1', 'a2']) lab.storage.setBrick(SAN, brick, false);
    await lab.api.patch('VirtualDisk', 'stays.root', 'served', {
      metadata: { annotations: { look: 'now' } },
    });
    await scene.told('VirtualDisk', 'stays.root', 'Ready', 'Unknown');
    expect(san.admitted('stays.root')).toEqual([san.iqnOf(san.homeOf('stays'))]);
    expect(scene.domain('stays')?.machine.power).toEqual({ kind: 'running' });
    expect(san.disk('stays.root').status).toMatchObject({ claim: { vmName: 'stays', published: true } });
    // It can be stopped and started all the same: the host of the claim is let in.
    await scene.patch('stays', { powerState: 'PoweredOff' });
    await scene.told('VirtualMachine', 'stays', 'Ready', 'True', 'PoweredOff');
    await scene.patch('stays', { powerState: 'PoweredOn' });
    await scene.running('stays');
    for (const brick of ['a1', 'a2']) lab.storage.setBrick(SAN, brick, true);
    await scene.told('VirtualDisk', 'stays.root', 'Ready', 'True', 'Attached', 90_000);
    await san.drop('stays');
    await scene.gone('VirtualDisk', 'stays.root');
  });

  it('takes nothing from a machine whose disk lost its status', async () => {
    await scene.make('lost', { disks: [blank('root', SAN)], ...hard });
    await scene.running('lost');
    operator.kill();
    await operator.ended;
    await lab.api.patch('VirtualDisk', 'lost.root', 'served', { status: null }, 'status');
    operator = await lab.start();
    await lab.api.until('the claim is found again', () => {
      const claim = (
        san.disk('lost.root').status as { claim?: { vmName?: string; published?: boolean } } | undefined
      )?.claim;
      return claim?.vmName === 'lost' && claim.published === true;
    });
    expect(scene.domain('lost')?.machine.power).toEqual({ kind: 'running' });
    await san.drop('lost');
    await scene.gone('VirtualDisk', 'lost.root');
  });

  it('does not start a machine that is not let in, whatever a status says', async () => {
    await scene.make('forged', { powerState: 'PoweredOff', disks: [blank('root', SAN)], ...hard });
    await scene.told('VirtualMachine', 'forged', 'Ready', 'True', 'PoweredOff');
    lab.storage.fabric.targets.get(diskTargetIqn(san.disk('forged.root').metadata.uid))?.admitted.clear();
    const uuid = scene.uuid('forged');
    expect(() => lab.world.hand.start(uuid)).toThrow(/refuses/);
    await san.drop('forged');
    await scene.gone('VirtualDisk', 'forged.root');
  });

  it('grows under a running machine where the server can', async () => {
    await scene.make('live', { disks: [blank('root', SAN)], ...hard });
    await scene.running('live');
    await lab.api.patch('VirtualDisk', 'live.root', 'served', { spec: { size: '2Gi' } });
    const size = (): number | undefined => scene.domain('live')?.machine.running?.disks[0]?.sizeBytes;
    await lab.api.until('the machine has two GiB', () => size() === 2 * 1024 ** 3);
    expect(scene.domain('live')?.machine.power).toEqual({ kind: 'running' });
    await san.drop('live');
    await scene.gone('VirtualDisk', 'live.root');
  });

  it('grows at the next power cycle where the server cannot, and says so', async () => {
    lab.storage.growsOnline = false;
    try {
      await scene.make('later', { disks: [blank('root', SAN)], ...hard });
      await scene.running('later');
      await lab.api.patch('VirtualDisk', 'later.root', 'served', { spec: { size: '2Gi' } });
      await scene.told('VirtualDisk', 'later.root', 'Ready', 'True', 'GrowsAtPowerCycle');
      const pending = () => scene.vm('later')?.status?.['pendingChanges'];
      await lab.api.until('the change is pending', () =>
        JSON.stringify(pending() ?? null).includes('"impact":"PowerCycle"'),
      );
      const size = (): number | undefined => scene.domain('later')?.machine.running?.disks[0]?.sizeBytes;
      expect(size()).toBe(1024 ** 3);
      await scene.patch('later', { restartRequestedAt: '2100-01-01T00:00:00Z' });
      await lab.api.until('the machine has two GiB', () => size() === 2 * 1024 ** 3);
      await scene.running('later');
      await lab.api.until('nothing is pending', () => JSON.stringify(pending() ?? []) === '[]');
      await scene.told('VirtualDisk', 'later.root', 'Ready', 'True', 'Attached');
      await san.drop('later');
      await scene.gone('VirtualDisk', 'later.root');
    } finally {
      lab.storage.growsOnline = true;
    }
  });

  it('copies a disk that nobody uses', async () => {
    await lab.api.apply(disk('source', 'served', SAN));
    await scene.told('VirtualDisk', 'source', 'Ready', 'True');
    await lab.api.apply(
      disk('copy', 'served', SAN, { size: '2Gi', source: { type: 'Disk', diskRef: { name: 'source' } } }),
    );
    await scene.told('VirtualDisk', 'copy', 'Ready', 'True', 'Available');
    expect(san.targetOf('copy')?.sizeBytes).toBe(2 * 1024 ** 3);
    for (const name of ['copy', 'source']) {
      await lab.api.remove('VirtualDisk', name, 'served');
      await scene.gone('VirtualDisk', name);
    }
  });

  it('promises no more than it may, however many ask at once', async () => {
    // 1 % of a TiB: ten disks of a GiB.
    await lab.api.apply(
      storagePool('scarce', ['served'], {
        topology: 'Shared',
        roles: ['Disks'],
        overProvisionPercent: 1,
        simulated: { server: { serves: 'Disks' } },
      }),
    );
    await scene.told('StoragePool', 'scarce', 'Ready', 'True');
    const names = Array.from({ length: 24 }, (_, at) => `scarce-${at}`);
    await lab.api.apply(...names.map((name) => disk(name, 'served', 'scarce')));
    const saying = (reason: string): readonly string[] =>
      names.filter((name) => {
        const found = lab.api.get('VirtualDisk', name, 'served');
        return found !== undefined && conditionOf(found, 'Ready')?.reason === reason;
      });
    await lab.api.until('all were answered', () => {
      const most = saying('Available').length;
      return most === 10 && saying('OverProvisioned').length === 14;
    });
    const poolUid = lab.api.get('StoragePool', 'scarce')?.metadata.uid;
    const made = (): number => [...lab.storage.disks.values()].filter((it) => it.poolUid === poolUid).length;
    expect(made()).toBe(10);
    const [first = '', ...others] = saying('Available');
    const refused = conditionOf(san.disk(saying('OverProvisioned')[0] ?? ''), 'Ready')?.message;
    expect(refused).toMatch(/has promised 10Gi to disks and may promise 10.2Gi/);
    // One that is there cannot grow beyond it either, and is as usable as before.
    await lab.api.patch('VirtualDisk', first, 'served', { spec: { size: '2Gi' } });
    await scene.told('VirtualDisk', first, 'Ready', 'False', 'OverProvisioned');
    expect(san.targetOf(first)?.sizeBytes).toBe(1024 ** 3);
    for (const name of others.slice(0, 3)) {
      await lab.api.remove('VirtualDisk', name, 'served');
      await scene.gone('VirtualDisk', name);
    }
    await lab.api.until('others are made, or it has grown', () => {
      const grown = (san.targetOf(first)?.sizeBytes ?? 0) / 1024 ** 3;
      return made() + grown === 11 && made() <= 10;
    });
    await lab.api.until(
      'the pool says so',
      () => {
        const pool = lab.api.get('StoragePool', 'scarce');
        return (
          pool?.status?.['allocated'] === '10Gi' &&
          conditionOf(pool, 'Ready')?.reason === 'StoragePoolNearlyFull'
        );
      },
      60_000,
    );
    for (const name of names.filter((it) => lab.api.get('VirtualDisk', it, 'served') !== undefined)) {
      await lab.api.remove('VirtualDisk', name, 'served');
      await scene.gone('VirtualDisk', name);
    }
    await lab.api.remove('StoragePool', 'scarce');
    await scene.gone('StoragePool', 'scarce');
  });

  it('leaves the data of a disk that is to be retained', async () => {
    await lab.api.apply(disk('keeps', 'served', SAN, { reclaimPolicy: 'Retain' }));
    await scene.told('VirtualDisk', 'keeps', 'Ready', 'True');
    const { uid } = san.disk('keeps').metadata;
    await lab.api.remove('VirtualDisk', 'keeps', 'served');
    await scene.gone('VirtualDisk', 'keeps');
    expect(lab.storage.disks.has(uid)).toBe(true);
    lab.storage.disks.delete(uid);
    lab.storage.fabric.targets.delete(diskTargetIqn(uid));
  });

  it('puts no machine on a host whose emulator cannot open such disks', async () => {
    const host = lab.world.get('served-1');
    const both = host.settings;
    for (const name of ['served-1', 'served-2'])
      lab.world.ensureHost({ ...lab.world.get(name).settings, attachmentKinds: ['file'] });
    lab.world.host.restartDaemon('served-1');
    lab.world.host.restartDaemon('served-2');
    try {
      await scene.told('StoragePool', SAN, 'Ready', 'False', 'UnsupportedByHost');
      await lab.api.apply(machine('nowhere', 'served', 'served', { disks: [blank('root', SAN)] }));
      const refused = await scene.told('VirtualMachine', 'nowhere', 'Ready', 'False', 'NoHostFits');
      expect(refused.message).toContain('iSCSI');
    } finally {
      for (const name of ['served-1', 'served-2'])
        lab.world.ensureHost({ ...both, name, attachmentKinds: ['file', 'network'] });
      lab.world.host.restartDaemon('served-1');
      lab.world.host.restartDaemon('served-2');
    }
    await scene.running('nowhere');
    await san.drop('nowhere');
    await scene.gone('VirtualDisk', 'nowhere.root');
  });

  it('breaks no invariant on the way', async () => {
    await operator.quiet();
    expect(lab.checker.atRest()).toEqual([]);
    expect(
      has(lab.api.get('StoragePool', SAN) ?? ({ metadata: { name: SAN } } as Thing), 'Ready', 'True'),
    ).toBe(true);
    expect(lab.storage.fabric.targets.size).toBe(0);
  });
});
