import { assert, constantFrom, property, stringMatching, tuple, uuid } from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  diskSerial,
  diskVolumeName,
  domainName,
  hostObjectName,
  imageVolumeName,
  macAddress,
  networkBridgeName,
  seedVolumeName,
  templateDiskName,
  uuidV5,
  vmUuid,
} from './identity.ts';

const label = () => stringMatching(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
const subdomain = () => stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?(\.[a-z0-9]{1,20}){0,2}$/);

describe('uuidV5', () => {
  it('gives the example of RFC 9562, appendix A.4', () => {
    expect(uuidV5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')).toBe(
      '2ed6657d-e927-568b-95e1-2665a8aea6a2',
    );
  });

  it('stands under a namespace of our own', () => {
    expect(uuidV5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'ovcp.dev')).toBe(
      'f0b8bf12-d697-5feb-924d-c96d52e602e2',
    );
  });
});

describe('vmUuid', () => {
  it('is a version 5 UUID, the same every time, and differs by cluster and by uid', () => {
    assert(
      property(uuid(), uuid(), uuid(), (cluster, one, two) => {
        expect(vmUuid(cluster, one)).toMatch(
          /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
        );
        expect(vmUuid(cluster, one)).toBe(vmUuid(cluster, one));
        expect(vmUuid(cluster, one) === vmUuid(cluster, two)).toBe(one === two);
        expect(vmUuid(two, one) === vmUuid(cluster, one)).toBe(cluster === two);
      }),
    );
  });
});

describe('names on hosts', () => {
  const object = () => tuple(label(), label(), uuid());

  it('S13: two objects never share a domain name, however their names are cut', () => {
    assert(
      property(object(), object(), (a, b) => {
        const sameName = a[0] === b[0] && a[1] === b[1] && a[2].slice(0, 8) === b[2].slice(0, 8);
        expect(domainName(...a) === domainName(...b)).toBe(sameName);
      }),
    );
    expect(domainName('a-b', 'c', '0'.repeat(36))).not.toBe(domainName('a', 'b-c', '0'.repeat(36)));
  });

  it('S13: an object that is made again under its old name is another one on the host', () => {
    const [before, after] = ['11111111-0000-4000-8000-000000000000', '22222222-0000-4000-8000-000000000000'];
    expect(domainName('team-a', 'web-1', before)).not.toBe(domainName('team-a', 'web-1', after));
  });

  it('keeps a domain name within 250 bytes and lets its end alone', () => {
    assert(
      property(
        stringMatching(/^[a-z0-9.-]{1,300}$/),
        stringMatching(/^[a-z0-9.-]{1,300}$/),
        uuid(),
        (ns, name, id) => {
          expect(Buffer.byteLength(domainName(ns, name, id))).toBeLessThanOrEqual(250);
          expect(domainName(ns, name, id).endsWith(`.${id.slice(0, 8)}`)).toBe(true);
        },
      ),
    );
  });

  it('derives a unicast, locally administered MAC address from machine and card', () => {
    assert(
      property(uuid(), label(), label(), (id, one, two) => {
        expect(macAddress(id, one)).toMatch(/^52:54(:[0-9a-f]{2}){4}$/);
        expect(macAddress(id, one) === macAddress(id, two)).toBe(one === two);
      }),
    );
  });

  it('S13: machine and card do not run together in the address', () => {
    expect(macAddress('a', 'b\nc')).not.toBe(macAddress('a\nb', 'c'));
  });

  it('names volumes by uid alone, with the format to be forced', () => {
    const id = '6f2c1d3e-0000-4000-8000-1234567890ab';
    expect(diskVolumeName(id, 'qcow2')).toBe(`ovcp-disk-${id}.qcow2`);
    expect(diskVolumeName(id, 'raw')).toBe(`ovcp-disk-${id}.raw`);
    expect(imageVolumeName(id)).toBe(`ovcp-image-${id}`);
    expect(seedVolumeName(id, 'a')).toMatch(
      /^ovcp-seed-6f2c1d3e-0000-4000-8000-1234567890ab-[0-9a-f]{12}\.iso$/,
    );
    expect(seedVolumeName(id, 'a')).not.toBe(seedVolumeName(id, 'b'));
  });

  it('keeps to the limits of virtio-blk and of Linux', () => {
    assert(
      property(uuid(), uuid(), (one, two) => {
        expect(diskSerial(one)).toMatch(/^[0-9a-f]{20}$/);
        expect(networkBridgeName(one).length).toBeLessThanOrEqual(15);
        expect(networkBridgeName(one) === networkBridgeName(two)).toBe(one === two);
      }),
    );
  });
});

describe('names of objects', () => {
  it.each([
    ['hosts', hostObjectName],
    ['disks of templates', templateDiskName],
  ])('S13: %s of two owners never meet, since the owner has no dots', (_, nameOf) => {
    assert(
      property(label(), label(), subdomain(), subdomain(), (a, b, one, two) => {
        expect(nameOf(a, one) === nameOf(b, two)).toBe(a === b && one === two);
      }),
    );
  });

  it('fits into the 253 characters of a Kubernetes name', () => {
    assert(
      property(constantFrom('x'.repeat(63)), constantFrom('y'.repeat(128)), (pool, host) => {
        expect(hostObjectName(pool, host).length).toBeLessThanOrEqual(253);
      }),
    );
  });
});
