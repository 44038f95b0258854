/** One question to libvirt over a connection that is held, against one `virsh` process per question. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startKvmHosts } from '../../../hack/lab/kvm-host.ts';
import { createDomains } from '../../../src/wire/libvirt/domains.ts';
import { openLibvirtSession } from '../../../src/wire/libvirt/session.ts';
import { parseLibvirtUri } from '../../../src/wire/libvirt/uri.ts';
import { atLeast, type Figure } from '../harness/figure.ts';
import { timed } from '../harness/kvm-lab.ts';

const row = 'held-connection';
const never = new AbortController().signal;
const calls = 5_000;
const processes = 100;

const xml =
  "<domain type='qemu'><name>asked</name><memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os></domain>";

export const heldConnection = async (): Promise<readonly Figure[]> => {
  const dir = await mkdtemp('/tmp/ovcp-bh-');
  const [host] = await startKvmHosts({ dir: join(dir, 'kvm'), hosts: [{ name: 'node1' }] });
  if (host === undefined) throw new Error('no host came up');
  try {
    const session = await openLibvirtSession({ uri: parseLibvirtUri(host.uris.unix) }, never);
    const domains = createDomains(session.call);
    const dom = await domains.defineXml(xml, 0, never);
    await domains.getState(dom, never);
    await host.virsh('domstate', 'asked');
    const held: number[] = [];
    const forked: number[] = [];
    // In turns, so that both see the same load of the machine.
    for (let round = 0; round < 10; round += 1) {
      held.push(
        await timed(async () => {
          for (let call = 0; call < calls / 10; call += 1) await domains.getState(dom, never);
        }),
      );
      forked.push(
        await timed(async () => {
          for (let call = 0; call < processes / 10; call += 1) await host.virsh('domstate', 'asked');
        }),
      );
    }
    const sum = (parts: readonly number[]): number => parts.reduce((total, part) => total + part, 0);
    const heldMs = sum(held) / calls;
    const forkedMs = sum(forked) / processes;
    await session.close();
    return [
      {
        row,
        what: 'state of a domain, one call after the other: held connection against virsh processes',
        value: forkedMs / heldMs,
        unit: '×',
        gate: atLeast(100),
        note: `${heldMs.toFixed(3)} ms against ${forkedMs.toFixed(1)} ms per call`,
      },
    ];
  } finally {
    await host.stop();
    await rm(dir, { recursive: true, force: true });
  }
};
