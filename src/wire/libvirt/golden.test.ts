import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeStruct, encodeStruct } from './codec.ts';
import { createPacketReader, encodePacket, type Packet, packetStatus, packetTypes } from './frame.ts';
import { procedures, programs, structs } from './protocol.gen.ts';

type Spoken = { command: string; side: string; bytes: Buffer; packet: Packet };

const spoken: Spoken[] = readFileSync(join(import.meta.dirname, 'fixtures/virsh.txt'), 'utf8')
  .trim()
  .split('\n')
  .flatMap((line) => {
    const [command = '', side = '', hex = ''] = line.split(' ');
    const bytes = Buffer.from(hex, 'hex');
    return createPacketReader()(bytes).map((packet) => ({ command, side, bytes, packet }));
  })
  .filter(({ packet }) => packet.program === programs.REMOTE);

const named = ({ procedure }: Packet): readonly [string, readonly [number, string, string]] => {
  const found = Object.entries(procedures).find(
    ([name, [number]]) => number === procedure && !name.startsWith('QEMU_'),
  );
  if (found === undefined) throw new Error(`no procedure ${procedure}`);
  return found;
};

const descriptorOf = (packet: Packet): string => {
  if (packet.status === packetStatus.error) return structs.RemoteError;
  const [, [, args, ret]] = named(packet);
  return packet.type === packetTypes.call ? args : ret;
};

describe('what virsh and libvirtd 9.0.0 said to each other', () => {
  it('is read, and written again byte for byte', () => {
    const calls = spoken.filter(({ packet }) => packet.type <= packetTypes.reply);
    expect(calls.length).toBeGreaterThan(50);
    for (const { packet, bytes } of calls) {
      const descriptor = descriptorOf(packet);
      const value = decodeStruct(descriptor, packet.payload);
      expect(encodePacket(packet, encodeStruct(descriptor, value)).equals(bytes)).toBe(true);
    }
  });

  it('means what virsh printed', () => {
    const reply = (command: string, name: string): unknown => {
      const found = spoken.find(
        ({ command: said, packet }) =>
          said === command && packet.type === packetTypes.reply && named(packet)[0] === name,
      );
      return found === undefined ? undefined : decodeStruct(descriptorOf(found.packet), found.packet.payload);
    };
    expect(reply('nodeinfo', 'NODE_GET_INFO')).toMatchObject({ model: 'i686', cpus: 16, memory: 3_145_728n });
    expect(reply('dumpxml_nobody', 'DOMAIN_LOOKUP_BY_NAME')).toMatchObject({ code: 42 });
    expect(reply('list_--all', 'CONNECT_LIST_ALL_DOMAINS')).toMatchObject({
      domains: [{ name: 'test', id: 1 }],
    });
  });
});
