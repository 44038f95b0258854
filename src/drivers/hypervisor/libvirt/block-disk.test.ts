import { expect, it } from 'vitest';
import type { DiskShape } from '../shape.ts';
import { diskXml } from './device-xml.ts';
import { parseDomain } from './domain-parse.ts';
import { el, toXml } from './xml.ts';

const disk: DiskShape = {
  name: 'root',
  serial: 'aaaaaaaa000040008000',
  bus: 'SCSI',
  attachment: {
    kind: 'block',
    path: '/dev/disk/by-id/dm-uuid-mpath-36001405aaaaaaaa00004000800000000',
    format: 'raw',
  },
  sizeBytes: 0,
};

it('a disk that the host has logged in to is opened past the cache of the host, and read back as it was wished', () => {
  const xml = toXml(el('domain', { type: 'kvm' }, el('devices', {}, diskXml(disk, { target: 'sda' }))));
  expect(xml).toContain('<disk type="block" device="disk">');
  expect(xml).toContain('type="raw" cache="none" io="native" discard="unmap"');
  expect(parseDomain(xml).shape.disks).toEqual([disk]);
});
