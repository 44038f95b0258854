/**
 * A tenant with edit rights in one namespace, who may even write the status of its own objects, against the operator
 * (reliability.md C4). Each test names the attack.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diskVolumeName, domainName, vmUuid } from '../../src/api/identity.ts';
import { CLUSTER, type Lab, startLab } from './lab.ts';
import {
  blank,
  card,
  disk,
  hostPool,
  image,
  machine,
  marked,
  namespace,
  network,
  secret,
} from './objects.ts';
import type { OperatorProcess } from './operator-process.ts';
import type { Scene } from './scene.ts';
import { hard, setTenants, type Tenants, tenant, victim } from './tenants.ts';

let lab: Lab;
let operator: OperatorProcess;
let tenants: Tenants;
let scene: Scene;
const nobody = { allowedNamespaces: { from: 'Selector', selector: { matchLabels: { team: 'nobody' } } } };

beforeAll(async () => {
  lab = await startLab();
  operator = await lab.start();
  tenants = await setTenants(lab);
  scene = tenants.scene;
});
afterAll(async () => {
  const found = lab.checker.violations();
  await lab.close();
  expect(found).toEqual([]);
});

describe('S12: a forged status', () => {
  it('of a disk plugs in no volume of others, and no file of the host', async () => {
    await scene.make('forger', { disks: [blank('root', tenant)], ...hard });
    await scene.running('forger');
    const own = diskVolumeName(tenants.uidOf('VirtualDisk', 'forger.root'), 'qcow2');
    for (const name of [tenants.preysVolume(), '../../../etc/shadow']) {
      await tenants.forge('VirtualDisk', 'forger.root', {
        volume: { pool: 'x', name, format: 'raw' },
        image: { uid: '../../../etc', name: 'x' },
      });
      await tenants.restart('forger');
      const [plugged] = tenants.runningDisks('forger');
      const path = tenants.filesOf('forger')[0];
      expect(path?.endsWith(`/${own}`), path).toBe(true);
      expect(plugged?.attachment).toMatchObject({ format: 'qcow2', backing: [] });
    }
    await tenants.drop('forger');
    await scene.gone('VirtualDisk', 'forger.root');
    expect(tenants.volumes().has(own)).toBe(false);
    expect(tenants.volumes().has(tenants.preysVolume()), 'the volume of the other tenant').toBe(true);
  });

  it('of a source gives a copy of the source, not of the volume that it names', async () => {
    await scene.make('maker', { disks: [{ name: 'data', diskRef: { name: 'mine' } }], ...hard });
    await lab.api.apply(disk('mine', tenant, tenant));
    await scene.running('maker');
    await scene.patch('maker', { powerState: 'PoweredOff' });
    await scene.told('VirtualDisk', 'mine', 'Ready', 'True', 'Available');
    await tenants.forge('VirtualDisk', 'mine', {
      volume: { pool: 'x', name: tenants.preysVolume(), format: 'qcow2' },
    });
    const source = { type: 'Disk', diskRef: { name: 'mine' } };
    const paused = { annotations: { 'ovcp.dev/paused': 'until it has a machine' } };
    await lab.api.create(marked(disk('loot', tenant, tenant, { source }), paused));
    await scene.make('taker', { disks: [{ name: 'loot', diskRef: { name: 'loot' } }], ...hard });
    await scene.told('VirtualMachine', 'taker', 'Placed', 'True');
    await lab.api.patch('VirtualDisk', 'loot', tenant, {
      metadata: { annotations: { 'ovcp.dev/paused': null } },
    });
    await tenants.ready('VirtualDisk', 'loot');
    const loot = tenants.volumes().get(diskVolumeName(tenants.uidOf('VirtualDisk', 'loot'), 'qcow2'));
    expect(loot?.sizeBytes).toBe(1024 ** 3);
    await Promise.all([tenants.drop('maker'), tenants.drop('taker')]);
  });

  it('that names an image of another namespace is no way to its content', async () => {
    const { url, checksum } = lab.image;
    await lab.api.apply(
      image('private', victim, tenant, url, checksum),
      image('public', tenant, tenant, url, checksum),
    );
    await scene.make('linked', {
      disks: [blank('root', tenant, { imageRef: { name: 'public' } })],
      ...hard,
    });
    await scene.running('linked');
    const own = tenants.uidOf('VirtualMachineImage', 'public');
    const foreign = tenants.uidOf('VirtualMachineImage', 'private', victim);
    expect(tenants.filesOf('linked')[1]).toContain(own);
    await scene.patch('linked', { powerState: 'PoweredOff' });
    await scene.told('VirtualMachine', 'linked', 'Ready', 'True', 'PoweredOff');
    await tenants.forge('VirtualDisk', 'linked.root', { image: { uid: foreign, name: 'private' } });
    await scene.patch('linked', { powerState: 'PoweredOn' });
    await scene.told('VirtualMachine', 'linked', 'Running', 'True');
    expect(JSON.stringify(tenants.runningDisks('linked'))).not.toContain(foreign);
    expect(tenants.filesOf('linked')[1]).toContain(own);
    await tenants.drop('linked');
  });

  it('of a machine opens no pool, and shows nothing of its hosts', async () => {
    await lab.api.apply(hostPool('secret-pool', [{ name: 'secret-host' }], nobody));
    await lab.api.until('the host', () => lab.api.get('Host', 'secret-pool.secret-host'));
    await lab.api.create(
      marked(machine('intruder', tenant, 'secret-pool', { memory: '64Ti' }), {
        annotations: { 'ovcp.dev/machine-uid': tenants.uidOf('VirtualMachine', 'prey', victim) },
      }),
    );
    await scene.told('VirtualMachine', 'intruder', 'Ready', 'False', 'HostPoolNotFound');
    await tenants.forge('VirtualMachine', 'intruder', {
      host: 'secret-pool.secret-host',
      uuid: vmUuid(CLUSTER, tenants.uidOf('VirtualMachine', 'prey', victim)),
      powerState: 'PoweredOn',
    });
    await lab.api.patch('VirtualMachine', 'intruder', tenant, { spec: { memory: '256Mi' } });
    await lab.api.until('it is looked at again', () => {
      const it = lab.api.get('VirtualMachine', 'intruder', tenant);
      return it?.status?.observedGeneration === it?.metadata.generation;
    });
    await operator.quiet();
    expect(lab.world.get('secret-host').machines.size).toBe(0);
    const shown = lab.api.get('VirtualMachine', 'intruder', tenant);
    expect(shown?.status).not.toHaveProperty('unplaced');
    expect(JSON.stringify(shown?.status?.conditions)).toContain('does not exist, or this namespace may not');
    await tenants.drop('intruder');
    expect(tenants.runningDisks('prey', victim)).toHaveLength(1);
  });
});

describe('S10: a network that the namespace may not use', () => {
  it('is not reached by plugging over a card, nor by a status that says it is plugged in', async () => {
    await lab.api.apply(network('dmz', tenant, nobody));
    await scene.make('mover', { networks: [card('eth0', tenant)], ...hard });
    await scene.running('mover');
    const before = scene.domain('mover')?.machine.running?.nics;
    const [nic] = (scene.vm('mover')?.status?.['networks'] ?? []) as { mac: string }[];
    await tenants.forge('VirtualMachine', 'mover', {
      networks: [
        { name: 'eth0', mac: nic?.mac },
        { name: 'dmz', mac: nic?.mac },
      ],
    });
    await scene.patch('mover', { networks: [card('eth0', 'dmz')] });
    await scene.told('VirtualMachine', 'mover', 'NetworkReady', 'False', 'NetworkNotFound');
    await operator.quiet();
    expect(scene.domain('mover')?.machine.running?.nics.map(({ backend }) => backend)).toEqual(
      before?.map(({ backend }) => backend),
    );
    await tenants.drop('mover');
  });
});

describe('S21: the MAC address of another machine', () => {
  it('is not given to a second card of the network', async () => {
    await lab.api.apply(machine('owner', victim, tenant, { networks: [card('eth0', tenant)], ...hard }));
    const owner = await tenants.ready('VirtualMachine', 'owner', victim);
    const [nic] = (owner?.status?.['networks'] ?? []) as { mac: string }[];
    await scene.make('thief', { networks: [{ ...card('eth0', tenant), macAddress: nic?.mac }], ...hard });
    const { message } = await scene.told('VirtualMachine', 'thief', 'Ready', 'False', 'MacAddressTaken');
    expect(message).toBe(`The MAC address ${nic?.mac} of card eth0 is in use on VirtualNetwork ${tenant}.`);
    expect(scene.domain('thief')).toBeUndefined();
    await tenants.drop('thief');
  });
});

describe('S9: a Secret of another namespace', () => {
  it('is not read: names have no namespace, and the machine’s own is the only one that is looked in', async () => {
    await lab.api.apply(secret('crown-jewels', 'ovcp-system', { userData: 'canary' }));
    await scene.make('reader', {
      disks: [blank('root', tenant)],
      cloudInit: { userDataSecretRef: { name: 'crown-jewels' } },
      ...hard,
    });
    const { message } = await scene.told('VirtualMachine', 'reader', 'Ready', 'False', 'SecretNotFound');
    expect(message).toBe('Secret crown-jewels does not exist in this namespace.');
    await tenants.drop('reader');
    for (const name of ['ovcp-system/crown-jewels', '../ovcp-system/secrets/crown-jewels']) {
      const bad = machine('reader', tenant, tenant, { cloudInit: { userDataSecretRef: { name } } });
      await expect(lab.api.create(bad)).rejects.toThrow(/DNS name/);
    }
  });
});

describe('S13: names that look alike', () => {
  it('are different machines and disks on the host', async () => {
    const spec = { disks: [blank('root', tenant)], ...hard };
    await lab.api.apply(
      namespace('x-y'),
      namespace('x'),
      machine('z', 'x-y', tenant, spec),
      machine('y-z', 'x', tenant, spec),
    );
    const [one, two] = await Promise.all([
      tenants.ready('VirtualMachine', 'z', 'x-y'),
      tenants.ready('VirtualMachine', 'y-z', 'x'),
    ]);
    expect(one.status?.['uuid']).not.toBe(two.status?.['uuid']);
    expect(one.status?.['domainName']).not.toBe(two.status?.['domainName']);
    expect(
      new Set(
        [...tenants.runningDisks('z', 'x-y'), ...tenants.runningDisks('y-z', 'x')].map((it) => it.serial),
      ).size,
    ).toBe(2);
    await Promise.all([
      lab.api.remove('VirtualMachine', 'z', 'x-y'),
      lab.api.remove('VirtualMachine', 'y-z', 'x'),
    ]);
    await lab.api.until(
      'both are gone',
      () =>
        lab.api.get('VirtualMachine', 'z', 'x-y') === undefined &&
        lab.api.get('VirtualMachine', 'y-z', 'x') === undefined,
    );
  });

  it('of an earlier machine give nothing of it to the next', async () => {
    await scene.make('again', { disks: [blank('root', tenant)], ...hard });
    await scene.running('again');
    const [first, firstDisk] = [
      tenants.uidOf('VirtualMachine', 'again'),
      tenants.uidOf('VirtualDisk', 'again.root'),
    ];
    await tenants.drop('again');
    await scene.gone('VirtualDisk', 'again.root');
    await scene.make('again', { disks: [blank('root', tenant)], ...hard });
    await scene.running('again');
    const next = tenants.uidOf('VirtualMachine', 'again');
    expect(next).not.toBe(first);
    expect(scene.domain('again')?.machine.domainName).toBe(domainName(tenant, 'again', next));
    expect(lab.world.hand.machine(vmUuid(CLUSTER, first))).toBeUndefined();
    expect(tenants.volumes().has(diskVolumeName(firstDisk, 'qcow2'))).toBe(false);
    await tenants.drop('again');
  });
});

describe('S11: what is on a host already', () => {
  it('is not taken over by an annotation, a label or an owner', async () => {
    const uuid = lab.world.hand.defineForeign('only', 'admin-machine', { running: true });
    const claim = { 'ovcp.dev/adopt': uuid, 'ovcp.dev/machine-uid': uuid, 'ovcp.dev/uuid': uuid };
    await lab.api.create(marked(machine('admin-machine', tenant, tenant, hard), { annotations: claim }));
    await scene.running('admin-machine');
    expect(scene.uuid('admin-machine')).not.toBe(uuid);
    await tenants.drop('admin-machine');
    expect(lab.world.hand.machine(uuid)?.machine.power.kind).toBe('running');
  });
});

describe('S14: a disk that must stay', () => {
  it('stays: retained, used by another machine, or below a clone', async () => {
    await lab.api.apply(
      disk('kept', tenant, tenant, { reclaimPolicy: 'Retain' }),
      disk('used', tenant, tenant),
    );
    const both = ['kept', 'used'].map((name) => ({ name, diskRef: { name } }));
    await scene.make('user', { disks: both, ...hard });
    await scene.running('user');
    const [kept, used] = ['kept', 'used'].map((name) =>
      diskVolumeName(tenants.uidOf('VirtualDisk', name), 'qcow2'),
    );
    // The administrator is not held back by the policy: the finalizer is what is left.
    await lab.api.remove('VirtualDisk', 'used', tenant);
    await scene.told('VirtualDisk', 'used', 'Deleting', 'True', 'WaitingForDetach');
    expect(tenants.volumes().has(used ?? '')).toBe(true);
    expect(tenants.runningDisks('user')).toHaveLength(2);
    await tenants.drop('user');
    await scene.gone('VirtualDisk', 'used');
    expect(tenants.volumes().has(used ?? '')).toBe(false);
    await lab.api.remove('VirtualDisk', 'kept', tenant);
    await scene.gone('VirtualDisk', 'kept');
    expect(tenants.volumes().has(kept ?? '')).toBe(true);
    lab.world.get('only').directories.forEach(({ volumes: all }) => all.delete(kept ?? ''));
  });
});

describe('a wiped status (I2)', () => {
  it('of a disk gives it to no second machine while the first runs with it', async () => {
    await lab.api.apply(disk('shared', tenant, tenant));
    const disks = [{ name: 'data', diskRef: { name: 'shared' } }];
    await scene.make('elder', { disks, powerState: 'PoweredOff', ...hard });
    await scene.told('VirtualMachine', 'elder', 'Placed', 'True');
    await scene.make('younger', { disks, ...hard });
    await scene.running('younger');
    await scene.patch('elder', { powerState: 'PoweredOn' });
    await scene.told('VirtualMachine', 'elder', 'Ready', 'False', 'DiskInUse');
    await lab.api.patch('VirtualDisk', 'shared', tenant, { status: null }, 'status');
    await lab.api.patch('VirtualMachine', 'younger', tenant, { status: null }, 'status');
    await lab.api.patch('VirtualDisk', 'shared', tenant, { metadata: { labels: { touched: 'yes' } } });
    await lab.api.until('the claim is back', () => {
      const claim = lab.api.get('VirtualDisk', 'shared', tenant)?.status?.['claim'] as { vmName?: string };
      return claim?.vmName !== undefined;
    });
    await operator.quiet();
    expect(lab.api.get('VirtualDisk', 'shared', tenant)?.status?.['claim']).toMatchObject({
      vmName: 'younger',
    });
    expect(scene.domain('elder')?.machine.power.kind).toBe('off');
    expect(lab.world.violations()).toEqual([]);
    await tenants.drop('younger');
    await scene.told('VirtualMachine', 'elder', 'Ready', 'True', 'Running');
    await tenants.drop('elder');
    await lab.api.remove('VirtualDisk', 'shared', tenant);
    await scene.gone('VirtualDisk', 'shared');
  });
});
