import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault } from '../../../runtime/fault.ts';
import type { VmIdentity, VmRecord } from '../contract.ts';
import type { VmShape } from '../shape.ts';
import type { Wiring } from './device-xml.ts';
import { parseDomain } from './domain-parse.ts';
import { domainXml, type Setup } from './domain-xml.ts';
import { keptOf } from './kept.ts';
import { parseXml } from './xml.ts';

const vm: VmIdentity = {
  clusterId: 'c-1',
  uid: '2f6e0f4e-94bd-4bd0-a0aa-4d3fcb4f1b5c',
  uuid: '5cf4c5a2-0d7e-5b5d-9e57-3f0f6c3b7a11',
  namespace: 'team-a',
  name: 'web-1',
  domainName: 'team-a.web-1.2f6e0f4e',
};
const record: VmRecord = {
  clusterId: vm.clusterId,
  uid: vm.uid,
  namespace: vm.namespace,
  name: vm.name,
  restartHandledAt: undefined,
  startDue: true,
};
const wiring: Wiring = {
  bridges: new Set(['br0']),
  openVswitch: true,
  bridgeVlan: false,
  filters: new Set(['clean-traffic', 'no-mac-spoofing', 'no-ip-spoofing']),
};
const setup: Setup = { domainType: 'qemu', arch: 'x86_64', wiring };
const shape: VmShape = {
  cpu: { sockets: 1, cores: 2, threads: 1 },
  memoryMiB: 256,
  disks: [
    {
      name: 'root',
      serial: 'aaaabbbbccccddddeeee',
      bus: 'Virtio',
      attachment: {
        kind: 'file',
        path: '/var/lib/ovcp/disks/ovcp-disk-1.qcow2',
        format: 'qcow2',
        backing: [{ path: '/var/lib/ovcp/disks/ovcp-image-1.qcow2', format: 'qcow2' }],
      },
      sizeBytes: 2 ** 31,
      bootOrder: 1,
    },
  ],
  cdroms: [{ name: 'ovcp-seed', path: '/var/lib/ovcp/disks/seed.iso', bootOrder: undefined }],
  nics: [
    {
      name: 'eth0',
      mac: '52:54:00:11:22:33',
      model: 'Virtio',
      link: 'Up',
      backend: { kind: 'network', network: 'ovcp-lan' },
      guard: { mac: true, ip: true, ips: [] },
      bootOrder: undefined,
    },
  ],
  hardware: { machineType: 'q35', cpuModel: 'max' },
  autostart: false,
};

/** Characters that break naive XML: markup, quotes, line ends, bidi marks, CDATA ends, emoji. */
const hostile = fc
  .string({
    unit: fc.constantFrom(
      'a',
      'Z',
      '7',
      '-',
      '.',
      '<',
      '>',
      '&',
      '"',
      "'",
      ']]>',
      '<![CDATA[',
      '&lt;',
      '&#x0;',
      '&#10;',
      '\u202e',
      '\u2066',
      'é',
      '😀',
      ' ',
      '%',
      '$MAC',
      '<!--',
      '-->',
      '<?x',
      '{{',
    ),
    minLength: 1,
    maxLength: 40,
  })
  .filter((text) => text.trim() === text);
const format = fc.constantFrom<'qcow2' | 'raw'>('qcow2', 'raw');
const order = fc.option(fc.integer({ min: 1, max: 99 }), { nil: undefined });
const file = fc.record({ path: hostile, format });
const disk = fc.record({
  name: hostile,
  serial: hostile,
  bus: fc.constantFrom('Virtio' as const, 'SCSI' as const, 'SATA' as const),
  attachment: fc.oneof(
    fc
      .record({ path: hostile, format, backing: fc.array(file, { maxLength: 3 }) })
      .map((each) => ({ kind: 'file' as const, ...each })),
    fc
      .record({
        portal: fc.record({ address: hostile, port: fc.integer({ min: 1, max: 65_535 }) }),
        targetIqn: hostile.filter((text) => !text.includes('/')),
        lun: fc.integer({ min: 1, max: 16_383 }),
        initiator: hostile,
        auth: fc.option(fc.record({ user: hostile, secretUuid: fc.uuid() }), { nil: undefined }),
      })
      .map(({ auth, ...each }) => ({
        kind: 'network' as const,
        protocol: 'iscsi' as const,
        format: 'raw' as const,
        ...each,
        ...(auth === undefined ? {} : { auth }),
      })),
  ),
  sizeBytes: fc.integer({ min: 1, max: 2 ** 45 }),
  bootOrder: order,
});
const cdrom = fc.record({ name: hostile, path: fc.option(hostile, { nil: undefined }), bootOrder: order });
const nic = fc.record({
  name: hostile,
  mac: fc.constantFrom('52:54:00:00:00:01', '52:54:00:00:00:02'),
  model: fc.constantFrom('Virtio' as const, 'E1000e' as const),
  link: fc.constantFrom('Up' as const, 'Down' as const),
  backend: fc.oneof(
    fc.record({ kind: fc.constant('network' as const), network: hostile }),
    fc.record({
      kind: fc.constant('bridge' as const),
      bridge: hostile,
      vlan: fc.integer({ min: 1, max: 4094 }),
    }),
    fc.record({ kind: fc.constant('bridge' as const), bridge: hostile }),
  ),
  guard: fc.oneof(
    fc.constant({ mac: true, ip: true, ips: ['10.0.0.1', '10.0.0.2'] }),
    fc.record({ mac: fc.boolean(), ip: fc.boolean(), ips: fc.constant([]) }),
  ),
  bootOrder: order,
});
const anyShape: fc.Arbitrary<VmShape> = fc.record({
  cpu: fc.record({
    sockets: fc.integer({ min: 1, max: 8 }),
    cores: fc.integer({ min: 1, max: 64 }),
    threads: fc.integer({ min: 1, max: 2 }),
    model: fc.constantFrom('max', 'qemu64', 'EPYC-Milan'),
  }),
  memoryMiB: fc.integer({ min: 1, max: 2 ** 22 }),
  disks: fc.uniqueArray(disk, { maxLength: 30, selector: (each) => each.serial }),
  cdroms: fc.array(cdrom, { maxLength: 4 }),
  nics: fc.array(nic, { maxLength: 4 }),
  hardware: fc.record({ machineType: fc.constantFrom('q35', 'pc', 'pc-q35-7.2') }),
  autostart: fc.constant(false),
});

describe('domainXml', () => {
  it('reads back what it wrote, whatever the strings hold (S2)', () => {
    fc.assert(
      fc.property(anyShape, hostile, hostile, (wish, name, namespace) => {
        const tagged = { ...record, name, namespace, restartHandledAt: '2026-01-01T00:00:00Z' };
        const parsed = parseDomain(domainXml({ ...vm, name, namespace }, tagged, wish, setup));
        expect(parsed.record).toStrictEqual(tagged);
        expect(parsed.shape).toEqual({ ...wish, hardware: { ...wish.hardware, cpuModel: wish.cpu.model } });
      }),
      { numRuns: 150 },
    );
  });

  it.each(['\u0000', '\n', '\r', '\u0007', '\u001b[2J', '\uD800', '\uFFFE'])(
    'refuses what XML cannot carry: %j',
    (text) => {
      const wish = { ...shape, cdroms: [{ name: 'x', path: `/a${text}` }] };
      expect(() => domainXml(vm, record, wish, setup)).toThrow(Fault);
      expect(() => domainXml({ ...vm, name: text }, { ...record, name: text }, shape, setup)).toThrow(
        /control character/,
      );
    },
  );

  it('states every format and ends every chain (S7)', () => {
    const xml = domainXml(vm, record, shape, setup);
    expect(xml).toContain('<driver name="qemu" type="qcow2" discard="unmap"/>');
    expect(xml).toContain(
      '<backingStore type="file"><format type="qcow2"/><source file="/var/lib/ovcp/disks/ovcp-image-1.qcow2"/><backingStore/></backingStore>',
    );
  });

  it('keeps the consoles on loopback (S16)', () => {
    expect(domainXml(vm, record, shape, setup)).toContain(
      '<graphics type="vnc" port="-1" autoport="yes" listen="127.0.0.1"/>',
    );
  });

  it('uses a hardware clock and the CPU of the host under KVM only', () => {
    const asked = { ...shape, cpu: { ...shape.cpu, model: 'HostPassthrough' } };
    expect(domainXml(vm, record, asked, { ...setup, domainType: 'kvm' })).toMatch(
      /host-passthrough.*kvmclock/s,
    );
    const emulated = domainXml(vm, record, asked, setup);
    expect(emulated).toContain('<cpu mode="maximum">');
    expect(emulated).not.toContain('kvmclock');
    expect(parseDomain(emulated).shape.cpu.model).toBe('HostPassthrough');
  });

  it('gives every SCSI disk a unit on the one controller', () => {
    const scsi = Array.from({ length: 30 }, (_, at) => ({
      ...(shape.disks[0] as VmShape['disks'][number]),
      name: `d${at}`,
      serial: `s${at}`,
      bus: 'SCSI' as const,
    }));
    const xml = domainXml(vm, record, { ...shape, disks: scsi }, setup);
    expect(
      new Set([...xml.matchAll(/controller="0" bus="0" target="0" unit="(\d+)"/g)].map(([, unit]) => unit))
        .size,
    ).toBe(30);
    expect(xml).toContain('dev="sdad"');
  });

  it('guards cards with the filters that libvirt ships (S21)', () => {
    const guarded = (guard: VmShape['nics'][number]['guard']): string =>
      domainXml(vm, record, { ...shape, nics: shape.nics.map((nic) => ({ ...nic, guard })) }, setup);
    expect(guarded({ mac: true, ip: false, ips: [] })).toContain('<filterref filter="no-mac-spoofing"/>');
    expect(guarded({ mac: true, ip: true, ips: ['10.0.0.9'] })).toContain(
      '<filterref filter="clean-traffic"><parameter name="IP" value="10.0.0.9"/></filterref>',
    );
    expect(guarded({ mac: true, ip: true, ips: [] })).toContain('name="CTRL_IP_LEARNING" value="dhcp"');
    expect(guarded({ mac: false, ip: false, ips: [] })).not.toContain('filterref');
  });

  it('says what the host cannot do instead of leaving it out', () => {
    const bare: Setup = { ...setup, wiring: { ...wiring, openVswitch: false, filters: new Set() } };
    expect(() => domainXml(vm, record, shape, bare)).toThrow(/no network filter "clean-traffic"/);
    const tagged = shape.nics.map((nic) => ({
      ...nic,
      guard: { mac: false, ip: false, ips: [] },
      backend: { kind: 'bridge' as const, bridge: 'br0', vlan: 12 },
    }));
    expect(() => domainXml(vm, record, { ...shape, nics: tagged }, bare)).toThrow(/br0.*VLAN 12/);
  });

  it('wires Open vSwitch ports and VLANs', () => {
    const nics = shape.nics.map((nic) => ({
      ...nic,
      backend: { kind: 'bridge' as const, bridge: 'ovs0', vlan: 12 },
    }));
    expect(domainXml(vm, record, { ...shape, nics }, setup)).toContain(
      '<source bridge="ovs0"/><virtualport type="openvswitch"/><vlan><tag id="12"/></vlan>',
    );
  });

  it('keeps the places of devices when it is written again', () => {
    const first = domainXml(vm, record, shape, setup);
    const placed = first
      .replace('<alias name="ua-disk-root"/>', '<alias name="ua-disk-root"/><address type="pci" bus="0x07"/>')
      .replace('dev="vda"', 'dev="vdq"');
    const grown = {
      ...shape,
      disks: [{ ...(shape.disks[0] as VmShape['disks'][number]), name: 'new', serial: 'n' }, ...shape.disks],
    };
    const again = domainXml(vm, record, grown, setup, keptOf(parseXml(placed, 'domain')));
    expect(again).toMatch(/vda.*ua-disk-new.*vdq.*ua-disk-root"\/><address type="pci" bus="0x07"\/>/s);
    expect(again.match(/<controller /g)).toHaveLength((first.match(/<controller /g) ?? []).length);
  });
});

describe('parseDomain', () => {
  it.each([
    ['a document type', '<!DOCTYPE x [<!ENTITY a "b">]><domain/>'],
    ['a bomb', `<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><domain>&b;</domain>`],
    ['another root', '<network/>'],
    ['half a document', '<domain><name>x</name>'],
    ['no XML', 'hello'],
    ['nothing', ''],
    ['a tower', `${'<domain>'.repeat(200)}${'</domain>'.repeat(200)}`],
    ['a flood', `<domain>${' '.repeat(5_000_000)}</domain>`],
  ])('refuses %s (S25)', (_, text) => {
    expect(() => parseDomain(text)).toThrow(Fault);
  });

  it('never throws anything but a fault', () => {
    const xml = domainXml(vm, record, shape, setup);
    fc.assert(
      fc.property(fc.nat(xml.length), fc.nat(20), fc.string({ maxLength: 8 }), (at, cut, insert) => {
        try {
          parseDomain(xml.slice(0, at) + insert + xml.slice(at + cut));
        } catch (error) {
          expect(error).toBeInstanceOf(Fault);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('reads a foreign domain without a record', () => {
    const parsed = parseDomain(
      '<domain type="kvm"><name>x</name><uuid>AB</uuid><memory unit="GiB">2</memory></domain>',
    );
    expect(parsed).toMatchObject({
      uuid: 'ab',
      name: 'x',
      record: undefined,
      shape: { memoryMiB: 2048, disks: [] },
    });
  });
});
