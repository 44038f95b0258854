import { randomUUID } from 'node:crypto';
import type { KvmHost } from './kvm-host-types.ts';

const terminalOf = async (host: KvmHost, domain: string): Promise<string> =>
  (await host.virsh('ttyconsole', domain)).trim();

/** Sends a line to the guest's shell and waits for no answer: for what ends the guest. The shell must be there. */
export const tellGuest = async (host: KvmHost, domain: string, command: string): Promise<void> => {
  await host.exec(['tee', await terminalOf(host, domain)], { stdin: `${command}\n` });
};

/**
 * Runs a command in the shell that the lab's guest keeps on its first serial port, and returns what it printed.
 * `domain` must be running with a `<serial type="pty">` that nobody else reads (no open console). One command at a
 * time. Throws when no answer comes within `limitSeconds`.
 */
export const askGuest = async (
  host: KvmHost,
  domain: string,
  command: string,
  limitSeconds = 20,
): Promise<string> => {
  const terminal = await terminalOf(host, domain);
  const mark = randomUUID().slice(0, 8);
  // The shell echoes what it is sent: the quotes keep the echo from looking like the answer.
  const line = `echo be''gin-${mark}; ${command}; echo en''d-${mark}\n`;
  const [answer] = await Promise.all([
    host.exec(['timeout', `${limitSeconds}`, 'sed', '-u', `/^end-${mark}/q`, terminal], {
      allowFailure: true,
    }),
    host.exec(['tee', terminal], { stdin: line }),
  ]);
  const text = answer.stdout.replaceAll('\r', '');
  const found = new RegExp(`^begin-${mark}\\n([^]*?)^end-${mark}`, 'm').exec(text);
  if (found?.[1] === undefined) throw new Error(`the guest did not answer ${command}: ${text.slice(-500)}`);
  return found[1];
};
