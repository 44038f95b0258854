import { describe, expect, it } from 'vitest';
import { isFault } from '../../../runtime/fault.ts';
import { LibvirtError } from '../../../wire/libvirt/errors.ts';
import type { StoragePlace } from '../host-storage.ts';
import type { Remote } from './remote.ts';
import { checkMounted } from './storage-place.ts';

const never = new AbortController().signal;
const place: StoragePlace = {
  clusterId: 'c',
  poolUid: 'p1',
  poolName: 'shared',
  path: '/srv/shared',
  topology: 'Shared',
};

/** A host without any file. */
const emptyHost = () => {
  const calls: string[] = [];
  const remote: Pick<Remote, 'call'> = {
    call: (name) => {
      calls.push(name);
      const [code, domain, level] = [50, 18, 2];
      const fields = { code, domain, level, message: 'no storage vol', strings: [], numbers: [] };
      return Promise.reject(new LibvirtError(name, fields));
    },
  };
  return { calls, remote };
};

const faultOf = async (it: StoragePlace): Promise<unknown> => {
  try {
    await checkMounted(emptyHost().remote, it, never);
  } catch (error) {
    return error;
  }
  return undefined;
};

describe('a folder that is not mounted', () => {
  it('is not touched, whoever mounts it', async () => {
    const byHand = await faultOf(place);
    expect(isFault(byHand, 'unreachable') && byHand.reason).toBe('MarkerMissing');
    const byUs = await faultOf({ ...place, mount: { kind: 'nfs', server: '192.0.2.51', export: '/srv' } });
    expect(isFault(byUs, 'unreachable') && byUs.reason).toBe('MountLost');
  });

  it('is no matter where each host has the folder for itself: nothing is asked', async () => {
    const { calls, remote } = emptyHost();
    await checkMounted(remote, { ...place, topology: 'HostLocal' }, never);
    expect(calls).toEqual([]);
  });
});
