/** The two halves of an iSCSI login (RFC 7143 11.12), so that a test can do something between them. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { ServedDisk } from '../../../src/drivers/storage/contract.ts';

const pdu = (stages: number, sequence: number, keys: readonly string[]): Buffer => {
  const text = Buffer.from(keys.map((key) => `${key}\0`).join(''));
  const data = Buffer.concat([text, Buffer.alloc((4 - (text.length % 4)) % 4)]);
  const head = Buffer.alloc(48);
  head.writeUInt8(0x43, 0);
  head.writeUInt8(0x80 | stages, 1);
  head.writeUIntBE(text.length, 5, 3);
  // Qualifier "random" and a value: the session's name on the initiator's side.
  head.writeUInt8(0x80, 8);
  head.writeUInt32BE(1, 16);
  head.writeUInt32BE(1, 24);
  head.writeUInt32BE(sequence, 28);
  return Buffer.concat([head, data]);
};

/** Status class of the answer: 0 is yes. Undefined when the target hangs up instead. */
const answer = async (socket: Socket): Promise<number | undefined> => {
  let have = Buffer.alloc(0);
  for (;;) {
    const length = have.length < 48 ? 48 : 48 + Math.ceil(have.readUIntBE(5, 3) / 4) * 4;
    if (have.length >= 48 && have.length >= length) return have.readUInt8(36);
    const [chunk] = (await Promise.race([once(socket, 'data'), once(socket, 'close')])) as [unknown];
    if (!(chunk instanceof Buffer)) return undefined;
    have = Buffer.concat([have, chunk]);
  }
};

/**
 * First half: the target looks at the initiator's name. `finish` is true when the second half gives a session.
 * `from` is the own address, where it is not to be the machine's usual one.
 */
export const beginLogin = async (
  served: ServedDisk,
  initiator: string,
  { from, more = [] }: { readonly from?: string; readonly more?: readonly string[] } = {},
) => {
  const [portal] = served.portals;
  const place = { host: portal?.address ?? '', port: portal?.port ?? 0 };
  const socket = connect(from === undefined ? place : { ...place, localAddress: from });
  socket.on('error', () => {});
  await once(socket, 'connect');
  const keys = [
    `InitiatorName=${initiator}`,
    'SessionType=Normal',
    `TargetName=${served.targetIqn}`,
    'AuthMethod=None',
    ...more,
  ];
  // From security negotiation (0) to operational negotiation (1).
  socket.write(pdu(0b0001, 0, keys));
  return {
    accepted: (await answer(socket)) === 0,
    finish: async (): Promise<boolean> => {
      // From operational negotiation (1) to the full feature phase (3).
      socket.write(pdu(0b0111, 1, ['HeaderDigest=None', 'DataDigest=None']));
      return (await answer(socket)) === 0;
    },
    close: (): void => void socket.destroy(),
  };
};
