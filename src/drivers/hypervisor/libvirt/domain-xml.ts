/** A machine as libvirt's domain XML (formatdomain): built from narrow values alone, nothing of it is passed through. */
import { Fault } from '../../../runtime/fault.ts';
import type { VmIdentity, VmRecord } from '../contract.ts';
import type { VmShape } from '../shape.ts';
import { cdromXml, diskXml, nicXml, type Wiring } from './device-xml.ts';
import { type Kept, NOTHING_KEPT } from './kept.ts';
import { aliasOf } from './names.ts';
import { type Seats, seatsFor } from './seats.ts';
import { hardwareTag, machineTag } from './tag.ts';
import { type Child, el, type Piece, toXml } from './xml.ts';

/** What the host adds to a machine's definition. */
export interface Setup {
  readonly domainType: 'kvm' | 'qemu' | 'test';
  readonly arch: string;
  readonly wiring: Wiring;
}

/** The CPU model of a machine that asks for none; recorded at first create. */
const DEFAULT_CPU = { kvm: 'HostModel', qemu: 'max', test: undefined } as const;
const DEFAULT_MACHINE = { kvm: 'q35', qemu: 'q35', test: undefined } as const;
/** Ports that stay free for devices plugged into a running machine. */
const SPARE_PORTS = 6;
/** virtio-scsi, virtio-serial, USB, balloon, RNG. */
const FIXED_PORTS = 5;

/**
 * The CPU a machine really gets here: the host's own CPU can only be shown under KVM, emulation shows all it can.
 */
export const cpuModelFor = (shape: VmShape, domainType: Setup['domainType']): string | undefined => {
  const wanted = shape.cpu.model ?? shape.hardware.cpuModel ?? DEFAULT_CPU[domainType];
  const ofHost = wanted === 'HostModel' || wanted === 'HostPassthrough';
  return ofHost && domainType === 'qemu' ? DEFAULT_CPU.qemu : wanted;
};

const modelXml = (model: string | undefined): { readonly mode?: string; readonly child?: Piece } => {
  switch (model) {
    case undefined:
      return {};
    case 'HostModel':
      return { mode: 'host-model' };
    case 'HostPassthrough':
      return { mode: 'host-passthrough' };
    case 'max':
      return { mode: 'maximum' };
    default:
      return { mode: 'custom', child: el('model', { fallback: 'forbid' }, model) };
  }
};

const cpuXml = (shape: VmShape, setup: Setup): Piece => {
  const model = modelXml(setup.domainType === 'test' ? undefined : cpuModelFor(shape, setup.domainType));
  const { sockets, cores, threads } = shape.cpu;
  return el('cpu', { mode: model.mode }, model.child, el('topology', { sockets, cores, threads }));
};

const clockXml = (setup: Setup): Piece =>
  el(
    'clock',
    { offset: 'utc' },
    ...(setup.domainType === 'kvm'
      ? [
          el('timer', { name: 'rtc', tickpolicy: 'catchup' }),
          el('timer', { name: 'pit', tickpolicy: 'delay' }),
          el('timer', { name: 'hpet', present: 'no' }),
          el('timer', { name: 'kvmclock', present: 'yes' }),
        ]
      : []),
  );

const isQ35 = (machine: string | undefined): boolean => machine?.includes('q35') === true;

const newControllers = (shape: VmShape, machine: string | undefined): readonly Piece[] => {
  const virtioDisks = shape.disks.filter((disk) => disk.bus === 'Virtio').length;
  const ports = isQ35(machine) ? FIXED_PORTS + virtioDisks + shape.nics.length + SPARE_PORTS : 0;
  return [
    el('controller', { type: 'usb', index: 0, model: 'qemu-xhci' }),
    el('controller', { type: 'scsi', index: 0, model: 'virtio-scsi' }),
    ...(ports > 0 ? [el('controller', { type: 'pci', index: 0, model: 'pcie-root' })] : []),
    ...Array.from({ length: ports }, () => el('controller', { type: 'pci', model: 'pcie-root-port' })),
  ];
};

const single = (
  name: string,
  seats: Seats,
  attributes: Piece['attributes'],
  ...children: readonly Child[]
): Piece => {
  const { address } = seats.other(name);
  return el(name, attributes, ...children, address === undefined ? undefined : el('address', address));
};

const consoles = (seats: Seats): readonly Piece[] => [
  el('serial', { type: 'pty' }, el('target', { port: 0 })),
  el('console', { type: 'pty' }, el('target', { type: 'serial', port: 0 })),
  single(
    'channel',
    seats,
    { type: 'unix' },
    el('target', { type: 'virtio', name: 'org.qemu.guest_agent.0' }),
  ),
  single('input', seats, { type: 'tablet', bus: 'usb' }),
  el('graphics', { type: 'vnc', port: -1, autoport: 'yes', listen: '127.0.0.1' }),
  single('video', seats, {}, el('model', { type: 'vga' })),
];

const devicesXml = (shape: VmShape, setup: Setup, kept: Kept, machine: string | undefined): Piece => {
  const seats = seatsFor(shape, kept);
  return el(
    'devices',
    {},
    ...(kept.controllers.length > 0 ? kept.controllers : newControllers(shape, machine)),
    ...shape.disks.map((disk) => diskXml(disk, seats.disk(disk))),
    ...shape.cdroms.map((cdrom) => cdromXml(cdrom, seats.cdrom(cdrom))),
    ...shape.nics.map((nic) => nicXml(nic, seats.other(aliasOf('nic', nic.name)), setup.wiring)),
    ...consoles(seats),
    single('memballoon', seats, { model: 'virtio' }),
    single('rng', seats, { model: 'virtio' }, el('backend', { model: 'random' }, '/dev/urandom')),
    setup.domainType === 'test' ? undefined : single('panic', seats, { model: 'isa' }),
  );
};

const checkModel = (model: string | undefined): void => {
  if (model !== undefined && !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(model)) {
    throw new Fault('invalid', 'The CPU model is not a name that libvirt could know.', {
      reason: 'InvalidCpuModel',
    });
  }
};

/**
 * The domain's XML. `kept` brings the places of devices over from the definition that this one replaces.
 * Throws Fault `invalid` for text that XML cannot carry, `unsupported` for what the host cannot do.
 */
export const domainXml = (
  vm: VmIdentity,
  record: VmRecord,
  shape: VmShape,
  setup: Setup,
  kept: Kept = NOTHING_KEPT,
): string => {
  checkModel(shape.cpu.model ?? shape.hardware.cpuModel);
  const machine = shape.hardware.machineType ?? kept.machineType ?? DEFAULT_MACHINE[setup.domainType];
  return toXml(
    el(
      'domain',
      { type: setup.domainType },
      el('name', {}, vm.domainName),
      el('uuid', {}, vm.uuid),
      el('title', {}, `${vm.namespace}/${vm.name}`),
      el('metadata', {}, machineTag(record), hardwareTag(shape, cpuModelFor(shape, setup.domainType))),
      el('memory', { unit: 'MiB' }, String(shape.memoryMiB)),
      el('vcpu', { placement: 'static' }, String(shape.cpu.sockets * shape.cpu.cores * shape.cpu.threads)),
      el('os', {}, el('type', { arch: setup.arch, machine }, 'hvm')),
      el('features', {}, el('acpi'), el('apic')),
      cpuXml(shape, setup),
      clockXml(setup),
      el('on_poweroff', {}, 'destroy'),
      el('on_reboot', {}, 'restart'),
      el('on_crash', {}, 'destroy'),
      el('pm', {}, el('suspend-to-mem', { enabled: 'no' }), el('suspend-to-disk', { enabled: 'no' })),
      devicesXml(shape, setup, kept, machine),
    ),
  );
};
