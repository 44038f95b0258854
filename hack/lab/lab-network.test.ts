import { describe, expect, it } from 'vitest';
import { rangeOf } from './lab-network.ts';

describe('rangeOf', () => {
  it('covers all addresses of a network, whatever its host bits', () => {
    expect(rangeOf('192.0.2.17/28')).toEqual({ first: 0xc000_0210, last: 0xc000_021f });
    expect(rangeOf('10.0.0.0/8')).toEqual({ first: 0x0a00_0000, last: 0x0aff_ffff });
    expect(rangeOf('0.0.0.0/0')).toEqual({ first: 0, last: 0xffff_ffff });
  });

  it('takes a lone address for itself and nothing else for an address', () => {
    expect(rangeOf('192.0.2.1')).toEqual({ first: 0xc000_0201, last: 0xc000_0201 });
    expect(rangeOf('default')).toBeUndefined();
    expect(rangeOf('2001:db8::/32')).toBeUndefined();
  });
});
