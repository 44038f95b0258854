/** Devices of a machine, changed where they are missing or differ: in what runs (live), in what is stored, or both. */
import type { Element } from '@xmldom/xmldom';
import { Fault } from '../../../runtime/fault.ts';
import { errorCodes } from '../../../wire/libvirt/errors.ts';
import type { VmIdentity, VmStep } from '../contract.ts';
import type { CdromShape, DiskShape, NicShape } from '../shape.ts';
import { cdromXml, diskXml, nicXml, type Seat } from './device-xml.ts';
import type { DomainParsed } from './domain-parse.ts';
import type { Setup } from './domain-xml.ts';
import { type DomainRead, handle, METADATA_ELEMENT, readDiskSizes, readDomain } from './domains.ts';
import { keptOf, takenTargets } from './kept.ts';
import { aliasOf } from './names.ts';
import type { Remote } from './remote.ts';
import { freeSeat } from './seats.ts';
import { bareHardwareTag, HARDWARE_NAMESPACE, HARDWARE_PREFIX } from './tag.ts';
import { saidNo } from './to-fault.ts';
import { at, attribute, childrenOf, type Piece, serialize, textAt, toXml } from './xml.ts';

export type DeviceStep = Extract<
  VmStep,
  {
    kind: 'attachDisk' | 'detachDisk' | 'growDisk' | 'attachNic' | 'detachNic' | 'updateNic' | 'changeMedia';
  }
>;

export interface DeviceContext {
  readonly remote: Remote;
  readonly setup: Setup;
  readonly vm: VmIdentity;
  readonly read: DomainRead;
}

type Progress = 'done' | 'started';

const LIVE = 1;
const CONFIG = 2;
/** VIR_DOMAIN_DEVICE_MODIFY_FORCE: a guest that locked its tray does not keep the medium. */
const FORCE = 4;
/** VIR_DOMAIN_BLOCK_RESIZE_BYTES. */
const RESIZE_BYTES = 1;

/** The two descriptions of a machine with the flag that changes each. */
const sides = (read: DomainRead): readonly (readonly [DomainParsed, number])[] => [
  ...(read.running === undefined ? [] : [[read.running, LIVE] as const]),
  ...(read.next === undefined ? [] : [[read.next, CONFIG] as const]),
];

const conflict = (message: string): Fault => new Fault('conflict', message);

const devicesOf = (side: DomainParsed, name: 'disk' | 'interface'): readonly Element[] =>
  childrenOf(at(side.root, 'devices'), name);

const diskElement = (side: DomainParsed, serial: string): Element | undefined =>
  devicesOf(side, 'disk').find((disk) => textAt(disk, 'serial') === serial);
const cdromElement = (side: DomainParsed, name: string): Element | undefined =>
  devicesOf(side, 'disk').find(
    (disk) =>
      attribute(disk, 'device') === 'cdrom' &&
      [aliasOf('cdrom', name), name].includes(
        attribute(at(disk, 'alias'), 'name') ?? attribute(at(disk, 'target'), 'dev') ?? '',
      ),
  );
const nicElement = (side: DomainParsed, mac: string): Element | undefined =>
  devicesOf(side, 'interface').find(
    (nic) => attribute(at(nic, 'mac'), 'address')?.toLowerCase() === mac.toLowerCase(),
  );

const seatOfElement = (side: DomainParsed, element: Element): Seat =>
  keptOf(side.root).seats.get(attribute(at(element, 'alias'), 'name') ?? '') ?? {
    target: attribute(at(element, 'target'), 'dev'),
  };

const attach = async (
  context: DeviceContext,
  piece: Piece,
  flags: number,
  signal: AbortSignal,
): Promise<void> => {
  const dom = handle(context.vm.uuid);
  await context.remote.call('DOMAIN_ATTACH_DEVICE_FLAGS', { dom, xml: toXml(piece), flags }, signal);
};

const update = async (
  context: DeviceContext,
  piece: Piece,
  flags: number,
  signal: AbortSignal,
): Promise<void> => {
  const dom = handle(context.vm.uuid);
  await context.remote.call('DOMAIN_UPDATE_DEVICE_FLAGS', { dom, xml: toXml(piece), flags }, signal);
};

/** Declared sizes live in our tag, so that a definition reads back as it was wished. */
const declareSize = async (context: DeviceContext, serial: string, size: number, signal: AbortSignal) => {
  for (const [side, flags] of sides(context.read)) {
    const shape = {
      ...side.shape,
      disks: [...side.shape.disks.filter((disk) => disk.serial !== serial), { serial, sizeBytes: size }],
    };
    const dom = handle(context.vm.uuid);
    const metadata = toXml(bareHardwareTag(shape, side.cpuTag));
    await context.remote.call(
      'DOMAIN_SET_METADATA',
      { dom, type: METADATA_ELEMENT, metadata, key: HARDWARE_PREFIX, uri: HARDWARE_NAMESPACE, flags },
      signal,
    );
  }
};

const attachDisk = async (
  context: DeviceContext,
  disk: DiskShape,
  signal: AbortSignal,
): Promise<Progress> => {
  const missing = sides(context.read).filter(([side]) => diskElement(side, disk.serial) === undefined);
  if (missing.length === 0) return 'done';
  const taken = new Set(sides(context.read).flatMap(([side]) => [...takenTargets(side.root)]));
  const piece = diskXml(disk, freeSeat(disk.bus, taken));
  for (const [, flags] of missing) await attach(context, piece, flags, signal);
  await declareSize(context, disk.serial, disk.sizeBytes, signal);
  return 'done';
};

const attachNic = async (context: DeviceContext, nic: NicShape, signal: AbortSignal): Promise<Progress> => {
  const piece = nicXml(nic, {}, context.setup.wiring);
  for (const [side, flags] of sides(context.read)) {
    if (nicElement(side, nic.mac) === undefined) await attach(context, piece, flags, signal);
  }
  return 'done';
};

/**
 * The stored definition first, so that a guest that never lets go still loses the device at its next start. A live
 * device is asked for by its alias, which does not wait; an event tells when the guest let it go.
 */
const detach = async (
  context: DeviceContext,
  find: (side: DomainParsed) => Element | undefined,
  signal: AbortSignal,
): Promise<Progress> => {
  const dom = handle(context.vm.uuid);
  const { next, running } = context.read;
  const stored = next === undefined ? undefined : find(next);
  if (stored !== undefined) {
    await context.remote.call(
      'DOMAIN_DETACH_DEVICE_FLAGS',
      { dom, xml: serialize(stored), flags: CONFIG },
      signal,
    );
  }
  const alias = running === undefined ? undefined : attribute(at(find(running), 'alias'), 'name');
  if (alias === undefined) return 'done';
  try {
    await context.remote.call('DOMAIN_DETACH_DEVICE_ALIAS', { dom, alias, flags: LIVE }, signal);
  } catch (error) {
    if (!saidNo(error, errorCodes.deviceMissing)) throw error;
  }
  const after = await readDomain(context.remote, context.vm.uuid, signal);
  return after?.running === undefined || find(after.running) === undefined ? 'done' : 'started';
};

const growStored = async (context: DeviceContext, path: string, bytes: number, signal: AbortSignal) => {
  const { vol } = await context.remote.call('STORAGE_VOL_LOOKUP_BY_PATH', { path }, signal);
  const { capacity } = await context.remote.call('STORAGE_VOL_GET_INFO', { vol }, signal);
  if (capacity >= BigInt(bytes)) return;
  await context.remote.call('STORAGE_VOL_RESIZE', { vol, capacity: BigInt(bytes), flags: 0 }, signal);
};

const growDisk = async (
  context: DeviceContext,
  serial: string,
  bytes: number,
  signal: AbortSignal,
): Promise<Progress> => {
  const side = context.read.running ?? context.read.next;
  const disk = side?.shape.disks.find((each) => each.serial === serial);
  if (side === undefined || disk === undefined) throw conflict('The machine has no disk of that serial.');
  const { attachment } = disk;
  if (context.read.running === undefined) {
    // What a storage server holds is grown there, before the host is told.
    if (attachment.kind === 'file') await growStored(context, attachment.path, bytes, signal);
  } else {
    const target = side.targets.get(serial) ?? (attachment.kind === 'file' ? attachment.path : serial);
    const sizes = await readDiskSizes(context.remote, context.vm.uuid, signal);
    // What a host tells of a device is its size now; the emulator has to be told all the same.
    if (attachment.kind === 'block' || (sizes.get(target) ?? 0) < bytes) {
      const args = { dom: handle(context.vm.uuid), disk: target, size: BigInt(bytes), flags: RESIZE_BYTES };
      await context.remote.call('DOMAIN_BLOCK_RESIZE', args, signal);
    }
  }
  const declared = sides(context.read).every(([each]) =>
    each.shape.disks.some((known) => known.serial === serial && known.sizeBytes >= bytes),
  );
  if (!declared) await declareSize(context, serial, bytes, signal);
  return 'done';
};

const sameValue = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** A running card keeps its model and boot order; everything else of it can change under the guest. */
const updateNic = async (context: DeviceContext, nic: NicShape, signal: AbortSignal): Promise<Progress> => {
  let found = false;
  for (const [side, flags] of sides(context.read)) {
    const element = nicElement(side, nic.mac);
    const seen = side.shape.nics.find((each) => each.mac === nic.mac.toLowerCase());
    if (element === undefined || seen === undefined) continue;
    found = true;
    const wanted: NicShape =
      flags === LIVE ? { ...nic, name: seen.name, model: seen.model, bootOrder: seen.bootOrder } : nic;
    const keys = ['link', 'backend', 'guard', 'model', 'bootOrder'] as const;
    if (keys.every((key) => sameValue(wanted[key], seen[key]))) continue;
    await update(context, nicXml(wanted, seatOfElement(side, element), context.setup.wiring), flags, signal);
  }
  if (!found) throw conflict(`The machine has no card ${nic.mac}.`);
  return 'done';
};

const changeMedia = async (
  context: DeviceContext,
  cdrom: CdromShape,
  signal: AbortSignal,
): Promise<Progress> => {
  let found = false;
  for (const [side, flags] of sides(context.read)) {
    const element = cdromElement(side, cdrom.name);
    const seen = side.shape.cdroms.find((each) => each.name === cdrom.name);
    if (element === undefined || seen === undefined) continue;
    found = true;
    if (seen.path === cdrom.path) continue;
    const wanted = { ...cdrom, bootOrder: seen.bootOrder };
    const piece = cdromXml(wanted, seatOfElement(side, element));
    await update(context, piece, flags === LIVE ? LIVE | FORCE : flags, signal);
  }
  if (!found) throw conflict(`The machine has no drive ${cdrom.name}.`);
  return 'done';
};

/** Throws Fault `conflict` when the device to change is not there; wire errors pass through. */
export const deviceStep = (
  context: DeviceContext,
  step: DeviceStep,
  signal: AbortSignal,
): Promise<Progress> => {
  switch (step.kind) {
    case 'attachDisk':
      return attachDisk(context, step.disk, signal);
    case 'detachDisk':
      return detach(context, (side) => diskElement(side, step.serial), signal);
    case 'growDisk':
      return growDisk(context, step.serial, step.sizeBytes, signal);
    case 'attachNic':
      return attachNic(context, step.nic, signal);
    case 'detachNic':
      return detach(context, (side) => nicElement(side, step.mac), signal);
    case 'updateNic':
      return updateNic(context, step.nic, signal);
    case 'changeMedia':
      return changeMedia(context, step.cdrom, signal);
    default:
      return step satisfies never;
  }
};
