import { Fault } from '../runtime/fault.ts';
import {
  bothEndian16,
  bothEndian32,
  type DirectoryEntry,
  directoryRecord,
  fixedDate,
  layoutDirectory,
  type NameSpace,
  sectorBytes,
} from './iso9660-records.ts';

/** A file of the root directory. */
export interface IsoFile {
  /** Letters, digits, `.`, `_` and `-`; at most 64 (Joliet specification, "Allowed Character Set"). */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A flat image: a label and the files of its root directory. */
export interface IsoContent {
  /** At most 16 letters, digits, `_` or `-`, because Joliet's label is that long. */
  readonly label: string;
  readonly files: readonly IsoFile[];
}

interface Placed extends IsoFile {
  readonly sector: number;
}

interface Extent {
  readonly sector: number;
  readonly bytes: number;
}

const maxFiles = 64;
/** Sectors 0-15 are the system area (ECMA-119, 6.2.1), then our descriptors and the four path tables. */
const at = { primary: 16, joliet: 17, terminator: 18, pathTables: 19, directories: 23 } as const;
/** One entry for the root directory (ECMA-119, 9.4). */
const pathTableBytes = 10;

const sectorsOf = (bytes: number): number => Math.ceil(bytes / sectorBytes);

const check = ({ label, files }: IsoContent): void => {
  if (!/^[A-Za-z0-9_-]{1,16}$/.test(label)) throw new Fault('bug', 'the label of an ISO image is malformed');
  const names = new Set(files.map(({ name }) => name));
  const sound = files.every(({ name }) => /^[A-Za-z0-9._-]{1,64}$/.test(name));
  if (!sound || names.size !== files.length || files.length > maxFiles)
    throw new Fault('bug', 'the files of an ISO image are malformed');
};

/** Text fields are padded with spaces, in the byte order and width of their name space. */
const putText = (target: Buffer, space: NameSpace, text: string, offset: number, bytes: number): void => {
  const width = space === 'joliet' ? 2 : 1;
  const padded = text.padEnd(Math.floor(bytes / width), ' ');
  target.set(
    space === 'joliet' ? Buffer.from(padded, 'utf16le').swap16() : Buffer.from(padded, 'latin1'),
    offset,
  );
};

interface VolumeShape {
  readonly space: NameSpace;
  readonly label: string;
  readonly totalSectors: number;
  readonly pathTableSector: number;
  readonly root: DirectoryEntry;
}

/** Primary and supplementary volume descriptors differ in type, escape sequence and text (ECMA-119, 8.4, 8.5). */
const volumeDescriptor = ({ space, label, totalSectors, pathTableSector, root }: VolumeShape): Buffer => {
  const target = Buffer.alloc(sectorBytes);
  target.writeUInt8(space === 'joliet' ? 2 : 1, 0);
  target.write('CD001\x01', 1, 'latin1');
  putText(target, space, 'LINUX', 8, 32);
  putText(target, space, label, 40, 32);
  target.set(bothEndian32(totalSectors), 80);
  // UCS-2 level 3, Joliet specification, "Escape Sequences".
  if (space === 'joliet') target.write('%/E', 88, 'latin1');
  target.set(bothEndian16(1), 120);
  target.set(bothEndian16(1), 124);
  target.set(bothEndian16(sectorBytes), 128);
  target.set(bothEndian32(pathTableBytes), 132);
  target.writeUInt32LE(pathTableSector, 140);
  target.writeUInt32BE(pathTableSector + 1, 148);
  target.set(directoryRecord(root, 'joliet'), 156);
  for (const offset of [190, 318, 446, 574]) putText(target, space, '', offset, 128);
  for (const offset of [702, 739, 776]) putText(target, space, '', offset, 37);
  for (const offset of [813, 830]) target.write(fixedDate.text, offset, 'latin1');
  for (const offset of [847, 864]) target.write('0000000000000000\0', offset, 'latin1');
  target.writeUInt8(1, 881);
  return target;
};

/** Little- and big-endian path tables of a lone root directory (ECMA-119, 9.4). */
const pathTables = (rootSector: number): Buffer => {
  const target = Buffer.alloc(2 * sectorBytes);
  target.writeUInt8(1, 0);
  target.writeUInt32LE(rootSector, 2);
  target.writeUInt16LE(1, 6);
  target.writeUInt8(1, sectorBytes);
  target.writeUInt32BE(rootSector, sectorBytes + 2);
  target.writeUInt16BE(1, sectorBytes + 6);
  return target;
};

const place = (files: readonly IsoFile[], firstSector: number): Placed[] => {
  let sector = firstSector;
  return files.map((file) => {
    const placed = { ...file, sector };
    sector += sectorsOf(file.bytes.byteLength);
    return placed;
  });
};

/**
 * Write a CD image: ECMA-119 with 8.3 names for anyone, Joliet and Rock Ridge names for everyone of today.
 * The bytes depend on label, names, order and contents alone (dates are fixed), so a digest identifies the content.
 * @throws Fault `bug` when label or names are not what {@link IsoContent} says
 */
export const buildIso = (content: IsoContent): Uint8Array => {
  check(content);
  const { label, files } = content;
  // The size of a directory depends on names only, so a first pass with sectors of zero measures it.
  const measure = (space: NameSpace): number => layoutDirectory(place(files, 0), 0, 0, space).byteLength;
  const isoRoot: Extent = { sector: at.directories, bytes: measure('iso') };
  const jolietRoot: Extent = { sector: isoRoot.sector + sectorsOf(isoRoot.bytes), bytes: measure('joliet') };
  const placed = place(files, jolietRoot.sector + sectorsOf(jolietRoot.bytes));
  const last = placed.at(-1);
  const totalSectors =
    last === undefined
      ? jolietRoot.sector + sectorsOf(jolietRoot.bytes)
      : last.sector + sectorsOf(last.bytes.byteLength);
  const image = Buffer.alloc(totalSectors * sectorBytes);
  const put = (bytes: Uint8Array, sector: number): void => image.set(bytes, sector * sectorBytes);
  const describe = (space: NameSpace, { sector, bytes }: Extent, tables: number): Buffer => {
    put(pathTables(sector), tables);
    put(layoutDirectory(placed, sector, bytes, space), sector);
    const root = { id: Buffer.of(0), sector, bytes, directory: true };
    return volumeDescriptor({ space, label, totalSectors, pathTableSector: tables, root });
  };
  put(describe('iso', isoRoot, at.pathTables), at.primary);
  put(describe('joliet', jolietRoot, at.pathTables + 2), at.joliet);
  put(Buffer.from('\xffCD001\x01', 'latin1'), at.terminator);
  for (const { bytes, sector } of placed) put(bytes, sector);
  return image;
};
