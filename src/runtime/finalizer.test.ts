import { describe, expect, it } from 'vitest';
import { addFinalizerPatch, removeFinalizerPatch } from './finalizer.ts';

const mine = 'ovcp.dev/machine';
const uid = 'u-1';
const test = { op: 'test', path: '/metadata/uid', value: uid };

describe('finalizer patches', () => {
  it('adds the first one only while there is none', () => {
    expect(addFinalizerPatch({ uid }, mine)).toEqual([
      test,
      { op: 'test', path: '/metadata/finalizers', value: null },
      { op: 'add', path: '/metadata/finalizers', value: [mine] },
    ]);
  });

  it('adds behind those of others only while they are as read', () => {
    expect(addFinalizerPatch({ uid, finalizers: ['other/x'] }, mine)).toEqual([
      test,
      { op: 'test', path: '/metadata/finalizers', value: ['other/x'] },
      { op: 'add', path: '/metadata/finalizers/-', value: mine },
    ]);
  });

  it('removes ours from its place and nothing else', () => {
    expect(removeFinalizerPatch({ uid, finalizers: ['other/x', mine, 'other/y'] }, mine)).toEqual([
      test,
      { op: 'test', path: '/metadata/finalizers/1', value: mine },
      { op: 'remove', path: '/metadata/finalizers/1' },
    ]);
  });

  it('asks for nothing when nothing is to do', () => {
    expect(addFinalizerPatch({ uid, finalizers: [mine] }, mine)).toBeUndefined();
    expect(removeFinalizerPatch({ uid, finalizers: ['other/x'] }, mine)).toBeUndefined();
    expect(removeFinalizerPatch({ uid }, mine)).toBeUndefined();
  });
});
