/** Fields of a header to lay out by hand; what is left out is that of a sound empty 256 MiB image. */
export interface SampleHeader {
  readonly magic?: number;
  readonly version?: number;
  readonly backingOffset?: bigint;
  readonly backingSize?: number;
  readonly clusterBits?: number;
  readonly virtualSize?: bigint;
  readonly crypt?: number;
  readonly l1Entries?: number;
  readonly l1Offset?: bigint;
  readonly refcountOffset?: bigint;
  readonly refcountClusters?: number;
  readonly snapshots?: number;
  readonly snapshotsOffset?: bigint;
  readonly incompatible?: bigint;
  readonly autoclear?: bigint;
  readonly refcountOrder?: number;
  readonly headerLength?: number;
  readonly compressionType?: number;
  readonly extensions?: readonly (readonly [type: number, data: Uint8Array])[];
}

const defaultL1Entries = (size: bigint, clusterBits: number): number =>
  Number(size >> BigInt(2 * clusterBits - 3)) + 1;

/** The bytes of a qcow2 header of test data's making (qemu docs/interop/qcow2.txt), padded to six clusters. */
export const sampleQcow2 = (header: SampleHeader): Buffer => {
  const { version = 3, clusterBits = 16, virtualSize = 1n << 28n } = header;
  const cluster = BigInt(2 ** Math.min(clusterBits, 21));
  const bytes = Buffer.alloc(Math.max(72_000, Math.min(6 * Number(cluster), 400_000)));
  const l1Entries = header.l1Entries ?? defaultL1Entries(virtualSize, Math.max(clusterBits, 9));
  bytes.writeUInt32BE(header.magic ?? 0x514649fb, 0);
  bytes.writeUInt32BE(version, 4);
  bytes.writeBigUInt64BE(header.backingOffset ?? 0n, 8);
  bytes.writeUInt32BE(header.backingSize ?? 0, 16);
  bytes.writeUInt32BE(clusterBits, 20);
  bytes.writeBigUInt64BE(virtualSize, 24);
  bytes.writeUInt32BE(header.crypt ?? 0, 32);
  bytes.writeUInt32BE(l1Entries > 0xffff_ffff ? 1 : l1Entries, 36);
  bytes.writeBigUInt64BE(header.l1Offset ?? 3n * cluster, 40);
  bytes.writeBigUInt64BE(header.refcountOffset ?? cluster, 48);
  bytes.writeUInt32BE(header.refcountClusters ?? 1, 56);
  bytes.writeUInt32BE(header.snapshots ?? 0, 60);
  bytes.writeBigUInt64BE(header.snapshotsOffset ?? 0n, 64);
  if (version >= 3) {
    bytes.writeBigUInt64BE(header.incompatible ?? 0n, 72);
    bytes.writeBigUInt64BE(header.autoclear ?? 0n, 88);
    bytes.writeUInt32BE(header.refcountOrder ?? 4, 96);
    bytes.writeUInt32BE(header.headerLength ?? 112, 100);
    bytes.writeUInt8(header.compressionType ?? 0, 104);
  }
  let at = version >= 3 ? 112 : 72;
  for (const [type, data] of header.extensions ?? []) {
    bytes.writeUInt32BE(type, at);
    bytes.writeUInt32BE(data.byteLength, at + 4);
    bytes.set(data.subarray(0, bytes.byteLength - at - 8), at + 8);
    at += 8 + Math.ceil(data.byteLength / 8) * 8;
  }
  return bytes;
};
