/** Logical sector and block of a CD (ECMA-119, 6.1.2, 6.2.2). */
export const sectorBytes = 2048;

/** The two directory trees of an image: `iso` carries 8.3 names with Rock Ridge, `joliet` carries UCS-2 names. */
export type NameSpace = 'iso' | 'joliet';

/** 2000-01-01T00:00:00Z in the two forms of ECMA-119 (9.1.5 and 8.4.26.1). */
export const fixedDate = {
  record: Uint8Array.of(100, 1, 1, 0, 0, 0, 0),
  text: '2000010100000000\0',
} as const;

/** ECMA-119, 7.2.3. */
export const bothEndian16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(value, 0);
  bytes.writeUInt16BE(value, 2);
  return bytes;
};

/** ECMA-119, 7.3.3. */
export const bothEndian32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(value, 0);
  bytes.writeUInt32BE(value, 4);
  return bytes;
};

/** What a directory record points to; `rockRidge` holds its system use entries. */
export interface DirectoryEntry {
  readonly id: Buffer;
  readonly sector: number;
  readonly bytes: number;
  readonly directory: boolean;
  readonly rockRidge?: Buffer;
}

/** ECMA-119, 9.1; a plain root record is the same in both name spaces. */
export const directoryRecord = (entry: DirectoryEntry, space: NameSpace): Buffer => {
  const idEnd = 33 + entry.id.byteLength + ((entry.id.byteLength + 1) % 2);
  const systemUse = space === 'iso' ? (entry.rockRidge ?? Buffer.alloc(0)) : Buffer.alloc(0);
  const length = idEnd + systemUse.byteLength + (systemUse.byteLength % 2);
  const record = Buffer.alloc(length);
  record.writeUInt8(length, 0);
  record.set(bothEndian32(entry.sector), 2);
  record.set(bothEndian32(entry.bytes), 10);
  record.set(fixedDate.record, 18);
  record.writeUInt8(entry.directory ? 2 : 0, 25);
  record.set(bothEndian16(1), 28);
  record.writeUInt8(entry.id.byteLength, 32);
  record.set(entry.id, 33);
  record.set(systemUse, idEnd);
  return record;
};

/** One system use entry: signature, length, version 1, data (IEEE P1281, 4.1). */
const systemUse = (signature: string, data: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(signature, 'latin1'), Buffer.of(4 + data.byteLength, 1), data]);

/** File mode, links, user and group (IEEE P1282, 4.1.1): all readable, owned by root. */
const posix = (mode: number, links: number): Buffer =>
  systemUse('PX', Buffer.concat([bothEndian32(mode), bothEndian32(links), bothEndian32(0), bothEndian32(0)]));

const directoryMode = 0o040555;
const fileMode = 0o100444;

/** The root's own record tells that the extensions are in use (IEEE P1281, 5.3 and 5.5). */
const rootMarks = (): Buffer =>
  Buffer.concat([
    systemUse('SP', Uint8Array.of(0xbe, 0xef, 0)),
    posix(directoryMode, 2),
    systemUse('ER', Buffer.from('\x0a\x00\x00\x01RRIP_1991A', 'latin1')),
  ]);

const rockRidgeFile = (name: string): Buffer =>
  Buffer.concat([posix(fileMode, 1), systemUse('NM', Buffer.from(`\0${name}`, 'latin1'))]);

/** An 8.3 name of ECMA-119 level 1 that no other file has: the name cut short, then numbered when taken. */
const shortName = (name: string, taken: Set<string>): string => {
  const base = name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');
  for (let number = 0; ; number += 1) {
    const suffix = number === 0 ? '' : String(number);
    const candidate = `${base.slice(0, 8 - suffix.length)}${suffix}.;1`;
    if (taken.has(candidate)) continue;
    taken.add(candidate);
    return candidate;
  }
};

/** A file that has its place in the image. */
export interface PlacedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly sector: number;
}

const entriesOf = (files: readonly PlacedFile[], space: NameSpace): DirectoryEntry[] => {
  const taken = new Set<string>();
  const entries = files.map(({ name, bytes, sector }) => ({
    id:
      space === 'joliet'
        ? Buffer.from(name, 'utf16le').swap16()
        : Buffer.from(shortName(name, taken), 'latin1'),
    sector: bytes.byteLength === 0 ? 0 : sector,
    bytes: bytes.byteLength,
    directory: false,
    rockRidge: rockRidgeFile(name),
  }));
  return entries.sort((a, b) => Buffer.compare(a.id, b.id));
};

/** Records one after another; none may cross the end of a sector (ECMA-119, 6.8.1.1). */
const pack = (records: readonly Buffer[]): Buffer => {
  const parts: Buffer[] = [];
  let used = 0;
  for (const record of records) {
    const left = sectorBytes - (used % sectorBytes);
    if (record.byteLength > left) parts.push(Buffer.alloc(left));
    used += (record.byteLength > left ? left : 0) + record.byteLength;
    parts.push(record);
  }
  return Buffer.concat([...parts, Buffer.alloc((sectorBytes - (used % sectorBytes)) % sectorBytes)]);
};

/** The extent of the root directory: itself, its parent (itself again) and the files in order of their ids. */
export const layoutDirectory = (
  files: readonly PlacedFile[],
  sector: number,
  bytes: number,
  space: NameSpace,
): Buffer => {
  const self = { sector, bytes, directory: true };
  const entries: readonly DirectoryEntry[] = [
    { ...self, id: Buffer.of(0), rockRidge: rootMarks() },
    { ...self, id: Buffer.of(1), rockRidge: posix(directoryMode, 2) },
    ...entriesOf(files, space),
  ];
  return pack(entries.map((entry) => directoryRecord(entry, space)));
};
