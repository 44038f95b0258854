import { describe, expect, it } from 'vitest';
import type { Change } from '../contract.ts';
import { createChangeFeed } from './changes.ts';

const collect = async (changes: AsyncIterable<Change>, count: number): Promise<Change[]> => {
  const found: Change[] = [];
  for await (const change of changes) {
    found.push(change);
    if (found.length === count) break;
  }
  return found;
};
const never = new AbortController().signal;

describe('createChangeFeed', () => {
  it('gives each hint once, with the uid if anybody knew it', async () => {
    const feed = createChangeFeed();
    feed.push({ kind: 'vm', uuid: '1', uid: 'u' });
    feed.push({ kind: 'vm', uuid: '1' });
    feed.push({ kind: 'host', host: 'a' });
    feed.push({ kind: 'host', host: 'a' });
    feed.push({ kind: 'resync', host: 'a' });
    expect(await collect(feed.read(never), 3)).toEqual([
      { kind: 'vm', uuid: '1', uid: 'u' },
      { kind: 'host', host: 'a' },
      { kind: 'resync', host: 'a' },
    ]);
  });

  it('wakes a waiting reader', async () => {
    const feed = createChangeFeed();
    const reading = collect(feed.read(never), 1);
    feed.push({ kind: 'network', host: 'a' });
    expect(await reading).toEqual([{ kind: 'network', host: 'a' }]);
  });

  it('ends with the signal and with the feed', async () => {
    const feed = createChangeFeed();
    const patience = new AbortController();
    const one = collect(feed.read(patience.signal), 1);
    patience.abort();
    expect(await one).toEqual([]);
    const other = collect(feed.read(never), 1);
    feed.close();
    expect(await other).toEqual([]);
  });
});
