/** What a survey found to differ from the machines' status: hints for their controller, never the news itself. Pure. */
import { hostObjectName, vmUuid } from '../api/identity.ts';
import type { VirtualMachine } from '../api/virtual-machine.ts';
import type { Change, PowerSeen, SurveySeen, VmSummary } from '../drivers/hypervisor/contract.ts';
import type { StoreReader } from '../kube/contract.ts';

export interface SurveyReport {
  readonly changes: readonly Change[];
  /** Machines on hosts that carry our tag and have no object: reported, never removed. */
  readonly orphans: readonly { readonly host: string; readonly uuid: string; readonly domainName: string }[];
}

const powerOf = ({ kind }: PowerSeen): 'PoweredOn' | 'PoweredOff' | 'Paused' => {
  switch (kind) {
    case 'running':
    case 'stopping':
      return 'PoweredOn';
    case 'paused':
      return 'Paused';
    case 'off':
      return 'PoweredOff';
    default:
      return kind satisfies never;
  }
};

const agrees = (vm: VirtualMachine, host: string, row: VmSummary): boolean =>
  vm.status?.host === host && vm.status.powerState === powerOf(row.power) && row.ownership.kind === 'ours';

interface Finding {
  readonly uuids: Set<string>;
  readonly orphans: SurveyReport['orphans'][number][];
}

const readHost = (
  found: Finding,
  seen: Extract<SurveySeen, { kind: 'seen' }>,
  host: string,
  clusterId: string,
  machines: Pick<StoreReader<VirtualMachine>, 'byIndex'>,
): void => {
  const there = new Set<string>();
  for (const row of seen.machines) {
    there.add(row.uuid);
    const [vm] = machines.byIndex('uuid', row.uuid);
    if (vm !== undefined) {
      if (!agrees(vm, host, row)) found.uuids.add(row.uuid);
    } else if (row.ownership.kind === 'ours' && row.ownership.record.clusterId === clusterId) {
      found.uuids.add(row.uuid);
      found.orphans.push({ host, uuid: row.uuid, domainName: row.domainName });
    }
  }
  for (const vm of machines.byIndex('host', host)) {
    const uuid = vmUuid(clusterId, vm.metadata.uid);
    if (!there.has(uuid)) found.uuids.add(uuid);
  }
};

export const readSurvey = (
  rows: readonly SurveySeen[],
  pool: string,
  clusterId: string,
  machines: Pick<StoreReader<VirtualMachine>, 'byIndex'>,
): SurveyReport => {
  const found: Finding = { uuids: new Set(), orphans: [] };
  for (const seen of rows) {
    if (seen.kind === 'seen') readHost(found, seen, hostObjectName(pool, seen.host), clusterId, machines);
  }
  return { changes: [...found.uuids].map((uuid) => ({ kind: 'vm', uuid })), orphans: found.orphans };
};
