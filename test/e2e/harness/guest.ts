/** What the guest says of itself, over its serial port. */
import { setTimeout as sleep } from 'node:timers/promises';
import { askGuest } from '../../../hack/lab/guest-shell.ts';
import type { KvmHost } from '../../../hack/lab/kvm-host.ts';

/** What the lab's guest tells of itself; see hack/lab/guest/functions. */
export interface Facts {
  readonly hostname: string;
  /** Addresses by name of the card. */
  readonly ip: Readonly<Record<string, string>>;
  /** Bytes by name of the disk. */
  readonly disks: Readonly<Record<string, number>>;
  readonly boots: number;
  readonly instance: string;
  readonly keys: number;
  readonly cpus: number;
  /** KiB the guest's kernel has. */
  readonly memory: number;
}

const table = (text: string): Record<string, string> =>
  text === 'none'
    ? {}
    : Object.fromEntries(
        text.split(',').map((pair) => {
          const [key = '', value = ''] = pair.split(':');
          return [key, value];
        }),
      );

const factsOf = (line: string): Facts => {
  const values = new Map(
    line
      .trim()
      .split(' ')
      .map((pair) => pair.split('=', 2) as [string, string]),
  );
  const text = (key: string): string => values.get(key) ?? '';
  return {
    hostname: text('hostname'),
    ip: table(text('ip')),
    disks: Object.fromEntries(
      Object.entries(table(text('disks'))).map(([name, bytes]) => [name, Number(bytes)]),
    ),
    boots: Number(text('boots')),
    instance: text('instance'),
    keys: Number(text('keys')),
    cpus: Number(text('cpus')),
    memory: Number(text('memory')),
  };
};

/**
 * One question to the guest's shell; a guest that still boots is asked again, and each time given longer to answer, so
 * that one that is only slow gets through. Throws after `limitMs`.
 */
export const askShell = async (
  host: KvmHost,
  domain: string,
  command: string,
  limitMs = 300_000,
): Promise<string> => {
  const endMs = performance.now() + limitMs;
  for (let seconds = 4; ; seconds = Math.min(seconds * 2, 64)) {
    try {
      return await askGuest(host, domain, command, seconds);
    } catch (error) {
      if (performance.now() > endMs) throw error;
      await sleep(200);
    }
  }
};

/** What the guest sees now. */
export const guestFacts = async (host: KvmHost, domain: string): Promise<Facts> =>
  factsOf(await askShell(host, domain, '. /etc/functions; facts'));
