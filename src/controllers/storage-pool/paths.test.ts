import { describe, expect, it } from 'vitest';
import type { StoragePool } from '../../api/storage-pool.ts';
import type { LoginSeen } from '../../drivers/hypervisor/host-logins.ts';
import { mendable, pathsOf, pathTrouble, straysOn } from './paths.ts';
import { sightOf, worldOf } from './sample-world.ts';
import type { StoragePoolWorld, StorageSight } from './world.ts';

const portals = ['192.0.2.31:3260', '198.51.100.31:3260'];
const [first, second] = [
  { address: '192.0.2.31', port: 3260 },
  { address: '198.51.100.31', port: 3260 },
];
const world: StoragePoolWorld = {
  ...worldOf(),
  pool: {
    metadata: { name: 'san' },
    spec: { driver: 'iscsi', iscsi: { target: { portals }, chap: {}, attach: 'Host' } },
  } as unknown as StoragePool,
  logins: ['d1', 'd2', 'd3'].map((uid) => ({
    key: `team/${uid}`,
    uid,
    targetIqn: `iqn.${uid}`,
    host: uid === 'd3' ? 'kvm.other' : 'kvm.node1',
    published: true,
  })),
  loginVersion: 'v2',
};
const up = (portal: typeof first, version = 'v2') => ({ portal, state: 'Up' as const, version });
const down = (portal: typeof first, version = 'v2') => ({ portal, state: 'Down' as const, version });
const sight = (...logins: LoginSeen[]): StorageSight => ({
  ...sightOf({}),
  logins: new Map([['kvm.node1', { kind: 'seen', multipath: true, logins }]]),
});
const both = (targetIqn: string): LoginSeen => ({ targetIqn, paths: [up(first), up(second)] });

describe('paths of a host', () => {
  it('are up when every disk that it holds is reached by them', () => {
    expect(pathsOf(world, sight(both('iqn.d1'), both('iqn.d2')), 'kvm.node1')).toEqual([
      { portal: portals[0], state: 'Up' },
      { portal: portals[1], state: 'Up' },
    ]);
  });

  it.each([
    ['is broken', [up(first), down(second)]],
    ['is missing', [up(first)]],
  ])('are down when that of one disk %s', (_what, paths) => {
    const seen = sight({ targetIqn: 'iqn.d1', paths }, both('iqn.d2'));
    const shown = pathsOf(world, seen, 'kvm.node1') ?? [];
    expect(shown).toEqual([
      { portal: portals[0], state: 'Up' },
      { portal: portals[1], state: 'Down', message: '1 disk of 2 have no path there.' },
    ]);
    expect(pathTrouble(world, [{ name: 'kvm.node1', ready: true, paths: shown }])).toBe(
      'kvm.node1 has no path to 198.51.100.31:3260; its machines go on by the other paths.',
    );
  });

  it('are not shown of a host that is logged in to nothing of the pool', () => {
    expect(pathsOf(world, sight(both('iqn.of.another.pool'), both('iqn.d3')), 'kvm.node1')).toBeUndefined();
  });

  it('say which logins are of an older secret', () => {
    const seen = sight({ targetIqn: 'iqn.d1', paths: [up(first, 'v1'), up(second)] });
    expect(pathsOf(world, seen, 'kvm.node1')).toEqual([
      { portal: portals[0], state: 'Up', message: '1 disk of 1 logged in there with an older secret.' },
      { portal: portals[1], state: 'Up' },
    ]);
  });
});

describe('paths are mended', () => {
  const uids = (...logins: LoginSeen[]): readonly string[] =>
    mendable(world, sight(...logins), 'kvm.node1').map(({ uid }) => uid);

  it.each([
    ['where a session is missing', [up(first)], ['d1']],
    ['where another path goes on meanwhile', [up(first, 'v1'), up(second)], ['d1']],
    ['not where a session is being tried again', [up(first), down(second)], []],
    ['not where it is the only one', [up(first, 'v1'), down(second)], []],
    ['where one of an older secret is being tried again', [up(first, 'v1'), down(second, 'v1')], ['d1']],
    ['not while no path is up', [down(first)], []],
    ['not where all is well', [up(first), up(second)], []],
  ])('%s', (_what, paths, found) => {
    expect(uids({ targetIqn: 'iqn.d1', paths })).toEqual(found);
  });

  it('not at a portal that is dead for another disk', () => {
    const paths = [up(first), down(second)];
    expect(uids({ targetIqn: 'iqn.d1', paths: [up(first)] }, { targetIqn: 'iqn.d2', paths })).toEqual([]);
  });

  it('not for disks that the host does not hold', () => {
    expect(uids({ targetIqn: 'iqn.d3', paths: [up(first)] })).toEqual([]);
  });
});

describe('logins without a right', () => {
  const uids = (...logins: LoginSeen[]): readonly string[] =>
    straysOn(world, sight(...logins), 'kvm.node1').map(({ uid }) => uid);

  it('are those of disks of the pool that another host holds, or nobody', () => {
    expect(uids(both('iqn.d1'), both('iqn.d3'))).toEqual(['d3']);
    expect(uids({ targetIqn: 'iqn.d3', paths: [] })).toEqual(['d3']);
  });

  it('are not those of disks that are not known', () => {
    expect(uids(both('iqn.of.another.pool'))).toEqual([]);
  });
});
