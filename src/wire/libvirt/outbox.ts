import type { Duplex } from 'node:stream';

export type Outbox = {
  /** Resolves when the system has taken the packet; rejects when the connection ends first. */
  write(packet: Buffer): Promise<void>;
};

/**
 * One write at a time, in order. libvirtd over TLS reads one packet each time its socket becomes readable and does not
 * look at what gnutls still holds (src/rpc/virnetserverclient.c): two packets in one TLS record, as joined writes make
 * them, would leave the second one lying until more bytes come. Ends of records are ends of writes.
 */
export const createOutbox = (duplex: Duplex): Outbox => {
  let last: Promise<void> = Promise.resolve();
  let waiting = 0;
  const writeNow = (packet: Buffer): Promise<void> =>
    new Promise((resolve, reject) => {
      duplex.write(packet, (error) => {
        waiting -= 1;
        if (error != null) return reject(error);
        resolve();
      });
    });
  return {
    write: (packet) => {
      waiting += 1;
      last = waiting === 1 ? writeNow(packet) : last.then(() => writeNow(packet));
      last.catch(() => {});
      return last;
    },
  };
};
