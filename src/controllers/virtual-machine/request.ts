/** What a machine asks of a host. Pure. */
import type { Capability } from '../../drivers/hypervisor/contract.ts';
import type { PlacementRequest } from './placement.ts';
import { seedPlaceOf } from './seed-place.ts';
import { ok, type Resolved, type VmWorld } from './world.ts';

const unique = (names: readonly (string | undefined)[]): string[] => [
  ...new Set(names.filter((name) => name !== undefined)),
];

const capabilitiesOf = (world: VmWorld): Capability[] =>
  world.nics.some(
    ({ shape }) =>
      shape.kind === 'ok' && shape.value.backend.kind === 'bridge' && shape.value.backend.vlan !== undefined,
  )
    ? ['BridgeVlan']
    : [];

/** Lacks of images or disks do not stand against a placement: a disk is made where its machine goes. */
export const requestOf = (world: VmWorld): Resolved<PlacementRequest> => {
  if (world.resources.kind === 'lack') return world.resources;
  const reserved = world.nics.find((nic) => nic.reserved !== undefined)?.reserved;
  if (reserved !== undefined) return { kind: 'lack', lack: reserved };
  const hopeless = [...world.nics.map(({ shape }) => shape), ...world.cdroms.map(({ path }) => path)].find(
    (it) => it.kind === 'lack' && it.lack.condition !== 'ImageReady',
  );
  if (hopeless?.kind === 'lack') return hopeless;
  const disk = world.disks.find(
    ({ state }) =>
      state.kind === 'lacking' && state.lack.reason !== 'WaitingForFirstUse' && isFatal(state.lack.reason),
  );
  if (disk?.state.kind === 'lacking') return { kind: 'lack', lack: disk.state.lack };
  return ok({
    cpus: world.resources.value.cpus,
    memoryMiB: world.resources.value.memoryMiB,
    capabilities: capabilitiesOf(world),
    storagePools: unique([
      ...world.disks.map(({ storagePool }) => storagePool),
      // A seed lies in the pool of the image when its disk is one of a storage server.
      ...(world.vm.spec.cloudInit === undefined ? [] : [seedPlaceOf(world)?.poolName]),
    ]),
    attachmentKinds: [...new Set(world.disks.flatMap(({ served }) => served ?? []))],
    networks: unique(world.nics.map(({ network }) => network)),
    boundTo: world.disks.flatMap(({ name, boundTo }) =>
      boundTo === undefined ? [] : [{ host: boundTo, disk: name }],
    ),
  });
};

/** Reasons that no host can help with: the machine would be placed in vain. */
const isFatal = (reason: string): boolean =>
  [
    'StoragePoolNotFound',
    'StorageNotInPool',
    'StorageRoleMissing',
    'DiskNotFound',
    'DiskNameTaken',
    'ImageNotFound',
    'ImageFormatUnsuitable',
    'DiskSmallerThanImage',
  ].includes(reason);
