import { describe, expect, it } from 'vitest';
import { errorCodes, LibvirtError } from '../../../wire/libvirt/errors.ts';
import type { Chunk } from '../host-storage.ts';
import type { Remote } from './remote.ts';
import { createRead } from './storage-read.ts';

const place = {
  clusterId: 'c',
  poolUid: 'p1',
  poolName: 'gv0',
  path: '/var/lib/ovcp/mounts/p1',
  topology: 'Shared',
} as const;
const never = new AbortController().signal;
const systemError = (): LibvirtError =>
  new LibvirtError('STORAGE_VOL_DOWNLOAD', {
    code: errorCodes.systemError,
    domain: 38,
    level: 2,
    message: 'Unable to seek to data: Operation not supported',
    strings: [],
    numbers: [],
  });

/** Streams that note how they were asked for: sparse ones end with `refusal`, after `before`. */
const streaming = (refusal?: Error, before: readonly Chunk[] = []) => {
  const flags: number[] = [];
  const download = async function* (_name: string, args: { readonly flags: number }) {
    flags.push(args.flags);
    if (args.flags === 0) yield new Uint8Array(4096);
    else {
      yield* before;
      if (refusal !== undefined) throw refusal;
      yield { hole: 4096 };
    }
  };
  return { flags, bulk: { streams: { download } } as unknown as Remote };
};

const all = async (chunks: AsyncIterable<Chunk>): Promise<Chunk[]> => {
  const found: Chunk[] = [];
  for await (const chunk of chunks) found.push(chunk);
  return found;
};
const range = { offset: 0, length: 4096 };

describe('the bytes of a volume', () => {
  it('come with holes where the file system tells of them', async () => {
    const { flags, bulk } = streaming();
    expect(await all(createRead()(bulk, place, 'ovcp-a', range, never))).toEqual([{ hole: 4096 }]);
    expect(flags).toEqual([1]);
  });

  it('come one by one where it does not, as on a mount of Gluster; it is asked once', async () => {
    const { flags, bulk } = streaming(systemError());
    const read = createRead();
    expect(await all(read(bulk, place, 'ovcp-a', range, never))).toEqual([new Uint8Array(4096)]);
    expect(await all(read(bulk, place, 'ovcp-a', range, never))).toEqual([new Uint8Array(4096)]);
    expect(flags).toEqual([1, 0, 0]);
  });

  it('are not read twice when the host fails in the middle, or for another reason', async () => {
    const middle = streaming(systemError(), [{ hole: 512 }]);
    await expect(all(createRead()(middle.bulk, place, 'ovcp-a', range, never))).rejects.toThrow(
      'Unable to seek',
    );
    const other = streaming(new Error('cut off'));
    await expect(all(createRead()(other.bulk, place, 'ovcp-a', range, never))).rejects.toThrow('cut off');
    expect([...middle.flags, ...other.flags]).toEqual([1, 1]);
  });
});
