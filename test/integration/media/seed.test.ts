import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildSeedIso } from '../../../src/media/cloud-init.ts';
import { haveTools, inFolder, tool } from './oracles.ts';

const ready = await haveTools('isoinfo', 'blkid');
const userData = `#cloud-config\n# ${'x'.repeat(5000)}\n`;
const seed = {
  instanceId: 'i-1',
  hostname: 'web-1',
  sshAuthorizedKeys: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ me'],
  userData,
  vendorData: '#cloud-config\n{}\n',
  interfaces: [{ mac: '52:54:00:00:00:01', name: 'eth0', dhcp: true }],
};
const withIso = async (work: (file: string) => Promise<void>) =>
  inFolder(async (folder) => {
    const file = join(folder, 'seed.iso');
    await writeFile(file, buildSeedIso(seed));
    await work(file);
  });
const names = ['meta-data', 'network-config', 'user-data', 'vendor-data'];

describe.skipIf(!ready)('the seed image', () => {
  it.each(['-J', '-R'])('lists the names cloud-init asks for (isoinfo %s)', async (tree) => {
    await withIso(async (file) => {
      const listing = String(await tool('isoinfo', '-f', tree, '-i', file));
      expect(listing.trim().split('\n').sort()).toEqual(names.map((name) => `/${name}`));
    });
  });

  it.each(['-J', '-R'])('gives the contents back (isoinfo %s)', async (tree) => {
    await withIso(async (file) => {
      expect(String(await tool('isoinfo', tree, '-x', '/user-data', '-i', file))).toBe(userData);
      expect(String(await tool('isoinfo', tree, '-x', '/meta-data', '-i', file))).toContain(
        'local-hostname: web-1',
      );
    });
  });

  it('is plain ISO 9660 for everyone else', async () => {
    await withIso(async (file) => {
      expect(String(await tool('isoinfo', '-x', '/USER_DAT.;1', '-i', file))).toBe(userData);
      const header = String(await tool('isoinfo', '-d', '-i', file));
      expect(header).toMatch(/Joliet with UCS level 3 found/);
      expect(header).toMatch(/Rock Ridge signatures version 1 found/);
    });
  });

  it('is found by its label', async () => {
    await withIso(async (file) => {
      const tags = String(await tool('blkid', '-p', '-o', 'export', file));
      expect(tags).toMatch(/^LABEL=cidata$/m);
      expect(tags).toMatch(/^TYPE=iso9660$/m);
    });
  });
});
