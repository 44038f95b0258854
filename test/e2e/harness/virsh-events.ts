/** What libvirt announces on a host, told by virsh. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KvmHost } from '../../../hack/lab/kvm-host.ts';

export interface VirshEvents {
  /** Lifecycle events of a domain so far, oldest first, such as `Stopped Destroyed`. */
  lifecycle(domain: string): readonly string[];
  stop(): void;
}

const lifecycleLine = /event 'lifecycle' for domain '?([^':]+)'?: (.*)$/;

/** Listens for as long as the host's daemon lets it, and again when it was restarted. */
export const startVirshEvents = (host: KvmHost, beat: () => void): VirshEvents => {
  const seen = new Map<string, string[]>();
  let child: ChildProcess | undefined;
  let ended = false;
  const listen = async (): Promise<void> => {
    // virsh writes to a pipe in blocks unless it is told otherwise.
    const argv = ['-oL', 'virsh', '-q', '-c', host.uris.unix, 'event', '--all', '--loop'];
    child = spawn('stdbuf', argv, { stdio: ['ignore', 'pipe', 'ignore'] });
    if (child.stdout === null) return;
    for await (const line of createInterface({ input: child.stdout })) {
      const [, domain, text] = lifecycleLine.exec(line) ?? [];
      if (domain !== undefined && text !== undefined)
        seen.set(domain, [...(seen.get(domain) ?? []), text.trim()]);
      beat();
    }
  };
  void (async () => {
    while (!ended) {
      await listen().catch(() => undefined);
      await sleep(200);
    }
  })();
  return {
    lifecycle: (domain) => seen.get(domain) ?? [],
    stop: () => {
      ended = true;
      child?.kill('SIGKILL');
    },
  };
};
