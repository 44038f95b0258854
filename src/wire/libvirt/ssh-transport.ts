import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { raceAbort } from '../signals.ts';
import { SshError } from '../ssh/errors.ts';
import type { SshSession } from '../ssh/session.ts';
import type { Transport } from './connection.ts';
import { type ConnectionFailure, LibvirtConnectionError } from './errors.ts';

export const fromSshError = (error: unknown): unknown => {
  if (!(error instanceof SshError)) return error;
  const { kind, message } = error;
  const failure: ConnectionFailure =
    kind === 'prohibited' || kind === 'absent' || kind === 'overflow' ? 'refused' : kind;
  return new LibvirtConnectionError(failure, message, { cause: error });
};

/**
 * For hosts whose sshd forwards no sockets: libvirt's own helper where the socket is the usual one, netcat otherwise.
 * One line in front of the stream tells an absent socket from a daemon that says nothing. $1 socket, $2 URI.
 */
const RELAY = `
[ -S "$1" ] || { echo absent; exit 0; }
helper=; case "$1" in /var/run/libvirt/*) helper=$(command -v virt-ssh-helper);; esac
if [ -n "$helper" ]; then echo ready; exec virt-ssh-helper "$2"; fi
command -v nc >/dev/null || { echo nothing; exit 0; }
echo ready; exec nc -U "$1"`;

const readLine = async (channel: Duplex, signal: AbortSignal): Promise<string> => {
  let line = '';
  while (!line.endsWith('\n')) {
    const byte: unknown = channel.read(1);
    if (byte instanceof Buffer) line += byte.toString('latin1');
    else if (channel.readableEnded || channel.destroyed || line.length > 80) return line;
    else await once(channel, 'readable', { signal });
  }
  return line.trim();
};

const relay = async (ssh: SshSession, socket: string, uri: string, signal: AbortSignal): Promise<Duplex> => {
  const channel = await ssh.exec(['sh', '-c', RELAY, 'sh', socket, uri], signal);
  const ended = once(channel, 'end', { signal }).then(() => '');
  ended.catch(() => {});
  const line = await raceAbort(Promise.race([readLine(channel, signal), ended]), signal);
  if (line === 'ready') return channel;
  channel.destroy();
  const reason =
    line === 'nothing' ? 'needs virt-ssh-helper or nc on the host' : 'is not a socket on the host';
  throw new LibvirtConnectionError('refused', `${socket} ${reason}; sshd forwards no sockets`);
};

/** A daemon's socket on the far side of an SSH session; `uri` is what a relaying helper is asked for. */
export const sshTransport =
  (session: (signal: AbortSignal) => Promise<SshSession>, socket: string, uri: string): Transport =>
  async (signal) => {
    try {
      const ssh = await session(signal);
      try {
        return await ssh.openSocket(socket, signal);
      } catch (error) {
        if (!(error instanceof SshError) || error.kind !== 'prohibited') throw error;
        return await relay(ssh, socket, uri, signal);
      }
    } catch (error) {
      throw fromSshError(error);
    }
  };
