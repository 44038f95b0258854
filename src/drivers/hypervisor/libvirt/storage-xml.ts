/** Storage pools and volumes as XML (formatstorage). */
import type { StoragePlace, VolumeSeen } from '../host-storage.ts';
import { at, attribute, el, type Piece, parseXml, textAt, toXml, wholeNumber } from './xml.ts';

/** A `dir` pool. Mode 0711: QEMU's user may pass through to files it was given, nobody else may list them. */
export const poolXml = (place: Pick<StoragePlace, 'path'>, poolName: string, uuid: string): string =>
  toXml(
    el(
      'pool',
      { type: 'dir' },
      el('name', {}, poolName),
      el('uuid', {}, uuid),
      el('target', {}, el('path', {}, place.path), el('permissions', {}, el('mode', {}, '0711'))),
    ),
  );

export interface PoolParsed {
  readonly type: string | undefined;
  readonly name: string;
  readonly uuid: string;
  readonly path: string | undefined;
}

/** Throws Fault `bug` (`MalformedAnswer`) when the text is no description of a pool. */
export const parsePool = (text: string): PoolParsed => {
  const root = parseXml(text, 'pool');
  return {
    type: attribute(root, 'type'),
    name: textAt(root, 'name') ?? '',
    uuid: (textAt(root, 'uuid') ?? '').toLowerCase(),
    path: textAt(root, 'target', 'path'),
  };
};

/** A volume to be. `backing` names an existing file and its format: nothing is ever probed. */
export interface VolumeWish {
  readonly name: string;
  readonly format: 'qcow2' | 'raw';
  readonly sizeBytes: number;
  /** Bytes to reserve now; 0 leaves the file sparse. */
  readonly allocationBytes?: number | undefined;
  readonly backing?: { readonly path: string; readonly format: 'qcow2' | 'raw' } | undefined;
}

const target = (wish: VolumeWish): Piece =>
  el(
    'target',
    {},
    el('format', { type: wish.format }),
    // 0600: root's alone; the daemon hands the file to QEMU's user for as long as the machine runs.
    el('permissions', {}, el('mode', {}, '0600')),
    wish.format === 'qcow2' && el('compat', {}, '1.1'),
    wish.format === 'qcow2' && wish.backing === undefined && el('features', {}, el('lazy_refcounts')),
  );

export const volumeXml = (wish: VolumeWish): string =>
  toXml(
    el(
      'volume',
      {},
      el('name', {}, wish.name),
      el('capacity', { unit: 'bytes' }, String(wish.sizeBytes)),
      el('allocation', { unit: 'bytes' }, String(wish.allocationBytes ?? 0)),
      target(wish),
      wish.backing === undefined
        ? undefined
        : el(
            'backingStore',
            {},
            el('path', {}, wish.backing.path),
            el('format', { type: wish.backing.format }),
          ),
    ),
  );

/** Formats in which a file is its own content, byte by byte. */
const PLAIN: ReadonlySet<string | undefined> = new Set([undefined, 'raw', 'iso']);

/**
 * One volume's description without what its marker says. The format is the one that our name for it says. libvirt
 * looks at the head of a file, and what a guest wrote there makes it tell another format, size and backing file of a
 * raw volume: none of them is believed. Throws Fault `bug` (`MalformedAnswer`).
 */
export const parseVolume = (text: string): Omit<VolumeSeen, 'complete' | 'digest'> => {
  const root = parseXml(text, 'volume');
  const name = textAt(root, 'name') ?? '';
  const format = attribute(at(root, 'target', 'format'), 'type');
  const backingPath = textAt(root, 'backingStore', 'path');
  const path = textAt(root, 'target', 'path') ?? '';
  const allocatedBytes = wholeNumber(textAt(root, 'allocation')) ?? 0;
  const capacity = wholeNumber(textAt(root, 'capacity')) ?? 0;
  const plain = name.endsWith('.raw') ? 'raw' : name.endsWith('.iso') ? 'iso' : undefined;
  if (plain !== undefined) {
    const own = PLAIN.has(format);
    const sizeBytes = own ? capacity : (wholeNumber(textAt(root, 'physical')) ?? 0);
    return { name, path, format: plain, sizeBytes, allocatedBytes, ...(own ? {} : { disguisedAs: format }) };
  }
  return {
    name,
    path,
    format: format === 'qcow2' ? 'qcow2' : 'raw',
    sizeBytes: capacity,
    allocatedBytes,
    ...(backingPath === undefined || backingPath === '' ? {} : { backingPath }),
  };
};

/** What libvirt takes the volume for. */
export const parseFormat = (text: string): string | undefined =>
  attribute(at(parseXml(text, 'volume'), 'target', 'format'), 'type');
