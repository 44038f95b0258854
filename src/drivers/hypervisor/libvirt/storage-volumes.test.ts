import { describe, expect, it } from 'vitest';
import { LibvirtError } from '../../../wire/libvirt/errors.ts';
import type { StoragePlace } from '../host-storage.ts';
import type { Remote } from './remote.ts';
import { deleteVolume, listVolumes } from './storage-volumes.ts';

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

/** A host that may not take the file away. */
const refusing = (mount: StoragePlace['mount']): Promise<void> => {
  const { remote } = noting();
  const said = { code: 38, domain: 18, level: 2, strings: [], numbers: [13] };
  const message = "cannot unlink file '/mnt/ovcp-image-1.qcow2': Permission denied";
  const call: Remote['call'] = (name) => Promise.reject(new LibvirtError(name, { ...said, message }));
  const place: StoragePlace = {
    ...{ clusterId: 'c', poolUid: 'p1', poolName: 'nas', path: '/mnt', topology: 'Shared' },
    ...(mount === undefined ? {} : { mount }),
  };
  const shelf = { remote: { ...remote, call }, place, hostUuid: 'h1', sleep: async () => undefined };
  return deleteVolume(shelf, 'ovcp-image-1.qcow2', never);
};

describe('a file that is not taken away', () => {
  it('is told of with what its export needs, where libvirt acts as the owner of the file', async () => {
    await expect(refusing({ kind: 'nfs', server: 'nas.example', export: '/srv/ovcp' })).rejects.toMatchObject(
      {
        kind: 'unreachable',
        reason: 'StorageNotReady',
        message: expect.stringContaining('from /srv/ovcp of nas.example'),
      },
    );
  });

  it('is told of with what the host said elsewhere', async () => {
    await expect(refusing(undefined)).rejects.toThrow('Permission denied');
  });
});
