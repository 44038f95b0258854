import { describe, expect, it } from 'vitest';
import { isFault } from '../../../runtime/fault.ts';
import type { MountSource } from '../host-storage.ts';
import { isOtherVolume, isOutdated, networkSourceOf } from './storage-mount.ts';
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
