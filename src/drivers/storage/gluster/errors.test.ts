import { describe, expect, it } from 'vitest';
import { noAnswer, refusal } from './errors.ts';

describe('what gluster says when it says no', () => {
  it.each([
    ['Another transaction is in progress for gv0. Please try again after some time.', 'busy', undefined],
    ['/bricks/gv0 is already part of a volume', 'invalid', 'BrickInUse'],
    ['parent directory /bricks/gv0 is already part of a volume', 'invalid', 'BrickInUse'],
    [
      'Brick: 192.0.2.21:/bricks/gv0 not available. Brick may be containing or be contained by an existing brick.',
      'invalid',
      'BrickInUse',
    ],
    [
      "The brick 192.0.2.21:/gv0 is being created in the root partition. It is recommended that you don't use the system's root partition",
      'invalid',
      'BrickUnsuitable',
    ],
    [
      'Failed to create brick directory for brick 192.0.2.21:/x/y. Reason : No such file or directory ',
      'invalid',
      'PathNotFound',
    ],
    ["Host 192.0.2.24 is not in 'Peer in Cluster' state", 'unreachable', 'ServerUnreachable'],
    ['Host 192.0.2.23 not connected', 'unreachable', 'ServerUnreachable'],
    ['Some of the peers are down', 'unreachable', 'ServerUnreachable'],
    ['Probe returned with Transport endpoint is not connected', 'unreachable', 'ServerUnreachable'],
    ['Quorum not met. Volume operation not allowed.', 'unreachable', 'QuorumLost'],
    ['option : nonsense.option does not exist', 'invalid', 'OptionRefused'],
    [
      "option quorum-type blah: 'blah' is not valid (possible options are none, auto, fixed.)",
      'invalid',
      'OptionRefused',
    ],
    ['Volume gv0 already exists', 'conflict', undefined],
    ['Volume gv0 is not started', 'conflict', undefined],
    ["use 'force' option as migration is in progress", 'conflict', undefined],
    [
      '192.0.2.22 is either already part of another cluster or having volumes configured',
      'denied',
      'PeerInOtherCluster',
    ],
    ['something new', 'unreachable', 'RequestFailed'],
  ])('%s', (said, kind, reason) => {
    const fault = refusal('g1', said);
    expect([fault.kind, fault.reason, fault.where]).toEqual([kind, reason, 'g1']);
    expect(fault.message).toMatch(/^Gluster on server g1 answered: /);
  });

  it.each([
    [127, 'sh: 1: gluster: not found', 'unsupported', 'SoftwareMissing'],
    [1, 'sudo: gluster: command not found', 'unsupported', 'SoftwareMissing'],
    [
      1,
      'Connection failed. Please check if gluster daemon is operational.',
      'unreachable',
      'ServerUnreachable',
    ],
    [1, 'Error : Request timed out', 'unreachable', 'ServerUnreachable'],
    [1, 'unrecognized word: nonsense (position 1)', 'unreachable', 'RequestFailed'],
  ])('no answer: %s %s', (code, said, kind, reason) => {
    expect(noAnswer('g1', code, said)).toMatchObject({ kind, reason });
  });
});
