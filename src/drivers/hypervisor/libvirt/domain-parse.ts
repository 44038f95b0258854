/** A domain's XML in the contract's words. What a host sends is read, never trusted: unknown parts are left out. */
import type { Element } from '@xmldom/xmldom';
import type { VmRecord } from '../contract.ts';
import type {
  Attachment,
  CdromShape,
  CpuShape,
  DiskBus,
  DiskShape,
  FileAttachment,
  NetworkAttachment,
  NicBackend,
  NicShape,
  VmShape,
} from '../shape.ts';
import { IP_FILTER, MAC_AND_IP_FILTER, MAC_FILTER } from './device-xml.ts';
import { nameOf } from './names.ts';
import { type HardwareTag, readHardwareTag, recordOf } from './tag.ts';
import { at, attribute, childrenOf, parseXml, textAt, wholeNumber } from './xml.ts';

/** What one description says; `autostart` comes from another call and is false here. */
export interface DomainParsed {
  readonly uuid: string;
  readonly name: string;
  readonly record: VmRecord | undefined;
  readonly shape: VmShape;
  /** CPU model as our tag has it. */
  readonly cpuTag: string | undefined;
  readonly vncPort: number | undefined;
  readonly agentConnected: boolean;
  /** Host interface of each card, by MAC; empty when it is off. */
  readonly interfaces: ReadonlyMap<string, string>;
  /** Target name of each disk, by serial. */
  readonly targets: ReadonlyMap<string, string>;
  readonly root: Element;
}

const BUS: ReadonlyMap<string | undefined, DiskBus> = new Map([
  ['virtio', 'Virtio'],
  ['scsi', 'SCSI'],
  ['sata', 'SATA'],
]);
const MEMORY_UNIT_KIB: ReadonlyMap<string, number> = new Map([
  ['b', 1 / 1024],
  ['bytes', 1 / 1024],
  ['KiB', 1],
  ['k', 1],
  ['MiB', 1024],
  ['M', 1024],
  ['GiB', 1024 * 1024],
  ['G', 1024 * 1024],
]);

const formatOf = (text: string | undefined): 'qcow2' | 'raw' => (text === 'qcow2' ? 'qcow2' : 'raw');

const bootOrder = (device: Element): number | undefined =>
  wholeNumber(attribute(at(device, 'boot'), 'order'));

const chainOf = (store: Element | undefined): FileAttachment['backing'] => {
  const chain: { path: string; format: 'qcow2' | 'raw' }[] = [];
  for (let below = store; below !== undefined; below = at(below, 'backingStore')) {
    const path = attribute(at(below, 'source'), 'file');
    if (path === undefined) break;
    chain.push({ path, format: formatOf(attribute(at(below, 'format'), 'type')) });
  }
  return chain;
};

const authOf = (source: Element | undefined): NetworkAttachment['auth'] => {
  const user = attribute(at(source, 'auth'), 'username');
  const secretUuid = attribute(at(source, 'auth', 'secret'), 'uuid')?.toLowerCase();
  return user === undefined || secretUuid === undefined ? undefined : { user, secretUuid };
};

const ISCSI_PORT = 3260;
const ISCSI_NAME = /^(?<targetIqn>[^/]+)\/(?<lun>\d+)$/;

const networkOf = (device: Element): NetworkAttachment | undefined => {
  const source = at(device, 'source');
  const name = ISCSI_NAME.exec(attribute(source, 'name') ?? '')?.groups;
  const address = attribute(at(source, 'host'), 'name');
  if (attribute(source, 'protocol') !== 'iscsi' || name === undefined || address === undefined)
    return undefined;
  const auth = authOf(source);
  return {
    kind: 'network',
    protocol: 'iscsi',
    portal: { address, port: wholeNumber(attribute(at(source, 'host'), 'port')) ?? ISCSI_PORT },
    targetIqn: name['targetIqn'] ?? '',
    lun: Number(name['lun']),
    initiator: attribute(at(source, 'initiator', 'iqn'), 'name') ?? '',
    ...(auth === undefined ? {} : { auth }),
    format: 'raw',
  };
};

const attachmentOf = (device: Element): Attachment | undefined => {
  if (attribute(device, 'type') === 'network') return networkOf(device);
  const node = attribute(at(device, 'source'), 'dev');
  if (attribute(device, 'type') === 'block')
    return node === undefined ? undefined : { kind: 'block', path: node, format: 'raw' };
  const path = attribute(at(device, 'source'), 'file');
  if (path === undefined) return undefined;
  const format = formatOf(attribute(at(device, 'driver'), 'type'));
  return { kind: 'file', path, format, backing: chainOf(at(device, 'backingStore')) };
};

const diskOf = (device: Element, hardware: HardwareTag): DiskShape | undefined => {
  const bus = BUS.get(attribute(at(device, 'target'), 'bus'));
  const attachment = attachmentOf(device);
  const serial = textAt(device, 'serial');
  if (bus === undefined || attachment === undefined || serial === undefined) return undefined;
  return {
    name: nameOf('disk', attribute(at(device, 'alias'), 'name')) ?? serial,
    serial,
    bus,
    attachment,
    sizeBytes: hardware.sizes.get(serial) ?? 0,
    bootOrder: bootOrder(device),
  };
};

const cdromOf = (device: Element): CdromShape | undefined => {
  const name =
    nameOf('cdrom', attribute(at(device, 'alias'), 'name')) ?? attribute(at(device, 'target'), 'dev');
  if (name === undefined) return undefined;
  return { name, path: attribute(at(device, 'source'), 'file'), bootOrder: bootOrder(device) };
};

const backendOf = (device: Element): NicBackend | undefined => {
  const source = at(device, 'source');
  // A running card of a libvirt network also names that network's bridge: the network is what was asked for.
  const network = attribute(source, 'network');
  if (network !== undefined) return { kind: 'network', network };
  const bridge = attribute(source, 'bridge');
  if (bridge === undefined) return undefined;
  const vlan = wholeNumber(attribute(at(device, 'vlan', 'tag'), 'id'));
  return vlan === undefined ? { kind: 'bridge', bridge } : { kind: 'bridge', bridge, vlan };
};

const guardOf = (device: Element): NicShape['guard'] => {
  const filter = at(device, 'filterref');
  const name = attribute(filter, 'filter');
  return {
    mac: name === MAC_FILTER || name === MAC_AND_IP_FILTER,
    ip: name === IP_FILTER || name === MAC_AND_IP_FILTER,
    ips: childrenOf(filter, 'parameter').flatMap((parameter) =>
      attribute(parameter, 'name') === 'IP' ? (attribute(parameter, 'value') ?? []) : [],
    ),
  };
};

const nicOf = (device: Element): NicShape | undefined => {
  const backend = backendOf(device);
  const mac = attribute(at(device, 'mac'), 'address')?.toLowerCase();
  if (backend === undefined || mac === undefined) return undefined;
  return {
    name: nameOf('nic', attribute(at(device, 'alias'), 'name')) ?? mac,
    mac,
    model: attribute(at(device, 'model'), 'type') === 'e1000e' ? 'E1000e' : 'Virtio',
    link: attribute(at(device, 'link'), 'state') === 'down' ? 'Down' : 'Up',
    backend,
    guard: guardOf(device),
    bootOrder: bootOrder(device),
  };
};

/** `host-model` turns into a named model while the machine runs: then our tag says what was asked for. */
const effectiveModel = (cpu: Element | undefined, hardware: HardwareTag): string | undefined => {
  switch (attribute(cpu, 'mode')) {
    case 'host-model':
      return 'HostModel';
    case 'host-passthrough':
      return 'HostPassthrough';
    case 'maximum':
      return 'max';
    case 'custom':
      return hardware.cpuModel === 'HostModel' ? 'HostModel' : textAt(cpu, 'model');
    default:
      return hardware.cpuModel;
  }
};

const cpuOf = (domain: Element, hardware: HardwareTag, model: string | undefined): CpuShape => {
  const topology = at(domain, 'cpu', 'topology');
  const part = (name: string): number | undefined => wholeNumber(attribute(topology, name));
  const asked = hardware.cpuModel === model ? hardware.cpuAsked : model;
  return {
    sockets: part('sockets') ?? wholeNumber(textAt(domain, 'vcpu')) ?? 1,
    cores: part('cores') ?? 1,
    threads: part('threads') ?? 1,
    ...(asked === undefined ? {} : { model: asked }),
  };
};

const memoryMiB = (domain: Element): number => {
  const memory = at(domain, 'memory');
  const unit = MEMORY_UNIT_KIB.get(attribute(memory, 'unit') ?? 'KiB') ?? 1;
  return Math.round(((wholeNumber(memory?.textContent ?? undefined) ?? 0) * unit) / 1024);
};

const shapeOf = (domain: Element): VmShape => {
  const hardware = readHardwareTag(domain);
  const devices = at(domain, 'devices');
  const drives = childrenOf(devices, 'disk');
  const model = effectiveModel(at(domain, 'cpu'), hardware);
  return {
    cpu: cpuOf(domain, hardware, model),
    memoryMiB: memoryMiB(domain),
    disks: drives.flatMap((device) =>
      attribute(device, 'device') === 'cdrom' ? [] : (diskOf(device, hardware) ?? []),
    ),
    cdroms: drives.flatMap((device) =>
      attribute(device, 'device') === 'cdrom' ? (cdromOf(device) ?? []) : [],
    ),
    nics: childrenOf(devices, 'interface').flatMap((device) => nicOf(device) ?? []),
    hardware: { machineType: attribute(at(domain, 'os', 'type'), 'machine'), cpuModel: model },
    autostart: false,
  };
};

const interfacesOf = (devices: Element | undefined): ReadonlyMap<string, string> =>
  new Map(
    childrenOf(devices, 'interface').flatMap((device) => {
      const mac = attribute(at(device, 'mac'), 'address')?.toLowerCase();
      const target = attribute(at(device, 'target'), 'dev');
      return mac === undefined || target === undefined ? [] : [[mac, target] as const];
    }),
  );

const targetsOf = (devices: Element | undefined): ReadonlyMap<string, string> =>
  new Map(
    childrenOf(devices, 'disk').flatMap((device) => {
      const serial = textAt(device, 'serial');
      const target = attribute(at(device, 'target'), 'dev');
      return serial === undefined || target === undefined ? [] : [[serial, target] as const];
    }),
  );

/** Throws Fault `bug` (`MalformedAnswer`) when the text is no description of a domain. */
export const parseDomain = (text: string): DomainParsed => {
  const root = parseXml(text, 'domain');
  const devices = at(root, 'devices');
  const vnc = childrenOf(devices, 'graphics').find((each) => attribute(each, 'type') === 'vnc');
  const port = wholeNumber(attribute(vnc, 'port'));
  const agent = childrenOf(devices, 'channel')
    .map((channel) => at(channel, 'target'))
    .find((target) => attribute(target, 'name') === 'org.qemu.guest_agent.0');
  return {
    uuid: (textAt(root, 'uuid') ?? '').toLowerCase(),
    name: textAt(root, 'name') ?? '',
    record: recordOf(root),
    shape: shapeOf(root),
    cpuTag: readHardwareTag(root).cpuModel,
    vncPort: port !== undefined && port > 0 && port < 65536 ? port : undefined,
    agentConnected: attribute(agent, 'state') === 'connected',
    interfaces: interfacesOf(devices),
    targets: targetsOf(devices),
    root,
  };
};
