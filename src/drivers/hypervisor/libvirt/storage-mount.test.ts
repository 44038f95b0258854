import { describe, expect, it } from 'vitest';
import { isFault } from '../../../runtime/fault.ts';
import { LibvirtError } from '../../../wire/libvirt/errors.ts';
import type { MountSource, StoragePlace } from '../host-storage.ts';
import type { Remote } from './remote.ts';
import { isOtherVolume, isOutdated, mountPool, networkSourceOf } from './storage-mount.ts';
import { parsePool, poolXml } from './storage-xml.ts';

const path = '/var/lib/ovcp/mounts/u';
const uuid = '11111111-1111-4111-8111-111111111111';
const gluster: MountSource = {
  kind: 'gluster',
  servers: ['192.0.2.21', '192.0.2.22', 'g3.example.org'],
  volume: 'gv0',
};
const nfs: MountSource = { kind: 'nfs', server: '192.0.2.51', export: '/srv/ovcp' };

const written = (mount: MountSource) => poolXml({ path }, 'ovcp-1', uuid, networkSourceOf(mount));

describe('a mount as a libvirt pool', () => {
  it('of Gluster has the other servers as backups', () => {
    expect(written(gluster)).toBe(
      `<pool type="netfs"><name>ovcp-1</name><uuid>${uuid}</uuid>` +
        '<source><host name="192.0.2.21"/><dir path="/gv0"/><format type="glusterfs"/></source>' +
        `<target><path>${path}</path><permissions><mode>0711</mode></permissions></target>` +
        '<fs:mount_opts xmlns:fs="http://libvirt.org/schemas/storagepool/fs/1.0">' +
        '<fs:option name="backup-volfile-servers=192.0.2.22:g3.example.org"/></fs:mount_opts></pool>',
    );
  });

  it('of NFS is the export, tried once', () => {
    const source = '<source><host name="192.0.2.51"/><dir path="/srv/ovcp"/><format type="nfs"/></source>';
    expect(written(nfs)).toContain(source);
    expect(written(nfs)).toContain('<fs:option name="retry=0"/></fs:mount_opts>');
  });

  it('is read back as it was written', () => {
    for (const mount of [gluster, nfs]) {
      const parsed = parsePool(written(mount));
      expect(parsed).toMatchObject({ type: 'netfs', path });
      expect(isOutdated(parsed, mount)).toBe(false);
      expect(isOtherVolume(parsed, mount)).toBe(false);
    }
  });

  it('is outdated when it comes from other servers, and another one when the volume is', () => {
    const parsed = parsePool(written(gluster));
    const [first = '', ...rest] = gluster.servers;
    expect(isOutdated(parsed, { ...gluster, servers: [...rest, first] })).toBe(true);
    expect(isOutdated(parsed, { ...gluster, servers: [first] })).toBe(true);
    expect(isOtherVolume(parsed, { ...gluster, volume: 'gv1' })).toBe(true);
    expect(isOtherVolume(parsePool(poolXml({ path }, 'ovcp-1', uuid)), gluster)).toBe(true);
  });

  it('of simulated storage cannot be had on a real host', () => {
    let thrown: unknown;
    try {
      networkSourceOf({ kind: 'simulated', share: 'x' });
    } catch (error) {
      thrown = error;
    }
    expect(isFault(thrown, 'unsupported')).toBe(true);
  });
});

describe('mounting', () => {
  const place: StoragePlace = {
    ...{ clusterId: 'c', poolUid: 'u', poolName: 'nas', path, topology: 'Shared' },
    mount: nfs,
  };
  const command = `internal error: Child process (/bin/mount -o nodev -t nfs 192.0.2.51:/srv/ovcp ${path}) unexpected exit status 32: `;
  /** A host that answers to CREATE with these words in turn, and then mounts; what it was asked. */
  const mountOn = async (...answers: string[]): Promise<readonly string[]> => {
    const asked: string[] = [];
    const call = (name: string): Promise<unknown> => {
      asked.push(name);
      const message = name === 'STORAGE_POOL_CREATE' ? answers.shift() : undefined;
      const fields = {
        code: 1,
        domain: 18,
        level: 2,
        message: `${command}${message}`,
        strings: [],
        numbers: [],
      };
      return message === undefined
        ? Promise.resolve({})
        : Promise.reject(new LibvirtError('STORAGE_POOL_CREATE', fields));
    };
    const remote = { call } as unknown as Remote;
    await mountPool(remote, place, nfs, { name: 'ovcp-1', uuid }, new AbortController().signal);
    return asked;
  };

  it('leaves a folder that is there as it is: what is mounted on it may be of others', async () => {
    expect(await mountOn()).toEqual(['STORAGE_POOL_CREATE']);
  });

  it('makes the folder that is missing', async () => {
    const said = `mount.nfs: mount point ${path} does not exist`;
    expect(await mountOn(said)).toEqual(['STORAGE_POOL_CREATE', 'STORAGE_POOL_BUILD', 'STORAGE_POOL_CREATE']);
  });

  it('tells what mount(8) said, and not how it was called', async () => {
    await expect(
      mountOn('Created symlink /run/x.\nmount.nfs: access denied by server\n'),
    ).rejects.toMatchObject({
      reason: 'MountFailed',
      message:
        'The host cannot mount /srv/ovcp of 192.0.2.51 for the pool nas: mount.nfs: access denied by server',
    });
  });
});
