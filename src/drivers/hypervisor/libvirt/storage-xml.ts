/** Storage pools and volumes as XML (formatstorage). */

import type { Element } from '@xmldom/xmldom';
import type { StoragePlace, VolumeSeen } from '../host-storage.ts';
import {
  at,
  attribute,
  childrenOf,
  el,
  elNs,
  type Piece,
  parseXml,
  textAt,
  toXml,
  wholeNumber,
} from './xml.ts';

/** What a host mounts, as libvirt's `netfs` pool describes it. */
export interface NetworkSource {
  readonly host: string;
  readonly dir: string;
  readonly format: 'glusterfs' | 'nfs';
  /** Options of mount(8) beyond libvirt's own. */
  readonly options: readonly string[];
}

/** formatstorage, "Storage Pool Namespaces": options for mount, since libvirt 5.1. */
const FS_NAMESPACE = 'http://libvirt.org/schemas/storagepool/fs/1.0';

const sourceOf = ({ host, dir, format }: NetworkSource): Piece =>
  el('source', {}, el('host', { name: host }), el('dir', { path: dir }), el('format', { type: format }));

const optionsOf = ({ options }: NetworkSource): Piece | undefined =>
  options.length === 0
    ? undefined
    : elNs(
        FS_NAMESPACE,
        'fs:mount_opts',
        {},
        ...options.map((name) => elNs(FS_NAMESPACE, 'fs:option', { name })),
      );

/**
 * A `dir` pool, or a `netfs` one with a source. Mode 0711: QEMU's user may pass through to files it was given, nobody
 * else may list them.
 */
export const poolXml = (
  place: Pick<StoragePlace, 'path'>,
  poolName: string,
  uuid: string,
  source?: NetworkSource,
): string =>
  toXml(
    el(
      'pool',
      { type: source === undefined ? 'dir' : 'netfs' },
      el('name', {}, poolName),
      el('uuid', {}, uuid),
      source && sourceOf(source),
      el('target', {}, el('path', {}, place.path), el('permissions', {}, el('mode', {}, '0711'))),
      source && optionsOf(source),
    ),
  );

/** A pool on a volume group that exists. No devices are named: any may be added to the group or taken from it. */
export const groupXml = (group: string, poolName: string, uuid: string): string =>
  toXml(
    el(
      'pool',
      { type: 'logical' },
      el('name', {}, poolName),
      el('uuid', {}, uuid),
      el('source', {}, el('name', {}, group), el('format', { type: 'lvm2' })),
      el('target', {}, el('path', {}, `/dev/${group}`)),
    ),
  );

export interface PoolParsed {
  readonly type: string | undefined;
  readonly name: string;
  readonly uuid: string;
  readonly path: string | undefined;
  /** Undefined for pools that mount nothing. */
  readonly source: Omit<NetworkSource, 'format'> | undefined;
}

const parseSource = (root: Element): PoolParsed['source'] => {
  const host = attribute(at(root, 'source', 'host'), 'name');
  const dir = attribute(at(root, 'source', 'dir'), 'path');
  if (host === undefined || dir === undefined) return undefined;
  const options = childrenOf(at(root, 'mount_opts'), 'option');
  return { host, dir, options: options.flatMap((option) => attribute(option, 'name') ?? []) };
};

/** Throws Fault `bug` (`MalformedAnswer`) when the text is no description of a pool. */
export const parsePool = (text: string): PoolParsed => {
  const root = parseXml(text, 'pool');
  return {
    type: attribute(root, 'type'),
    name: textAt(root, 'name') ?? '',
    uuid: (textAt(root, 'uuid') ?? '').toLowerCase(),
    path: textAt(root, 'target', 'path'),
    source: parseSource(root),
  };
};

/** A volume to be. `backing` names an existing file and its format: nothing is ever probed. */
export interface VolumeWish {
  readonly name: string;
  readonly format: 'qcow2' | 'raw';
  readonly sizeBytes: number;
  /** Bytes to reserve now; 0 leaves the file sparse. In a volume group the size itself: less makes a snapshot. */
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
