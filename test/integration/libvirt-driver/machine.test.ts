import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askGuest } from '../../../hack/lab/guest-shell.ts';
import type { VmIdentity } from '../../../src/drivers/hypervisor/contract.ts';
import { type DiskShape, filesOf } from '../../../src/drivers/hypervisor/shape.ts';
import {
  dataDisk,
  look,
  mib,
  never,
  newIdentity,
  nic,
  recordOf,
  rootDisk,
  shapeOf,
  startWorld,
  take,
  type World,
} from './world.ts';

const BOOT_MS = 300_000;
const MAC = '52:54:00:aa:00:01';
const SECOND_MAC = '52:54:00:aa:00:02';

describe('a machine with a real guest', () => {
  let world: World;
  const vm: VmIdentity = newIdentity('web-1');
  const host = 'node1';

  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(async () => {
    await world?.stop();
  });

  const virsh = (...args: string[]): Promise<string> => world.host.virsh(...args);
  const agentConnected = async (): Promise<string | undefined> => (await look(world, vm))?.guest?.agent;

  it('is defined with our tag and started', async () => {
    const shape = shapeOf(await rootDisk(world, 'web-1'), [nic(world, 'eth0', MAC)]);
    const defined = await take(world, vm, { kind: 'define', host, shape, record: recordOf(vm) });
    expect(defined).toMatchObject({
      kind: 'done',
      sighting: { power: { kind: 'off', cause: 'NeverStarted' } },
    });
    expect(await virsh('metadata', vm.uuid, 'https://ovcp.dev/xmlns/machine/1')).toContain(vm.uid);
    await take(world, vm, { kind: 'start', host });
    expect(await virsh('domstate', vm.uuid)).toContain('running');
    expect(await virsh('domdisplay', vm.uuid)).toContain('127.0.0.1');
  });

  it('tells address, hostname and system once the agent answers, with the guard on', {
    timeout: BOOT_MS,
  }, async () => {
    await expect.poll(agentConnected, { timeout: BOOT_MS, interval: 500 }).toBe('Connected');
    await expect
      .poll(async () => (await look(world, vm))?.guest?.addresses[0]?.ips[0], {
        timeout: BOOT_MS,
        interval: 500,
      })
      .toMatch(/^192\.168\.150\.\d+$/);
    const seen = (await look(world, vm))?.guest;
    expect(seen?.addresses[0]?.mac).toBe(MAC);
    expect(seen?.hostname).toMatch(/^[a-z0-9.-]+$/);
    expect(await virsh('domifaddr', vm.uuid, '--source', 'lease')).toContain(
      seen?.addresses[0]?.ips[0] ?? 'none',
    );
    expect(world.changes.some((change) => change.kind === 'vm' && change.uuid === vm.uuid)).toBe(true);
  });

  it('cannot speak from an address that is not its own', { timeout: BOOT_MS }, async () => {
    const ping = (seconds: number, from = ''): Promise<string> =>
      askGuest(world.host, vm.domainName, `ping -c 1 -W ${seconds} ${from} 192.168.150.1 | tail -n 2`, 120);
    expect(await ping(60)).toContain('1 packets received');
    await askGuest(world.host, vm.domainName, 'ip addr add 192.168.150.200/24 dev eth0', 120);
    expect(await ping(3, '-I 192.168.150.200')).not.toContain('1 packets received');
    await askGuest(world.host, vm.domainName, 'ip addr del 192.168.150.200/24 dev eth0', 120);
  });

  it('takes and gives back a disk while it runs', { timeout: BOOT_MS }, async () => {
    for (const bus of ['Virtio', 'SCSI'] as const) {
      const data = await dataDisk(world, bus.toLowerCase());
      const path = filesOf(data.attachment)[0]?.path ?? '';
      const disk: DiskShape = { ...data, bus };
      expect(await take(world, vm, { kind: 'attachDisk', host, disk })).toMatchObject({ kind: 'done' });
      expect((await look(world, vm))?.running?.disks.map(({ serial }) => serial)).toContain(disk.serial);
      expect(await virsh('domblklist', vm.uuid)).toContain(path);
      await take(world, vm, { kind: 'growDisk', host, serial: disk.serial, sizeBytes: 768 * mib });
      const grown = (await look(world, vm))?.running?.disks.find(({ serial }) => serial === disk.serial);
      expect(grown?.sizeBytes).toBe(768 * mib);
      await take(world, vm, { kind: 'detachDisk', host, serial: disk.serial });
      await expect.poll(() => virsh('domblklist', vm.uuid), { interval: 300 }).not.toContain(path);
      expect(await virsh('domblklist', vm.uuid, '--inactive')).not.toContain(path);
      const seen = await look(world, vm);
      expect(seen?.running?.disks).toHaveLength(1);
      expect(seen?.next?.disks).toHaveLength(1);
    }
  });

  it('takes and gives back a card, and loses its link', { timeout: BOOT_MS }, async () => {
    const card = nic(world, 'eth1', SECOND_MAC);
    await take(world, vm, { kind: 'attachNic', host, nic: card });
    expect(await virsh('domiflist', vm.uuid)).toContain(SECOND_MAC);
    await take(world, vm, { kind: 'updateNic', host, nic: { ...card, link: 'Down' } });
    expect((await look(world, vm))?.running?.nics.find(({ mac }) => mac === SECOND_MAC)?.link).toBe('Down');
    const running = await virsh('dumpxml', vm.uuid);
    expect(running).toMatch(/<link state='down'\/>/);
    await take(world, vm, { kind: 'detachNic', host, mac: SECOND_MAC });
    await expect.poll(() => virsh('domiflist', vm.uuid), { interval: 300 }).not.toContain(SECOND_MAC);
  });

  it('changes its CD', async () => {
    const path = `${world.place.path}/ovcp-seed-cd.iso`;
    const storage = world.pool.hostStorage(host);
    await storage.take(
      world.place,
      { kind: 'putSmall', volume: 'ovcp-seed-cd.iso', bytes: new Uint8Array(65_536) },
      never,
    );
    await take(world, vm, { kind: 'changeMedia', host, cdrom: { name: 'install', path } });
    expect(await virsh('domblklist', vm.uuid)).toContain(path);
    await take(world, vm, { kind: 'changeMedia', host, cdrom: { name: 'install' } });
    expect(await virsh('domblklist', vm.uuid)).not.toContain(path);
    expect(await virsh('domblklist', vm.uuid, '--inactive')).not.toContain(path);
  });

  it('keeps the places of its hardware when it is defined anew', async () => {
    const before = await virsh('dumpxml', '--inactive', vm.uuid);
    const seen = await look(world, vm);
    if (seen?.next === undefined) throw new Error('the machine has no definition');
    const shape = {
      ...seen.next,
      memoryMiB: 256,
      disks: [await dataDisk(world, 'first'), ...seen.next.disks],
    };
    await take(world, vm, { kind: 'redefine', host, shape, record: recordOf(vm) });
    const after = await virsh('dumpxml', '--inactive', vm.uuid);
    const placeOf = (xml: string, alias: string): string | undefined =>
      new RegExp(`<alias name='${alias}'/>\\s*<address [^>]*>`).exec(xml)?.[0];
    for (const alias of ['ua-disk-root', 'ua-nic-eth0', 'ua-cdrom-install']) {
      expect(placeOf(after, alias)).toBe(placeOf(before, alias));
    }
    expect((await look(world, vm))?.running?.memoryMiB).toBe(192);
  });

  it('shuts down by ACPI, and the cause is known', { timeout: BOOT_MS }, async () => {
    expect(await take(world, vm, { kind: 'shutdown', host })).toEqual({ kind: 'started' });
    await expect
      .poll(async () => (await look(world, vm))?.power, { interval: 300 })
      .toEqual({ kind: 'off', cause: 'GuestShutdown' });
    expect(await virsh('domstate', vm.uuid, '--reason')).toContain('shutdown');
  });

  it('goes without a trace', async () => {
    await take(world, vm, { kind: 'undefine', host });
    expect(await virsh('list', '--all', '--uuid')).not.toContain(vm.uuid);
  });
});
