import { describe, expect, it } from 'vitest';
import { createAddressPolicy } from './address-policy.ts';

const strict = createAddressPolicy([]);

describe('createAddressPolicy', () => {
  it.each([
    '127.0.0.1',
    '127.255.0.9',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '169.254.169.254',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '198.18.0.1',
    '::',
    '::1',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'fd12::1',
    'fec0::1',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b::808:808',
    '64:ff9b:1::7f00:1',
    '2002:7f00:1::',
    '2001::1',
    '100::1',
    '4000::1',
    'example.org',
    '',
  ])('forbids %s', (address) => {
    expect(strict.permit(address)).toBeUndefined();
  });

  it.each([
    ['8.8.8.8', '8.8.8.8'],
    ['::ffff:8.8.8.8', '8.8.8.8'],
    ['2606:4700::1111', '2606:4700::1111'],
  ])('permits %s', (address, canonical) => {
    expect(strict.permit(address)).toBe(canonical);
  });

  it('permits what the configuration allows, and no more', () => {
    const policy = createAddressPolicy(['10.1.0.0/16', 'fd00:1::/32']);
    expect(policy.permit('10.1.2.3')).toBe('10.1.2.3');
    expect(policy.permit('::ffff:10.1.2.3')).toBe('10.1.2.3');
    expect(policy.permit('fd00:1::5')).toBe('fd00:1::5');
    expect(policy.permit('10.2.0.1')).toBeUndefined();
    expect(policy.permit('fd00:2::5')).toBeUndefined();
    expect(policy.permit('64:ff9b::a01:203')).toBeUndefined();
  });
});
