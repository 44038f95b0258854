/**
 * What a redefinition keeps of the definition before it: the places of devices in the guest and the controllers they
 * hang on. Without this a guest would find its cards and disks elsewhere after a change that has nothing to do with them.
 */
import type { Element } from '@xmldom/xmldom';
import type { Seat } from './device-xml.ts';
import { type Attributes, at, attribute, childrenOf } from './xml.ts';

/** Devices of which a machine has one each, by element name. */
export const SINGLE_DEVICES = ['memballoon', 'rng', 'video', 'channel', 'input', 'panic'] as const;

export interface Kept {
  readonly machineType?: string | undefined;
  readonly controllers: readonly Element[];
  /** By alias of ours, or by element name for single devices. `bus` guards against a disk that changed its bus. */
  readonly seats: ReadonlyMap<string, Seat & { readonly bus?: string | undefined }>;
}

/** Nothing to keep: the machine is new. */
export const NOTHING_KEPT: Kept = { controllers: [], seats: new Map() };

const attributesOf = (element: Element | undefined): Attributes | undefined =>
  element === undefined
    ? undefined
    : Object.fromEntries([...element.attributes].map((each) => [each.name, each.value]));

const seatOf = (device: Element): Seat & { readonly bus?: string | undefined } => {
  const target = at(device, 'target');
  return {
    target: device.localName === 'disk' ? attribute(target, 'dev') : undefined,
    bus: attribute(target, 'bus'),
    address: attributesOf(at(device, 'address')),
  };
};

/** From the stored definition (never from the running one, whose controllers may be borrowed). */
export const keptOf = (domain: Element): Kept => {
  const devices = at(domain, 'devices');
  const seats = new Map<string, Seat & { readonly bus?: string | undefined }>();
  for (const device of childrenOf(devices)) {
    const alias = attribute(at(device, 'alias'), 'name');
    const single = SINGLE_DEVICES.find((name) => name === device.localName);
    if (alias?.startsWith('ua-') === true) seats.set(alias, seatOf(device));
    else if (single !== undefined && !seats.has(single)) seats.set(single, seatOf(device));
  }
  return {
    machineType: attribute(at(domain, 'os', 'type'), 'machine'),
    controllers: childrenOf(devices, 'controller'),
    seats,
  };
};

/** Target names in use, so that a new device gets a free one. */
export const takenTargets = (domain: Element): Set<string> =>
  new Set(
    childrenOf(at(domain, 'devices'), 'disk').flatMap((disk) => attribute(at(disk, 'target'), 'dev') ?? []),
  );
