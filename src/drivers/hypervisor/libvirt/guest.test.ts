import { describe, expect, it } from 'vitest';
import { createTestClock } from '../../../runtime/test-clock.ts';
import type { GuestSeen } from '../contract.ts';
import { createGuestWatch } from './guest.ts';

const never = new AbortController().signal;
const without: GuestSeen = { agent: 'Disconnected', addresses: [] };
const withAddress: GuestSeen = { agent: 'Disconnected', addresses: [{ mac: 'm', ips: ['10.0.0.1'] }] };

const setUp = (answer: () => GuestSeen | undefined | Promise<GuestSeen>, cards = 1) => {
  const clock = createTestClock();
  const changed: string[] = [];
  let asked = 0;
  const watch = createGuestWatch({
    clock,
    ask: async () => {
      asked += 1;
      const seen = await answer();
      return seen === undefined ? undefined : { seen, cards };
    },
    onChange: (uuid) => changed.push(uuid),
  });
  return { clock, changed, watch, asked: () => asked };
};

describe('createGuestWatch', () => {
  it('asks a guest without address again, slower and slower, and then lets it be', async () => {
    const { clock, watch, asked } = setUp(() => without);
    expect(await watch.first('1', never)).toEqual(without);
    await clock.advance(10_000);
    expect(asked()).toBeGreaterThan(4);
    expect(asked()).toBeLessThan(9);
    await clock.advance(15 * 60_000);
    const settled = asked();
    expect(settled).toBeLessThan(40);
    await clock.advance(60 * 60_000);
    expect(asked()).toBe(settled);
    expect(clock.pending()).toBe(0);
    watch.close();
  });

  it('tells once when the address comes, and asks no more', async () => {
    let said = without;
    const { clock, changed, watch, asked } = setUp(() => said);
    await watch.first('1', never);
    await clock.advance(1_500);
    expect(changed).toEqual([]);
    said = withAddress;
    await clock.advance(5_000);
    expect(changed).toEqual(['1']);
    expect(watch.known('1')).toEqual(withAddress);
    const before = asked();
    await clock.advance(60 * 60_000);
    expect(asked()).toBe(before);
    watch.close();
  });

  it('goes on asking until each plugged card has an address', async () => {
    let said = withAddress;
    const { clock, changed, watch, asked } = setUp(() => said, 2);
    await watch.first('1', never);
    await clock.advance(3_000);
    expect(asked()).toBeGreaterThan(1);
    said = { ...withAddress, addresses: [...withAddress.addresses, { mac: 'n', ips: ['10.0.1.1'] }] };
    await clock.advance(5_000);
    expect(changed).toEqual(['1']);
    const before = asked();
    await clock.advance(60 * 60_000);
    expect(asked()).toBe(before);
    watch.close();
  });

  it('does not wait for a guest that is silent, and tells when it speaks after all', async () => {
    const answer = Promise.withResolvers<GuestSeen>();
    const { clock, changed, watch } = setUp(() => answer.promise);
    const seen = watch.first('1', never);
    await clock.advance(2_000);
    expect(await seen).toBeUndefined();
    answer.resolve(withAddress);
    await clock.advance(5_000);
    expect(changed).toEqual(['1']);
    watch.close();
  });

  it('tells once of a guest whose agent and addresses come one after the other', async () => {
    let said = without;
    const { clock, changed, watch } = setUp(() => said);
    watch.known('1');
    watch.refresh('1');
    await clock.advance(0);
    said = { ...without, agent: 'Connected', hostname: 'web-1' };
    watch.refresh('1');
    await clock.advance(4_000);
    expect(changed).toEqual([]);
    said = { ...withAddress, agent: 'Connected', hostname: 'web-1' };
    await clock.advance(3_000);
    expect(changed).toEqual(['1']);
    await clock.advance(60_000);
    expect(changed).toEqual(['1']);
    watch.close();
  });

  it('waits neither long for an agent that may not be there nor for ever for an address', async () => {
    let said = without;
    const { clock, changed, watch } = setUp(() => said);
    watch.known('1');
    said = withAddress;
    watch.refresh('1');
    await clock.advance(2_900);
    expect(changed).toEqual([]);
    await clock.advance(200);
    expect(changed).toEqual(['1']);
    watch.known('2');
    said = { ...without, agent: 'Connected' };
    watch.refresh('2');
    await clock.advance(9_900);
    expect(changed).toEqual(['1']);
    await clock.advance(200);
    expect(changed).toEqual(['1', '2']);
    watch.close();
  });

  it('tells at once that something of it is gone', async () => {
    let said: GuestSeen = { ...withAddress, agent: 'Connected' };
    const { clock, changed, watch } = setUp(() => said);
    await watch.first('1', never);
    said = without;
    watch.refresh('1');
    await clock.advance(0);
    expect(changed).toEqual(['1']);
    watch.close();
  });

  it('asks nobody for what is known, and tells only what differs from it', async () => {
    let said = without;
    const { clock, changed, watch, asked } = setUp(() => said);
    expect(watch.known('1')).toBeUndefined();
    expect(asked()).toBe(0);
    watch.refresh('1');
    await clock.advance(0);
    expect(changed).toEqual([]);
    said = withAddress;
    await clock.advance(6_000);
    expect(changed).toEqual(['1']);
    watch.close();
  });

  it('asks two guests at a time', async () => {
    const answers: ((seen: GuestSeen) => void)[] = [];
    const { clock, watch, asked } = setUp(() => new Promise<GuestSeen>((resolve) => answers.push(resolve)));
    for (const uuid of ['1', '2', '3', '4']) watch.refresh(uuid);
    await clock.advance(0);
    expect(asked()).toBe(2);
    answers[0]?.(withAddress);
    await clock.advance(0);
    expect(asked()).toBe(3);
    watch.close();
  });

  it('forgets a machine that does not run', async () => {
    const { clock, watch } = setUp(() => undefined);
    expect(await watch.first('1', never)).toBeUndefined();
    expect(watch.known('1')).toBeUndefined();
    expect(clock.pending()).toBe(0);
    watch.close();
  });
});
