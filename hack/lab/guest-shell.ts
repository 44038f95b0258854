import { randomUUID } from 'node:crypto';
import type { KvmHost } from './kvm-host-types.ts';

const terminalOf = async (host: KvmHost, domain: string): Promise<string> =>
  (await host.virsh('ttyconsole', domain)).trim();

/**
 * Sends a command that ends the guest to its shell, which must be there, and waits until the guest is gone: no answer
 * could be told from one that came too late. Throws when the guest is still there after `limitSeconds`.
 */
export const endGuest = async (
  host: KvmHost,
  domain: string,
  command: string,
  limitSeconds = 180,
): Promise<void> => {
  // QEMU reads what is written only while somebody has the terminal open, and closes it when it ends.
  const script = 'exec 3<> "$1"; printf "%s\\n" "$2" >&3; cat <&3 > /dev/null';
  const argv = ['timeout', `${limitSeconds}`, 'sh', '-c', script, 'sh', await terminalOf(host, domain)];
  const { code, stderr } = await host.exec([...argv, command], { allowFailure: true });
  if (code === 124) throw new Error(`${command} did not end ${domain} in ${limitSeconds} s: ${stderr}`);
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
  limitSeconds = 120,
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
  // The guest's watcher speaks on the same line when it pleases.
  return found[1].replaceAll(/^ovcp-guest .*\n/gm, '');
};
