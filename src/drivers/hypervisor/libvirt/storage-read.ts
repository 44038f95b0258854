/**
 * Bytes of a volume as they lie in its file. Holes come as holes where the file system tells of them. A FUSE mount of
 * Gluster does not (`lseek` with SEEK_DATA is "not supported"), and libvirt ends the stream before the first byte: the
 * place is read byte by byte from then on.
 */
import { errorCodes } from '../../../wire/libvirt/errors.ts';
import type { Chunk, FileRange, StoragePlace } from '../host-storage.ts';
import type { Remote } from './remote.ts';
import { handleOf } from './storage-volumes.ts';
import { saidNo } from './to-fault.ts';

/** VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM: holes of the file come as holes. */
const SPARSE_STREAM = 1;

type Read = (
  bulk: Pick<Remote, 'streams'>,
  place: StoragePlace,
  volume: string,
  range: FileRange,
  signal: AbortSignal,
) => AsyncIterable<Chunk>;

export const createRead = (): Read => {
  /** Paths of places whose file system tells of no holes. */
  const withoutHoles = new Set<string>();
  return async function* read(bulk, place, volume, { offset, length }, signal) {
    const download = (flags: number): AsyncIterable<Chunk> => {
      const args = { vol: handleOf(place, volume), offset: BigInt(offset), length: BigInt(length), flags };
      return bulk.streams.download('STORAGE_VOL_DOWNLOAD', args, signal);
    };
    if (!withoutHoles.has(place.path)) {
      let begun = false;
      try {
        for await (const chunk of download(SPARSE_STREAM)) {
          begun = true;
          yield chunk;
        }
        return;
      } catch (error) {
        if (begun || !saidNo(error, errorCodes.systemError)) throw error;
      }
    }
    yield* download(0);
    withoutHoles.add(place.path);
  };
};
