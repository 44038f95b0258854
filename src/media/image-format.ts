import { refusedFormat } from './image-fault.ts';

/** The formats an image may be declared as. */
export type ImageFormat = 'raw' | 'qcow2' | 'iso';

/** Everything that is recognised by its first bytes; only `qcow2` and `iso` are taken, `unknown` passes as raw. */
export type DetectedFormat =
  | 'qcow2'
  | 'qcow'
  | 'qed'
  | 'vmdk'
  | 'vhdx'
  | 'vhd'
  | 'vdi'
  | 'luks'
  | 'parallels'
  | 'bochs'
  | 'cloop'
  | 'gzip'
  | 'xz'
  | 'zstd'
  | 'bzip2'
  | 'zip'
  | '7z'
  | 'tar'
  | 'html'
  | 'iso'
  | 'unknown';

/** How much of the file {@link detectFormat} wants: up to the end of the first ISO volume descriptor's name. */
export const detectPrefixBytes = 32_774;

interface Magic {
  readonly format: DetectedFormat;
  readonly at: number;
  readonly bytes: Uint8Array;
}

const text = (value: string): Uint8Array => Uint8Array.from(value, (char) => char.charCodeAt(0));
const magic = (format: DetectedFormat, value: string, at = 0): Magic => ({ format, at, bytes: text(value) });

/**
 * Magic numbers of every format QEMU probes for (qemu block/*.c, the `_probe` functions) and of what people
 * download by mistake. ISO is last: its 32 KiB system area can hold any of the others, and then it is those.
 */
const magics: readonly Magic[] = [
  magic('qcow', 'QFI\xfb\x00\x00\x00\x01'),
  magic('qcow2', 'QFI\xfb'),
  magic('qed', 'QED\x00'),
  magic('vmdk', 'KDMV'),
  magic('vmdk', 'COWD'),
  magic('vhdx', 'vhdxfile'),
  magic('vhd', 'conectix'),
  magic('vdi', '\x7f\x10\xda\xbe', 0x40),
  magic('luks', 'LUKS\xba\xbe'),
  magic('parallels', 'WithoutFreeSpace'),
  magic('parallels', 'WithouFreSpacExt'),
  magic('bochs', 'Bochs Virtual HD Image'),
  magic('cloop', '#!/bin/sh\n#V2.0 Format\n'),
  magic('gzip', '\x1f\x8b\x08'),
  magic('xz', '\xfd7zXZ\x00'),
  magic('zstd', '\x28\xb5\x2f\xfd'),
  magic('bzip2', 'BZh'),
  magic('zip', 'PK\x03\x04'),
  magic('7z', '7z\xbc\xaf\x27\x1c'),
  magic('tar', 'ustar', 257),
  magic('iso', 'CD001', 32_769),
];

const matches = (prefix: Uint8Array, { at, bytes }: Magic): boolean =>
  prefix.byteLength >= at + bytes.byteLength && bytes.every((byte, index) => prefix[at + index] === byte);

/** QEMU takes a text file as a VMDK when its first line that is no comment or blank starts with "version=". */
const isVmdkDescriptor = (head: string): boolean =>
  head.startsWith('# disk descriptorfile') || /^(?:#[^\n]*\n|[ \r]*\n)*version=\d/.test(head);

const isHtml = (head: string): boolean => /^\s*<(?:!doctype html|html|head|\?xml)/.test(head);

/** Name the format from the first {@link detectPrefixBytes} of a file (or all of it). Never throws. */
export const detectFormat = (prefix: Uint8Array): DetectedFormat => {
  const head = Buffer.from(prefix.buffer, prefix.byteOffset, Math.min(prefix.byteLength, 2048))
    .toString('latin1')
    .toLowerCase();
  if (isVmdkDescriptor(head)) return 'vmdk';
  if (isHtml(head)) return 'html';
  return magics.find((candidate) => matches(prefix, candidate))?.format ?? 'unknown';
};

const compressedFormats: ReadonlySet<DetectedFormat> = new Set([
  'gzip',
  'xz',
  'zstd',
  'bzip2',
  'zip',
  '7z',
  'tar',
]);

const describe = (found: DetectedFormat): string => {
  if (found === 'html') return 'the content is a web page, not a disk image; check the URL';
  if (compressedFormats.has(found)) return `the content is compressed or an archive (${found})`;
  return found === 'unknown' ? 'the content has no such header' : `the content is ${found}`;
};

/**
 * The declared format must be what the bytes are. Raw takes what has no header of another disk format: a raw disk
 * that carries one would be opened as that format by any tool that probes (OSSA-2024-002). A hybrid ISO is fine as
 * raw, since no tool probes for ISO.
 * @throws Fault `invalid` with reason ImageFormatRefused
 */
export const checkDeclaredFormat = (declared: ImageFormat, prefix: Uint8Array): void => {
  const found = detectFormat(prefix);
  const accepted = declared === 'raw' ? found === 'unknown' || found === 'iso' : found === declared;
  if (!accepted) throw refusedFormat(`the image is declared as ${declared}, but ${describe(found)}`);
};
