import { expect, it } from 'vitest';
import { targetLines, targetPart, volumeLines, waitingIn } from './storage-look.ts';

it('leaves the options of a volume out', () => {
  const info = 'Volume Name: gv0\nType: Replicate\nBricks:\nBrick1: a:/b\nOptions Reconfigured:\nx.y: on\n';
  expect(volumeLines(info)).toEqual(['Volume Name: gv0', 'Type: Replicate', 'Brick1: a:/b']);
});

it('counts what waits on each brick, and knows which cannot be asked', () => {
  const part = (brick: string, status: string, count: string): string =>
    `Brick ${brick}\nStatus: ${status}\nTotal Number of entries: ${count}\nNumber of entries in heal pending: ${count}\n\n`;
  const summary =
    part('192.0.2.10:/b', 'Connected', '2') +
    part('192.0.2.12:/b', 'Transport endpoint is not connected', '-');
  expect(waitingIn(summary)).toEqual([
    { brick: '192.0.2.10:/b', entries: 2 },
    { brick: '192.0.2.12:/b', entries: undefined },
  ]);
});

it('shows of a target its initiator, its LUN and its rules', () => {
  const lun = (number: number, size: string, path: string): string =>
    `        LUN: ${number}\n            Type: disk\n            Size: ${size}, Block size: 512\n            Backing store path: ${path}\n`;
  const target = (id: number, iqn: string): string =>
    `Target ${id}: ${iqn}\n    I_T nexus information:\n        I_T nexus: 2\n            Initiator: iqn.host alias: none\n    LUN information:\n${lun(0, '0 MB', 'None')}${lun(1, '67 MB', '/d')}    Account information:\n        chap-user\n    ACL information:\n        iqn.host\n`;
  const shown = target(1, 'iqn.theirs') + target(2, 'iqn.ours');
  expect(targetPart(shown, 'iqn.nobody')).toBeUndefined();
  const part = targetPart(shown, 'iqn.ours') ?? '';
  expect(targetLines(part).map((line) => line.trim())).toEqual([
    'Target 2: iqn.ours',
    'Initiator: iqn.host alias: none',
    'LUN: 1',
    'Size: 67 MB, Block size: 512',
    'Backing store path: /d',
    'Account information:',
    'chap-user',
    'ACL information:',
    'iqn.host',
  ]);
});
