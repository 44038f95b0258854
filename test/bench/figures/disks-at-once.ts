/** 200 disks asked for on one pool at once: whether a call fails for load, and how many channels SSH has open. */

import { has } from '../harness/cluster.ts';
import {
  createDisks,
  diskName,
  failedCalls,
  mostAtOnce,
  servedPool,
  servedPoolName,
} from '../harness/disks.ts';
import { atMost, type Figure } from '../harness/figure.ts';
import { kvmNamespace } from '../harness/kvm-lab.ts';
import { type Disks, followDisks } from '../harness/machines.ts';
import { nowMs } from '../harness/now.ts';
import type { Driven, SshUse } from '../harness/operator-protocol.ts';
import { startSimulatedLab } from '../harness/simulated-lab.ts';
import { sanName, startStorageLab } from '../harness/storage-lab.ts';

const row = 'disks-at-once';
const longMs = 900_000;

const untilAllMade = async (disks: Disks, namespace: string, count: number): Promise<number> => {
  let lastMs = 0;
  for (let index = 0; index < count; index += 1) {
    const key = `${namespace}/${diskName(index)}`;
    const madeMs = await disks.when(key, (it) => it?.status?.volume !== undefined, longMs);
    lastMs = Math.max(lastMs, madeMs);
  }
  return lastMs;
};

interface Run {
  readonly count: number;
  readonly tookMs: number;
  readonly calls: readonly Driven[];
  readonly ssh: SshUse;
}

const figuresOf = (what: string, { count, tookMs, calls, ssh }: Run, overSsh: boolean): readonly Figure[] => {
  const failed = failedCalls(calls);
  const told = [...new Set(failed.map(({ call, fault }) => `${call}: ${fault}`))].slice(0, 3).join('; ');
  const making = calls.filter(({ call }) => call === 'disk.createBlank');
  return [
    {
      row,
      what: `${count} disks on ${what}: calls to it that failed`,
      value: failed.length,
      unit: 'calls',
      gate: atMost(0),
      note: `${told === '' ? '' : `${told}; `}${calls.length} calls, ${mostAtOnce(making)} disks made at a time, all there after ${(tookMs / 1000).toFixed(1)} s`,
    },
    ...(overSsh
      ? [
          {
            row,
            what: `${count} disks on ${what}: SSH channels at one time`,
            value: ssh.peak,
            unit: 'channels',
            gate: atMost(8),
            note: `${ssh.connections} new connections, ${ssh.commands} commands`,
          },
        ]
      : []),
  ];
};

const onTgt = async (count: number): Promise<Run> => {
  const lab = await startStorageLab();
  try {
    const { operator, cluster, disks } = lab;
    await operator.quiet();
    await operator.driven();
    await operator.ssh();
    const fromMs = nowMs();
    await createDisks(cluster, kvmNamespace, sanName, { count });
    const toMs = await untilAllMade(disks, kvmNamespace, count);
    await operator.quiet();
    return { count, tookMs: toMs - fromMs, calls: await operator.driven(), ssh: await operator.ssh() };
  } finally {
    await lab.close();
  }
};

const onSimulated = async (count: number): Promise<Run> => {
  const lab = await startSimulatedLab({ hosts: 2, audit: false });
  try {
    const { operator, cluster } = lab;
    await cluster.apply(servedPool());
    const path = `/apis/ovcp.dev/v1alpha1/storagepools/${servedPoolName}`;
    await cluster.until(path, (it) => has(it, 'Ready', 'True'));
    const disks = await followDisks(cluster);
    await operator.quiet();
    await operator.driven();
    const fromMs = nowMs();
    await createDisks(cluster, 'load', servedPoolName, { count });
    const toMs = await untilAllMade(disks, 'load', count);
    await operator.quiet();
    await disks.stop();
    return { count, tookMs: toMs - fromMs, calls: await operator.driven(), ssh: await operator.ssh() };
  } finally {
    await lab.close();
  }
};

export const disksAtOnce = async (): Promise<readonly Figure[]> => {
  const count = Number(process.env['DISKS_AT_ONCE'] ?? 200);
  return [
    ...figuresOf('a tgt server', await onTgt(count), true),
    ...figuresOf('a simulated server', await onSimulated(count), false),
  ];
};
