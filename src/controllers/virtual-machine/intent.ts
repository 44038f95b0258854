/** The status that is written before anything is made: what a fresh process needs to find its effects. Pure. */
import { formatQuantity } from '../../api/quantity.ts';
import type { VirtualMachineStatus } from '../../api/virtual-machine.ts';
import { setCondition } from '../../runtime/conditions.ts';
import type { Resources, VmWorld } from './world.ts';

export const resourcesStatus = (resources: Resources): NonNullable<VirtualMachineStatus['resources']> => ({
  cpus: resources.cpus,
  memory: formatQuantity(BigInt(resources.memoryMiB) * 1_048_576n),
  ...(resources.size === undefined ? {} : { size: resources.size }),
});

/** Everything the status had stays; the host and the names derived from the uid are added. */
export const intentStatus = (
  world: VmWorld,
  resources: Resources | undefined,
  host: string,
  nowMs: number,
): VirtualMachineStatus => {
  const { vm, identity } = world;
  const stamp = { generation: vm.metadata.generation, nowMs };
  const reconciling = {
    type: 'Reconciling',
    status: 'True',
    reason: 'Creating',
    message: 'The machine is being made.',
  } as const;
  const placed = {
    type: 'Placed',
    status: 'True',
    reason: 'Placed',
    message: `The machine is placed on ${host}.`,
  } as const;
  const conditions = setCondition(
    setCondition(vm.status?.conditions ?? [], reconciling, stamp),
    placed,
    stamp,
  );
  return {
    ...vm.status,
    host,
    uuid: identity.uuid,
    domainName: identity.domainName,
    ...(resources === undefined ? {} : { resources: resourcesStatus(resources) }),
    conditions: [...conditions],
  };
};
