/**
 * A tenant against what storage servers hold for others (reliability.md C4). Each test names the attack. What real
 * servers do against it is in test/integration/iscsi, test/integration/gluster and the laws of test/contract.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diskTargetIqn, hostInitiatorIqn, servedVolumeName } from '../../src/api/identity.ts';
import { type Lab, startLab } from './lab.ts';
import { blank, disk, hostPool, machine, marked, namespace, storagePool } from './objects.ts';
import type { OperatorProcess } from './operator-process.ts';
import type { Scene } from './scene.ts';
import { hard, setTenants, type Tenants, tenant, victim } from './tenants.ts';

const SAN = 'san';
const foreign = 'iqn.2001-04.com.example:archive';

let lab: Lab;
let operator: OperatorProcess;
let tenants: Tenants;
let scene: Scene;

beforeAll(async () => {
  lab = await startLab();
  lab.storage.fabric.targets.set(foreign, { lun: 0, sizeBytes: 1, admitted: new Set(['somebody']) });
  operator = await lab.start();
  tenants = await setTenants(lab);
  scene = tenants.scene;
  const server = { topology: 'Shared', roles: ['Disks'], simulated: { server: { serves: 'Disks' } } };
  const nobody = { from: 'Selector', selector: { matchLabels: { team: 'nobody' } } };
  await lab.api.apply(
    hostPool('other', [{ name: 'second' }]),
    storagePool(SAN, [tenant, 'other'], server),
    storagePool('vault', [tenant], { ...server, allowedNamespaces: nobody }),
  );
  for (const pool of [SAN, 'vault']) await scene.told('StoragePool', pool, 'Ready', 'True');
  await lab.api.apply(machine('safe', victim, tenant, { disks: [blank('root', SAN)], ...hard }));
  await tenants.ready('VirtualMachine', 'safe', victim);
});
afterAll(async () => {
  await operator.quiet();
  const found = lab.checker.violations();
  const archive = lab.storage.fabric.targets.get(foreign);
  await lab.close();
  expect(found).toEqual([]);
  expect([...(archive?.admitted ?? [])]).toEqual(['somebody']);
});

const admitted = (uid: string): readonly string[] => [
  ...(lab.storage.fabric.targets.get(diskTargetIqn(uid))?.admitted ?? []),
];
const uidOf = (name: string, at = tenant): string => tenants.uidOf('VirtualDisk', name, at);
const only = (): string => {
  const uid = lab.api.get('Host', `${tenant}.only`)?.metadata.uid;
  if (uid === undefined) throw new Error('no host');
  return hostInitiatorIqn(uid);
};
const dropDisk = async (name: string): Promise<void> => {
  await lab.api.remove('VirtualDisk', name, tenant);
  await scene.gone('VirtualDisk', name);
};

describe('S10: a StoragePool that the namespace may not use', () => {
  it('is told of as one that does not exist, and nothing is made there', async () => {
    await lab.api.apply(disk('reaches', tenant, 'vault'), disk('guesses', tenant, 'no-such'));
    const told = async (name: string): Promise<string> =>
      (await scene.told('VirtualDisk', name, 'Ready', 'False', 'StoragePoolNotFound')).message;
    expect(await told('reaches')).toBe((await told('guesses')).replace('no-such', 'vault'));
    await operator.quiet();
    expect(lab.storage.disks.has(uidOf('reaches'))).toBe(false);
    for (const name of ['reaches', 'guesses']) await dropDisk(name);
  });
});

describe('S12: a forged status of a disk on a server', () => {
  it('opens no target of others, lets nobody in and deletes nothing but its own', async () => {
    const prey = uidOf('safe.root', victim);
    await lab.api.apply(disk('own', tenant, SAN));
    await tenants.ready('VirtualDisk', 'own');
    const forged = {
      volume: { pool: 'x', name: servedVolumeName(prey), format: 'raw' },
      claim: { purpose: 'run', vmUid: prey, vmName: 'ghost', host: `${tenant}.only`, published: true },
    };
    await tenants.forge('VirtualDisk', 'own', forged);
    await scene.make('forger', { disks: [{ name: 'data', diskRef: { name: 'own' } }], ...hard });
    await scene.running('forger');
    const [plugged] = tenants.runningDisks('forger');
    expect(plugged?.attachment).toMatchObject({ targetIqn: diskTargetIqn(uidOf('own')) });
    await tenants.drop('forger');
    await lab.api.until('nobody is let in', () => admitted(uidOf('own')).length === 0);
    await tenants.forge('VirtualDisk', 'own', { volume: forged.volume });
    await dropDisk('own');
    expect(lab.storage.disks.has(prey), 'the data of the other tenant').toBe(true);
    expect(admitted(prey)).toEqual([only()]);
  });
});

describe('S11: a target that is there already', () => {
  it('is not taken over by an annotation, a label or a name', async () => {
    const annotations = { 'ovcp.dev/adopt': foreign, 'ovcp.dev/uuid': uidOf('safe.root', victim) };
    await lab.api.create(
      marked(disk('archive', tenant, SAN), { annotations, labels: { target: 'archive' } }),
    );
    await tenants.ready('VirtualDisk', 'archive');
    await scene.make('taker', { disks: [{ name: 'data', diskRef: { name: 'archive' } }], ...hard });
    await scene.running('taker');
    expect(tenants.runningDisks('taker')[0]?.attachment).toMatchObject({
      targetIqn: diskTargetIqn(uidOf('archive')),
    });
    expect([...(lab.storage.fabric.targets.get(foreign)?.admitted ?? [])]).toEqual(['somebody']);
    await tenants.drop('taker');
    await dropDisk('archive');
  });
});

describe('S13: disks of one name', () => {
  it('are different disks on the server, in other namespaces and when made again', async () => {
    await lab.api.apply(namespace('san-x'), namespace('san'));
    await lab.api.apply(disk('y', 'san-x', SAN), disk('x-y', 'san', SAN));
    await tenants.ready('VirtualDisk', 'y', 'san-x');
    await tenants.ready('VirtualDisk', 'x-y', 'san');
    const first = uidOf('y', 'san-x');
    expect(diskTargetIqn(first)).not.toBe(diskTargetIqn(uidOf('x-y', 'san')));
    await lab.api.remove('VirtualDisk', 'y', 'san-x');
    await lab.api.until('it is gone', () => lab.api.get('VirtualDisk', 'y', 'san-x') === undefined);
    await lab.api.apply(disk('y', 'san-x', SAN));
    await tenants.ready('VirtualDisk', 'y', 'san-x');
    expect(uidOf('y', 'san-x')).not.toBe(first);
    expect(lab.storage.fabric.targets.has(diskTargetIqn(first))).toBe(false);
    await lab.api.remove('VirtualDisk', 'y', 'san-x');
    await lab.api.remove('VirtualDisk', 'x-y', 'san');
    await lab.api.until('both are gone', () => lab.storage.fabric.targets.size === 2);
  });
});

describe('S14: a disk on a server that must stay', () => {
  it('stays: used by a machine, or retained', async () => {
    await lab.api.apply(disk('used', tenant, SAN), disk('kept', tenant, SAN, { reclaimPolicy: 'Retain' }));
    const both = ['used', 'kept'].map((name) => ({ name, diskRef: { name } }));
    await scene.make('user', { disks: both, ...hard });
    await scene.running('user');
    const [used, kept] = [uidOf('used'), uidOf('kept')];
    await lab.api.remove('VirtualDisk', 'used', tenant);
    await scene.told('VirtualDisk', 'used', 'Deleting', 'True', 'WaitingForDetach');
    expect([lab.storage.disks.has(used), admitted(used)]).toEqual([true, [only()]]);
    await tenants.drop('user');
    await scene.gone('VirtualDisk', 'used');
    expect(lab.storage.disks.has(used)).toBe(false);
    await dropDisk('kept');
    expect([lab.storage.disks.has(kept), admitted(kept)]).toEqual([true, []]);
    lab.storage.disks.delete(kept);
    lab.storage.fabric.targets.delete(diskTargetIqn(kept));
  });
});

describe('S15: what another disk held', () => {
  it('is in no later disk, and the way to it leads nowhere', async () => {
    await lab.api.apply(disk('earlier', tenant, SAN));
    await tenants.ready('VirtualDisk', 'earlier');
    const earlier = uidOf('earlier');
    const held = lab.storage.disks.get(earlier);
    if (held === undefined) throw new Error('no disk');
    lab.storage.disks.set(earlier, {
      ...held,
      pieces: [{ at: 0, bytes: Buffer.from('somebody’s letters') }],
    });
    await dropDisk('earlier');
    await lab.api.apply(disk('later', tenant, SAN));
    await tenants.ready('VirtualDisk', 'later');
    expect(lab.storage.disks.get(uidOf('later'))?.pieces).toEqual([]);
    expect(lab.storage.fabric.targets.has(diskTargetIqn(earlier))).toBe(false);
    await dropDisk('later');
  });

  it('is given to nobody else while the server cannot take it from the last one', async () => {
    await lab.api.apply(disk('dirty', tenant, SAN));
    const named = { disks: [{ name: 'data', diskRef: { name: 'dirty' } }], ...hard };
    await scene.make('last', named);
    await scene.running('last');
    const again = lab.storage.fail({ method: 'disk.revoke', times: 1_000 });
    try {
      await lab.api.apply(machine('next', tenant, 'other', named));
      await scene.told('VirtualMachine', 'next', 'Ready', 'False', 'DiskInUse');
      const asked = lab.storage.counts().get('disk.revoke') ?? 0;
      await tenants.drop('last');
      await lab.api.until(
        'the server fails',
        () => (lab.storage.counts().get('disk.revoke') ?? 0) > asked + 1,
      );
      expect(admitted(uidOf('dirty'))).toEqual([only()]);
      expect(scene.domain('next')?.machine.power.kind).not.toBe('running');
    } finally {
      again();
    }
    await scene.running('next');
    await tenants.drop('next');
    await dropDisk('dirty');
  });
});
