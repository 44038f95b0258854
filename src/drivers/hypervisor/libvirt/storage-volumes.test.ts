import { describe, expect, it } from 'vitest';
import type { StoragePlace } from '../host-storage.ts';
import type { Remote } from './remote.ts';
import { listVolumes } from './storage-volumes.ts';

const never = new AbortController().signal;

/** A host that notes what it is asked, and has no volumes. */
const noting = (): { readonly calls: string[]; readonly remote: Remote } => {
  const calls: string[] = [];
  const answer: Remote['call'] = async (name) => {
    calls.push(name);
    return JSON.parse('{"vols":[],"ret":0}');
  };
  return {
    calls,
    remote: {
      call: answer,
      events: { subscribe: async () => () => undefined },
      streams: {
        upload: async () => undefined,
        download: async function* () {},
        open: () => Promise.reject(new Error('nothing is opened here')),
      },
      closed: new Promise(() => undefined),
      close: async () => undefined,
    },
  };
};

const listed = async (topology: StoragePlace['topology']): Promise<readonly string[]> => {
  const { calls, remote } = noting();
  const place = { clusterId: 'c', poolUid: 'p1', poolName: 'files', path: '/srv/files', topology };
  await listVolumes({ remote, place, hostUuid: 'h1', sleep: async () => undefined }, never);
  return calls;
};

describe('the list of volumes', () => {
  it('is read anew where other hosts make some, for an image under a clone of theirs must not go', async () => {
    expect(await listed('Shared')).toEqual(['STORAGE_POOL_REFRESH', 'STORAGE_POOL_LIST_ALL_VOLUMES']);
  });

  it('is what the daemon knows where nobody else does', async () => {
    expect(await listed('HostLocal')).toEqual(['STORAGE_POOL_LIST_ALL_VOLUMES']);
  });
});
