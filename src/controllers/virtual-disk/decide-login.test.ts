import { describe, expect, it } from 'vitest';
import { claim, host1, made, off, present, served, stepOf, world } from './sample-served.ts';
import { sampleUser } from './sample-world.ts';

describe('a host that logs in itself', () => {
  it('is logged out before the server lets it out', () => {
    const loggedIn = served({ loggedIn: true });
    const held = world(made({ claim: { ...claim, published: true } }), {
      served: loggedIn,
      users: [sampleUser({ wantsToRun: false, released: true })],
    });
    const seen = present({ published: [host1], sessions: [host1] });
    const out = { kind: 'withdraw', iqn: host1, loginFrom: 'kvm.node1' };
    expect(stepOf(held, { ...seen, ghost: off })).toMatchObject(out);
    // Its session says nothing of machines: none can have the disk, by what they say of themselves.
    expect(stepOf(world(made(), { served: loggedIn }), seen)).toEqual(out);
    const plugged = [sampleUser({ plugged: true })];
    expect(stepOf(world(made(), { served: loggedIn, users: plugged }), seen)).toBe('settled');
    // Nobody is asked on a host that is gone for good.
    const [node1] = held.hosts;
    if (node1 === undefined) throw new Error('the sample has hosts');
    const hosts = [{ ...node1, declaredDown: 'fire' }];
    expect(stepOf(world(made(), { served: loggedIn, hosts }), seen)).toEqual({
      kind: 'withdraw',
      iqn: host1,
    });
  });
});
