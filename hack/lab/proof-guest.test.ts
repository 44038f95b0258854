import { describe, expect, it } from 'vitest';
import { proofGuestImage, proofLines, proofMarker } from './proof-guest.ts';

describe('the proof guest', () => {
  it('is a boot sector, and the rest of its disk is empty', () => {
    const image = proofGuestImage();
    expect(image.length).toBe(1024 ** 2);
    expect(image.readUInt16LE(510)).toBe(0xaa55);
    // The program ends with the last of its texts.
    expect(image.subarray(0x7d0d - 0x7c00, 0x7d17 - 0x7c00).toString()).toBe(' sectors=\0');
    expect(image.subarray(0x7d17 - 0x7c00, 510).every((byte) => byte === 0)).toBe(true);
    expect(image.subarray(proofMarker.offset).every((byte) => byte === 0)).toBe(true);
  });

  it('is understood, newest line of each disk first of all, and halves of lines are not', () => {
    const text = [
      'disk=80 boots=0001 sectors=00000800',
      'ovcp-proof disk=81 boots=0001 sectors=00010000',
      'ovcp-proof disk=80 boots=0001 sectors=00000800',
      'ovcp-proof disk=80 boots=0010 sectors=00000801',
      'ovcp-proof disk=81 boots=00',
    ].join('\r\n');
    expect(proofLines(text)).toEqual([
      { disk: 0x81, boots: 1, sectors: 0x10000 },
      { disk: 0x80, boots: 16, sectors: 0x801 },
    ]);
  });
});
