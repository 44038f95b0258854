/** A part of the file that the header points to, by the first byte after it. */
export interface Qcow2Range {
  readonly what: string;
  readonly end: number;
}

/** Header extension types (qemu docs/interop/qcow2.txt, "Header extensions"). */
const extension = {
  end: 0x00000000,
  backingFormat: 0xe2792aca,
  featureNames: 0x6803f857,
  bitmaps: 0x23852875,
  encryption: 0x0537be77,
  dataFile: 0x44415441,
} as const;

const forbidden: ReadonlyMap<number, string> = new Map([
  [extension.backingFormat, 'it names the format of a backing file'],
  [extension.bitmaps, 'it carries bitmaps'],
  [extension.encryption, 'it is encrypted'],
  [extension.dataFile, 'it keeps its data in an external file'],
]);

/**
 * Walk the extension area the way QEMU does: from the end of the header to the end marker or to the end of the
 * first cluster, whichever is first. Unknown types may be ignored by the specification, so they are.
 */
export const walkExtensions = (
  view: DataView,
  start: number,
  clusterBytes: number,
  refuse: (message: string) => never,
): void => {
  const seen = new Set<number>();
  let at = start;
  while (at + 8 <= clusterBytes) {
    if (at + 8 > view.byteLength) refuse('its header extensions have no end');
    const type = view.getUint32(at);
    const length = view.getUint32(at + 4);
    if (type === extension.end) return;
    const reason = forbidden.get(type);
    if (reason !== undefined) refuse(reason);
    if (seen.has(type)) refuse('it has the same header extension twice');
    seen.add(type);
    if (length > clusterBytes - at - 8) refuse('a header extension is longer than the first cluster');
    at += 8 + Math.ceil(length / 8) * 8;
  }
};
