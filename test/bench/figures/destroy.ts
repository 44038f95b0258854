/** Somebody runs `virsh destroy`: how long until the operator asks libvirt to start the machine again. */

import { sleep } from '../harness/cluster.ts';
import { atMost, type Figure, quantile } from '../harness/figure.ts';
import { type KvmLab, kvmNamespace, startKvmLab, tinyGuest } from '../harness/kvm-lab.ts';
import { runs } from '../harness/machines.ts';
import { nowMs } from '../harness/now.ts';
import { collection } from '../harness/objects.ts';

const row = 'virsh-destroy';

/** The moment of the next start, as the operator's process notes it when its call has ended. */
const nextStart = async ({ operator }: KvmLab, afterMs: number): Promise<number> => {
  for (let tries = 0; tries < 600; tries += 1) {
    const start = (await operator.driven()).find(
      ({ call, fromMs }) => call === 'DOMAIN_CREATE_WITH_FLAGS' && fromMs >= afterMs,
    );
    if (start !== undefined) return start.fromMs;
    await sleep(50);
  }
  throw new Error('no start within 30 s');
};

export const destroy = async (): Promise<readonly Figure[]> => {
  const rounds = Number(process.env['DESTROY_ROUNDS'] ?? 40);
  const names = ['d0', 'd1', 'd2', 'd3'];
  const lab = await startKvmLab();
  try {
    const { cluster, host, machines } = lab;
    for (const name of names) {
      const path = collection('virtualmachines', kvmNamespace);
      await cluster.call({ method: 'POST', path, body: tinyGuest(name) });
      await machines.when(`${kvmNamespace}/${name}`, runs);
    }
    const domains = (await host.virsh('list', '--name')).split('\n').map((line) => line.trim());
    const fromCommand: number[] = [];
    const fromEnd: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const name = names[round % names.length] ?? '';
      const domain = domains.find((it) => it.startsWith(`${kvmNamespace}.${name}.`));
      if (domain === undefined) throw new Error(`${name} does not run`);
      await machines.when(`${kvmNamespace}/${name}`, runs);
      const beganMs = nowMs();
      await host.virsh('destroy', domain);
      const endedMs = nowMs();
      const startMs = await nextStart(lab, beganMs);
      fromCommand.push(startMs - beganMs);
      fromEnd.push(startMs - endedMs);
    }
    return [
      {
        row,
        what: `the command's begin to the start call, ${rounds} rounds: P99`,
        value: quantile(fromCommand, 0.99),
        unit: 'ms',
        gate: atMost(1000),
        note: `P50 ${quantile(fromCommand, 0.5).toFixed(0)} ms; from the command's end P50 ${quantile(fromEnd, 0.5).toFixed(0)} ms, P99 ${quantile(fromEnd, 0.99).toFixed(0)} ms`,
      },
    ];
  } finally {
    await lab.close();
  }
};
