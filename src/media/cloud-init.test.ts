import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { isFault } from '../runtime/fault.ts';
import { buildSeedIso, renderSeed, type Seed, seedLimits } from './cloud-init.ts';

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ someone@example.org';
const base: Seed = { instanceId: 'i-0b1c', hostname: 'web-1', sshAuthorizedKeys: [key] };
const card = { mac: '52:54:00:AA:BB:CC', name: 'eth0', dhcp: true };

const textOf = (seed: Seed, name: string): string | undefined => {
  const file = renderSeed(seed).find((candidate) => candidate.name === name);
  return file && Buffer.from(file.bytes).toString();
};
const reasonOf = (seed: Seed): string | undefined => {
  try {
    renderSeed(seed);
  } catch (error) {
    expect(isFault(error, 'invalid'), String(error)).toBe(true);
    return isFault(error) ? error.reason : undefined;
  }
  return undefined;
};

describe('renderSeed', () => {
  it('always has meta-data and user-data, which NoCloud requires', () => {
    expect(renderSeed(base).map(({ name }) => name)).toEqual(['meta-data', 'user-data']);
    expect(parse(textOf(base, 'meta-data') ?? '')).toEqual({
      'instance-id': 'i-0b1c',
      'local-hostname': 'web-1',
      'public-keys': [key],
    });
    expect(textOf(base, 'user-data')).toBe('#cloud-config\n{}\n');
  });

  it('keeps user data byte for byte, and host name and keys beside it', () => {
    const userData = '#!/bin/sh\necho "a: &b\t*c" \u00fc\r\n';
    expect(textOf({ ...base, userData }, 'user-data')).toBe(userData);
    expect(parse(textOf({ ...base, userData }, 'meta-data') ?? '')).toMatchObject({ 'public-keys': [key] });
  });

  it('renders cards by MAC as network config version 2', () => {
    const fixed = {
      mac: '52:54:00:00:00:02',
      name: 'storage-network-two',
      dhcp: false,
      addresses: ['192.0.2.5/24', '2001:db8::5/64'],
      gateway4: '192.0.2.1',
      gateway6: '2001:db8::1',
      nameservers: ['192.0.2.53'],
    };
    expect(parse(textOf({ ...base, interfaces: [card, fixed] }, 'network-config') ?? '')).toEqual({
      version: 2,
      ethernets: {
        eth0: { match: { macaddress: '52:54:00:aa:bb:cc' }, 'set-name': 'eth0', dhcp4: true },
        'storage-network-two': {
          match: { macaddress: '52:54:00:00:00:02' },
          dhcp4: false,
          addresses: ['192.0.2.5/24', '2001:db8::5/64'],
          routes: [
            { to: '0.0.0.0/0', via: '192.0.2.1' },
            { to: '::/0', via: '2001:db8::1' },
          ],
          nameservers: { addresses: ['192.0.2.53'] },
        },
      },
    });
  });

  it('takes a network config of the user, but not against static addresses of the API', () => {
    const networkConfig = 'version: 1\nconfig: []\n';
    expect(textOf({ ...base, networkConfig, interfaces: [card] }, 'network-config')).toBe(networkConfig);
    expect(reasonOf({ ...base, networkConfig, interfaces: [{ ...card, addresses: ['192.0.2.5/24'] }] })).toBe(
      'CloudInitInvalid',
    );
  });

  it('refuses what is over a limit, and says which', () => {
    const userData = `#cloud-config\n${'x'.repeat(seedLimits.userDataBytes)}`;
    expect(reasonOf({ ...base, userData })).toBe('CloudInitTooLarge');
    expect(() => renderSeed({ ...base, userData })).toThrow(
      'the cloud-init user-data is over its limit of 65536 bytes',
    );
    expect(reasonOf({ ...base, networkConfig: 'x'.repeat(20_000) })).toBe('CloudInitTooLarge');
    expect(
      reasonOf({ ...base, sshAuthorizedKeys: Array.from({ length: 3 }, () => 'k'.repeat(16_000)) }),
    ).toBe('CloudInitTooLarge');
    const exact = `#!${'x'.repeat(seedLimits.userDataBytes - 2)}`;
    expect(reasonOf({ ...base, userData: exact })).toBeUndefined();
  });

  it.each<[string, Partial<Seed>]>([
    ['user data of no type', { userData: 'packages: [nginx]' }],
    ['empty user data', { userData: '' }],
    ['vendor data of no type', { vendorData: 'hello' }],
    ['a key with a second line', { sshAuthorizedKeys: [`${key}\nssh-rsa AAAA evil`] }],
    ['a host name with a line break', { hostname: 'a\nb' }],
    ['a host name with a space', { hostname: 'a b' }],
    ['an instance id with YAML in it', { instanceId: 'a: b' }],
    ['a malformed MAC', { interfaces: [{ ...card, mac: '52:54' }] }],
    ['a malformed address', { interfaces: [{ ...card, addresses: ['192.0.2.5'] }] }],
    ['an IPv6 gateway for IPv4', { interfaces: [{ ...card, gateway4: '2001:db8::1' }] }],
    ['two cards of one MAC', { interfaces: [card, { ...card, name: 'eth1' }] }],
  ])('refuses %s', (_name, change) => {
    expect(reasonOf({ ...base, ...change })).toBe('CloudInitInvalid');
  });

  it('writes YAML that reads back as it was, whatever the key says', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 16, maxLength: 200, unit: 'binary' }), (text) => {
        const seed = { ...base, sshAuthorizedKeys: [text] };
        if (reasonOf(seed) !== undefined) return;
        expect(parse(textOf(seed, 'meta-data') ?? '')).toMatchObject({ 'public-keys': [text] });
      }),
    );
  });
});

describe('buildSeedIso', () => {
  it('gives the same bytes for the same seed, and others for another', () => {
    const first = Buffer.from(buildSeedIso(base));
    expect(first.equals(buildSeedIso({ ...base }))).toBe(true);
    expect(first.equals(buildSeedIso({ ...base, hostname: 'web-2' }))).toBe(false);
    expect(first.toString('latin1', 32_769, 32_774)).toBe('CD001');
    expect(first.byteLength).toBeLessThan(64 * 1024);
  });
});
