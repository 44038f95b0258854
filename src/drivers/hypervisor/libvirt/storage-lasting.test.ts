import { describe, expect, it } from 'vitest';
import { errorCodes, LibvirtError } from '../../../wire/libvirt/errors.ts';
import type { Remote } from './remote.ts';
import { flush, makeLasting } from './storage-lasting.ts';

const place = {
  clusterId: 'c',
  poolUid: 'p1',
  poolName: 'files',
  path: '/srv/files',
  topology: 'HostLocal',
} as const;

/** A host that notes what it is asked. */
const noting = (refusal?: Error) => {
  const calls: string[] = [];
  const slept: number[] = [];
  const call = async (name: string, args: { readonly capacity?: bigint }) => {
    calls.push(args.capacity === undefined ? name : `${name} ${args.capacity}`);
    if (name === 'STORAGE_VOL_RESIZE' && refusal !== undefined) throw refusal;
    return { capacity: 4096n };
  };
  const remote = { call } as unknown as Remote;
  const sleep = async (delayMs: number) => void slept.push(delayMs);
  return { calls, slept, shelf: { remote, place, hostUuid: 'h1', sleep } };
};
const never = new AbortController().signal;
const fields = {
  code: errorCodes.invalidArgument,
  domain: 18,
  level: 2,
  message: 'no',
  strings: [],
  numbers: [],
};

describe('a file that is to last', () => {
  it('is flushed by a resize to the size that it has', async () => {
    const { calls, slept, shelf } = noting();
    await makeLasting(shelf, 'ovcp-disk-a.qcow2', never);
    expect(calls).toEqual(['STORAGE_VOL_GET_INFO', 'STORAGE_VOL_RESIZE 4096']);
    expect(slept).toEqual([]);
  });

  it('is waited for where libvirt does not resize it: when it is longer than its disk', async () => {
    const { slept, shelf } = noting(new LibvirtError('STORAGE_VOL_RESIZE', fields));
    await makeLasting(shelf, 'ovcp-disk-a.qcow2', never);
    expect(slept).toEqual([60_000]);
  });

  it('is not taken for flushed when the host is gone', async () => {
    const { slept, shelf } = noting(new Error('cut off'));
    await expect(makeLasting(shelf, 'ovcp-disk-a.qcow2', never)).rejects.toThrow('cut off');
    expect(slept).toEqual([]);
  });

  it('is waited for when it is raw', async () => {
    const { calls, slept, shelf } = noting();
    await makeLasting(shelf, 'ovcp-disk-a.raw', never);
    expect([calls, slept]).toEqual([[], [60_000]]);
  });

  it('is flushed where that is possible, and not waited for, when what it is made from stays', async () => {
    const [able, unable] = [noting(), noting(new LibvirtError('STORAGE_VOL_RESIZE', fields))];
    const said = [
      await flush(able.shelf, 'ovcp-disk-a.qcow2', never),
      await flush(unable.shelf, 'ovcp-disk-a.qcow2', never),
      await flush(unable.shelf, 'ovcp-image-a.iso', never),
    ];
    expect(said).toEqual([true, false, false]);
    expect([able.slept, unable.slept]).toEqual([[], []]);
  });
});
