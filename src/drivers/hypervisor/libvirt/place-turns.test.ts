import { describe, expect, it } from 'vitest';
import type { StoragePlace } from '../host-storage.ts';
import { createPlaceTurns } from './place-turns.ts';
import type { Remote } from './remote.ts';

const never = new AbortController().signal;

const place = (uid: string, more: Partial<StoragePlace> = {}): StoragePlace => ({
  clusterId: 'c',
  poolUid: uid,
  poolName: uid,
  path: `/var/lib/ovcp/mounts/${uid}`,
  topology: 'Shared',
  mount: { kind: 'nfs', server: '192.0.2.51', export: '/srv/ovcp' },
  ...more,
});

/** A connection whose calls stay open until they are answered, and a clock that stands until it is set. */
const scene = () => {
  const open: { readonly name: string; readonly answer: () => void }[] = [];
  const sent: string[] = [];
  const call = (name: string): Promise<unknown> => {
    sent.push(name);
    return new Promise((resolve) => open.push({ name, answer: () => resolve({}) }));
  };
  const time = { nowMs: 0 };
  const turns = createPlaceTurns({ monotonicMs: () => time.nowMs });
  const remote = { call } as unknown as Remote;
  const look = (at: StoragePlace, signal = never): Promise<unknown> =>
    turns
      .remoteFor(remote, at)
      .call('STORAGE_POOL_REFRESH', { pool: { name: '', uuid: '' }, flags: 0 }, signal);
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { open, sent, time, look, settle, remote, turns };
};

describe('turns at storage that is mounted', () => {
  it('are taken one after the other', async () => {
    const { open, sent, look, settle } = scene();
    const first = look(place('a'));
    const second = look(place('a'));
    await settle();
    expect(sent).toHaveLength(1);
    open[0]?.answer();
    await first;
    await settle();
    expect(sent).toHaveLength(2);
    open[1]?.answer();
    await second;
  });

  it('are refused with a sentence while the storage does not answer, and given again when it does', async () => {
    const { open, sent, time, look, settle } = scene();
    const giveUp = new AbortController();
    const first = look(place('a'), giveUp.signal);
    const waiting = look(place('a'), giveUp.signal);
    await settle();
    time.nowMs = 15_000;
    giveUp.abort(new Error('too long'));
    const wanted = {
      kind: 'unreachable',
      reason: 'StorageUnresponsive',
      message: 'The host gets no answer from /srv/ovcp of 192.0.2.51, which it uses for the pool a.',
    };
    await expect(first).rejects.toMatchObject(wanted);
    await expect(waiting).rejects.toMatchObject(wanted);
    await expect(look(place('a'))).rejects.toMatchObject(wanted);
    expect(sent).toHaveLength(1);
    open[0]?.answer();
    await settle();
    const next = look(place('a'));
    await settle();
    open[1]?.answer();
    await expect(next).resolves.toEqual({});
  });

  it('hand on why their caller gave up before that', async () => {
    const { look, settle } = scene();
    const giveUp = new AbortController();
    const first = look(place('a'), giveUp.signal);
    await settle();
    giveUp.abort(new Error('the pass ended'));
    await expect(first).rejects.toThrow('the pass ended');
  });

  it('leave a place of the connection to others, however many mounts hang', async () => {
    const { sent, look, settle, remote, turns } = scene();
    for (const uid of ['a', 'b', 'c', 'd', 'e']) void look(place(uid));
    await settle();
    expect(sent).toHaveLength(3);
    expect(turns.remoteFor(remote, place('l', { topology: 'HostLocal', mount: undefined }))).toBe(remote);
  });
});
