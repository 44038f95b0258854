import { describe, expect, it } from 'vitest';
import { createTestClock } from '../../../runtime/test-clock.ts';
import { LibvirtConnectionError } from '../../../wire/libvirt/errors.ts';
import { createHostLink } from './host-link.ts';
import type { Remote } from './remote.ts';

const never = new AbortController().signal;
const endpoint = { host: 'node1', uri: 'qemu:///system' };

interface Fake {
  readonly remote: Remote;
  readonly break: () => void;
  closed: boolean;
}

const fakeRemote = (): Fake => {
  const closed = Promise.withResolvers<LibvirtConnectionError>();
  const end = (): void => closed.resolve(new LibvirtConnectionError('closed', 'gone'));
  const fake: Fake = {
    closed: false,
    break: end,
    remote: {
      call: () => Promise.reject(new Error('nothing is called here')),
      events: { subscribe: async () => () => undefined },
      streams: {
        upload: async () => undefined,
        download: async function* () {},
        open: () => Promise.reject(new Error('nothing is opened here')),
      },
      closed: closed.promise,
      close: async () => {
        fake.closed = true;
        end();
      },
    },
  };
  return fake;
};

const setUp = (answers: ('ok' | 'refused')[]) => {
  const clock = createTestClock();
  const fakes: Fake[] = [];
  const news: string[] = [];
  let dials = 0;
  const link = createHostLink({
    endpoint,
    clock,
    random: () => 1,
    dial: async () => {
      dials += 1;
      if ((answers.shift() ?? 'ok') === 'refused') throw new LibvirtConnectionError('refused', 'no');
      const fake = fakeRemote();
      fakes.push(fake);
      return fake.remote;
    },
    prepare: async () => 'session',
    onUp: () => news.push('up'),
    onDown: () => news.push('down'),
  });
  return { clock, fakes, news, link, dials: () => dials };
};

describe('createHostLink', () => {
  it('lets the first caller wait for the first connection', async () => {
    const { link } = setUp(['ok']);
    expect((await link.up(never)).session).toBe('session');
    await link.close();
  });

  it('answers at once while the host is down, and comes back with growing pauses', async () => {
    const { link, clock, dials, news } = setUp(['refused', 'refused', 'refused', 'ok']);
    await expect(link.up(never)).rejects.toMatchObject({ kind: 'unreachable', reason: 'HostUnreachable' });
    expect(dials()).toBe(1);
    for (const [ms, expected] of [
      [999, 1],
      [1, 2],
      [1_999, 2],
      [1, 3],
      [4_000, 4],
    ] as const) {
      await clock.advance(ms);
      expect(dials()).toBe(expected);
    }
    expect(link.state().kind).toBe('up');
    expect(news).toEqual(['down', 'down', 'down', 'up']);
    await link.close();
  });

  it('never pauses longer than half a minute', async () => {
    const { link, clock, dials } = setUp(Array.from({ length: 50 }, () => 'refused' as const));
    await clock.advance(10 * 60_000);
    const before = dials();
    await clock.advance(60_000);
    expect(dials() - before).toBe(2);
    await link.close();
  });

  it('says since when the host is gone, and dials again by itself', async () => {
    const { link, clock, fakes, dials } = setUp(['ok', 'refused', 'ok']);
    await link.up(never);
    const brokeMs = clock.nowMs();
    fakes[0]?.break();
    await clock.advance(1_500);
    expect(link.state()).toMatchObject({ kind: 'down', sinceMs: brokeMs });
    await clock.advance(2_500);
    expect(link.state().kind).toBe('up');
    expect(dials()).toBe(3);
    await link.close();
  });

  it('opens one connection for bulk data however many ask, and leaves nothing open', async () => {
    const { link, clock, fakes } = setUp([]);
    await link.up(never);
    const [one, two] = await Promise.all([link.bulk(never), link.bulk(never)]);
    expect(one).toBe(two);
    fakes[1]?.break();
    await clock.advance(0);
    expect(await link.bulk(never)).not.toBe(one);
    await link.close();
    expect(fakes.map(({ closed }) => closed)).toEqual([true, false, true]);
    expect(clock.pending()).toBe(0);
  });
});
