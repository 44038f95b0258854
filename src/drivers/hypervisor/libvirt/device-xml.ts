/** One device at a time: the same XML at definition and at hotplug. Formats: libvirt's formatdomain. */
import { Fault } from '../../../runtime/fault.ts';
import type {
  Attachment,
  CdromShape,
  DiskBus,
  DiskShape,
  FileAttachment,
  NetworkAttachment,
  NicModel,
  NicShape,
} from '../shape.ts';
import { aliasOf } from './names.ts';
import { type Attributes, el, type Piece } from './xml.ts';

/** Where a device sits in the guest: kept across redefinitions, so that a guest finds its hardware again. */
export interface Seat {
  readonly target?: string | undefined;
  readonly address?: Attributes | undefined;
}

/** How a host wires networks; what it cannot do is refused before anything is defined. */
export interface Wiring {
  /** Linux bridges that exist. */
  readonly bridges: ReadonlySet<string>;
  readonly openVswitch: boolean;
  /** Linux bridges take `<vlan>` since libvirt 11.0. */
  readonly bridgeVlan: boolean;
  /** Names of the network filters that exist; undefined where the host has no such thing (the test driver). */
  readonly filters: ReadonlySet<string> | undefined;
}

const BUS: Readonly<Record<DiskBus, string>> = { Virtio: 'virtio', SCSI: 'scsi', SATA: 'sata' };
const MODEL: Readonly<Record<NicModel, string>> = { Virtio: 'virtio', E1000e: 'e1000e' };

const boot = (order: number | undefined): Piece | undefined =>
  order === undefined ? undefined : el('boot', { order });
const address = (seat: Seat): Piece | undefined =>
  seat.address === undefined ? undefined : el('address', seat.address);

/** The chain below, ended explicitly: libvirt probes an image only where no end is stated (kbase/backing_chains). */
const backingStore = (backing: FileAttachment['backing']): Piece => {
  const [nearest, ...below] = backing;
  if (nearest === undefined) return el('backingStore');
  return el(
    'backingStore',
    { type: 'file' },
    el('format', { type: nearest.format }),
    el('source', { file: nearest.path }),
    backingStore(below),
  );
};

/** Nothing of a secret but its uuid is in it: the daemon hands the value to QEMU, encrypted (formatdomain, `auth`). */
const networkSource = (attachment: NetworkAttachment): Piece => {
  const { protocol, targetIqn, lun, portal, auth, initiator } = attachment;
  return el(
    'source',
    { protocol, name: `${targetIqn}/${lun}` },
    el('host', { name: portal.address, port: portal.port }),
    auth && el('auth', { username: auth.user }, el('secret', { type: 'iscsi', uuid: auth.secretUuid })),
    el('initiator', {}, el('iqn', { name: initiator })),
  );
};

const diskSource = (attachment: Attachment): readonly Piece[] => {
  switch (attachment.kind) {
    case 'file':
      return [el('source', { file: attachment.path }), backingStore(attachment.backing)];
    case 'block':
      return [el('source', { dev: attachment.path }), el('backingStore')];
    case 'network':
      return [networkSource(attachment)];
    default:
      return attachment satisfies never;
  }
};

/** What the host has in its cache of a device that another host writes to as well would be wrong: there is none. */
const driverOf = ({ kind, format }: Attachment): Attributes => ({
  name: 'qemu',
  type: format,
  ...(kind === 'block' ? { cache: 'none', io: 'native' } : {}),
  discard: 'unmap',
});

export const diskXml = (disk: DiskShape, seat: Seat): Piece =>
  el(
    'disk',
    { type: disk.attachment.kind, device: 'disk' },
    el('driver', driverOf(disk.attachment)),
    ...diskSource(disk.attachment),
    el('target', { dev: seat.target, bus: BUS[disk.bus] }),
    el('serial', {}, disk.serial),
    boot(disk.bootOrder),
    el('alias', { name: aliasOf('disk', disk.name) }),
    address(seat),
  );

export const cdromXml = (cdrom: CdromShape, seat: Seat): Piece =>
  el(
    'disk',
    { type: 'file', device: 'cdrom' },
    el('driver', { name: 'qemu', type: 'raw' }),
    cdrom.path !== undefined && el('source', { file: cdrom.path }),
    el('target', { dev: seat.target, bus: 'sata' }),
    el('readonly'),
    boot(cdrom.bootOrder),
    el('alias', { name: aliasOf('cdrom', cdrom.name) }),
    address(seat),
  );

/**
 * Filters that libvirt ships (/etc/libvirt/nwfilter). `clean-traffic` lets IPv4 and ARP of the known addresses
 * through and nothing else; without a list the address is learned from DHCP alone (formatnwfilter, CTRL_IP_LEARNING).
 */
export const MAC_FILTER = 'no-mac-spoofing';
export const MAC_AND_IP_FILTER = 'clean-traffic';
export const IP_FILTER = 'no-ip-spoofing';

/** The filter that a guard needs; undefined when nothing is guarded. */
export const filterOf = (guard: NicShape['guard']): string | undefined => {
  if (guard.ip) return guard.mac ? MAC_AND_IP_FILTER : IP_FILTER;
  return guard.mac ? MAC_FILTER : undefined;
};

const filterXml = (guard: NicShape['guard']): Piece | undefined => {
  const filter = filterOf(guard);
  if (filter === undefined) return undefined;
  const addresses = guard.ips.map((value) => el('parameter', { name: 'IP', value }));
  const learning = el('parameter', { name: 'CTRL_IP_LEARNING', value: 'dhcp' });
  return el('filterref', { filter }, ...(guard.ip ? (addresses.length === 0 ? [learning] : addresses) : []));
};

const checkGuard = (nic: NicShape, wiring: Wiring): void => {
  const filter = filterOf(nic.guard);
  if (filter === undefined || wiring.filters === undefined) return;
  if (!wiring.filters.has(filter)) {
    throw new Fault(
      'unsupported',
      `The host has no network filter "${filter}", which keeps guests from spoofing.`,
      {
        reason: 'AntiSpoofingUnavailable',
      },
    );
  }
  if (nic.guard.ip && nic.guard.ips.some((ip) => ip.includes(':'))) {
    throw new Fault(
      'unsupported',
      'libvirt hosts guard IPv4 addresses only: list no IPv6 address on a guarded card.',
      {
        reason: 'AntiSpoofingUnavailable',
      },
    );
  }
};

const bridgeSource = (bridge: string, vlan: number | undefined, wiring: Wiring): readonly Piece[] => {
  const isSwitch = wiring.openVswitch && !wiring.bridges.has(bridge);
  if (vlan !== undefined && !isSwitch && !wiring.bridgeVlan) {
    throw new Fault('unsupported', `The host cannot put the bridge "${bridge}" into VLAN ${vlan}.`, {
      reason: 'BridgeVlanUnavailable',
    });
  }
  return [
    el('source', { bridge }),
    ...(isSwitch ? [el('virtualport', { type: 'openvswitch' })] : []),
    ...(vlan === undefined ? [] : [el('vlan', {}, el('tag', { id: vlan }))]),
  ];
};

const sourceOf = (nic: NicShape, wiring: Wiring): readonly Piece[] => {
  switch (nic.backend.kind) {
    case 'bridge':
      return bridgeSource(nic.backend.bridge, nic.backend.vlan, wiring);
    case 'network':
      return [el('source', { network: nic.backend.network })];
    default:
      return nic.backend satisfies never;
  }
};

/** Throws Fault `unsupported` when the host lacks the filter or the VLAN ability that the card needs. */
export const nicXml = (nic: NicShape, seat: Seat, wiring: Wiring): Piece => {
  checkGuard(nic, wiring);
  return el(
    'interface',
    { type: nic.backend.kind },
    el('mac', { address: nic.mac }),
    ...sourceOf(nic, wiring),
    el('model', { type: MODEL[nic.model] }),
    filterXml(nic.guard),
    el('link', { state: nic.link === 'Up' ? 'up' : 'down' }),
    boot(nic.bootOrder),
    el('alias', { name: aliasOf('nic', nic.name) }),
    address(seat),
  );
};
