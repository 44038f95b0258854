import { describe, expect, it } from 'vitest';
import {
  backingName,
  DISK_LUN,
  diskTargetIqn,
  diskUidOf,
  hostInitiatorIqn,
  isInitiatorIqn,
  isUid,
  poolTargetIqn,
  unitSerial,
  unitWwn,
} from './names.ts';

const uid = '0f1e2d3c-4b5a-4697-8877-665544332211';

describe('names on iSCSI servers', () => {
  it('are derived from uids', () => {
    expect(diskTargetIqn(uid)).toBe(`iqn.2025-01.dev.ovcp:disk.${uid}`);
    expect(poolTargetIqn(uid)).toBe(`iqn.2025-01.dev.ovcp:pool.${uid}`);
    expect(hostInitiatorIqn(uid)).toBe(`iqn.2025-01.dev.ovcp:host.${uid}`);
    expect(unitSerial(uid)).toBe('0f1e2d3c4b5a46978877665544332211');
    expect(unitWwn(uid)).toBe('60014050f1e2d3c4b5a4697887766554');
    expect(unitWwn(uid)).toHaveLength(32);
    expect(diskUidOf(backingName(uid))).toBe(uid);
  });

  it('never use LUN 0', () => {
    expect(DISK_LUN).toBeGreaterThan(0);
  });

  it.each(['', '../../etc', uid.toUpperCase(), `${uid}x`, 'ffffffff-ffff-ffff-ffff'])(
    'take no uid %j',
    (word) => {
      expect(isUid(word)).toBe(false);
      expect(diskUidOf(`ovcp-disk-${word}`)).toBeUndefined();
    },
  );

  it('accept initiators of our hosts and of Debian', () => {
    expect(isInitiatorIqn(hostInitiatorIqn(uid))).toBe(true);
    expect(isInitiatorIqn('iqn.1993-08.org.debian:01:5a6b7c')).toBe(true);
  });

  it.each([
    'ALL',
    'iqn.2025-01.dev.ovcp:a b',
    'iqn.2025-01.dev.ovcp:a,b',
    'iqn.2025-01.dev.ovcp:a\nb',
    `iqn.2025-01.a:${'x'.repeat(220)}`,
  ])('refuse the initiator %j', (name) => {
    expect(isInitiatorIqn(name)).toBe(false);
  });
});
