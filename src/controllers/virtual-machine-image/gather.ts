/** The world of one image, from stores alone. */
import { FINALIZER, PAUSED_ANNOTATION } from '../../api/identity.ts';
import { bytesOf } from '../../api/quantity.ts';
import { type StoragePool, topologyOf } from '../../api/storage-pool.ts';
import type { VirtualDisk } from '../../api/virtual-disk.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { VirtualMachineImage } from '../../api/virtual-machine-image.ts';
import type { ControllerContext } from '../context.ts';
import { homePoolOf } from '../home-pool.ts';
import { besides, diskNameOf } from '../indexes.ts';
import { mayUse } from '../may-use.ts';
import { imageFileName, isLinked, placeOf } from '../places.ts';
import { isFilled } from '../served.ts';
import type { ImportRoom } from './import-room.ts';
import type { HostWorld, ImageWorld, Lack } from './world.ts';

export interface GatherDeps {
  readonly context: ControllerContext;
  readonly imports: ImportRoom;
}

const keyOf = ({ metadata }: VirtualMachineImage): string => `${metadata.namespace}/${metadata.name}`;

const isGoing = ({ metadata }: { readonly metadata: { readonly deletionTimestamp?: string } }): boolean =>
  metadata.deletionTimestamp !== undefined;

const poolLackOf = (
  context: ControllerContext,
  image: VirtualMachineImage,
  pool: StoragePool | undefined,
): Lack | undefined => {
  const { name } = image.spec.storagePoolRef;
  // What was taken in while it was allowed stays usable; new copies may follow where machines go.
  const bound = (image.status?.copies ?? []).some(({ state }) => state === 'Ready');
  if (
    pool === undefined ||
    (!bound && !mayUse(context, image.metadata.namespace, pool.spec.allowedNamespaces))
  ) {
    return {
      reason: 'StoragePoolNotFound',
      message: `StoragePool ${name} does not exist, or this namespace may not use it.`,
    };
  }
  if (!bound && pool.metadata.deletionTimestamp !== undefined)
    return { reason: 'StoragePoolNotFound', message: `StoragePool ${name} is being deleted.` };
  const role = image.spec.format === 'iso' ? 'ISO' : 'Images';
  return bound || pool.spec.roles.includes(role)
    ? undefined
    : {
        reason: 'StorageRoleMissing',
        message: `StoragePool ${name} does not take ${role === 'ISO' ? 'ISO images' : 'disk images'}.`,
      };
};

const hostsOf = (context: ControllerContext, pool: StoragePool | undefined): readonly HostWorld[] =>
  (pool?.spec.hostPoolRefs ?? [])
    .flatMap((ref) =>
      context.kinds.hosts.store.byIndex('hostPool', ref.name).map((host): HostWorld => {
        const seen = context.fleet.session(ref.name)?.hosts().get(host.spec.hostName);
        const state = pool?.status?.hosts?.find((it) => it.name === host.metadata.name);
        return {
          name: host.metadata.name,
          id: host.spec.hostName,
          pool: ref.name,
          usable: seen?.kind === 'reachable' && state?.ready === true,
          availableBytes: bytesOf(state?.available ?? '0'),
          declaredDown: host.spec.declaredDown?.reason,
        };
      }),
    )
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));

/** Where the disk is bound, or will be: beside the machines that name it. */
const hostsOfDisk = ({ kinds }: ControllerContext, disk: VirtualDisk): readonly (string | undefined)[] =>
  isFilled(homePoolOf(kinds, disk))
    ? // Filled through the operator: any copy will do.
      []
    : disk.status?.host === undefined
      ? kinds.machines.store
          .byIndex('disk', besides(disk, disk.metadata.name))
          .filter((vm) => !isGoing(vm))
          .map((vm) => vm.status?.host)
      : [disk.status.host];

/** A full copy that was made needs its image no more. */
const standsOn = ({ kinds }: ControllerContext, disk: VirtualDisk): boolean =>
  !isGoing(disk) &&
  (disk.status?.volume === undefined || (isLinked(disk) && !isFilled(homePoolOf(kinds, disk))));

const hasInDrive = (vm: VirtualMachine, image: VirtualMachineImage): boolean =>
  vm.spec.cdroms.some((cdrom) => cdrom.imageRef?.name === image.metadata.name);

const demandedOn = (
  context: ControllerContext,
  image: VirtualMachineImage,
  disks: readonly VirtualDisk[],
  machines: readonly VirtualMachine[],
): ReadonlySet<string> => {
  const hosts = [
    ...disks.filter((disk) => standsOn(context, disk)).flatMap((disk) => hostsOfDisk(context, disk)),
    ...machines.filter((vm) => !isGoing(vm) && hasInDrive(vm, image)).map((vm) => vm.status?.host),
  ];
  return new Set(hosts.filter((host) => host !== undefined));
};

/** Machines whose template of a disk from the image was not followed yet. */
const hasOpenTemplate = (
  { kinds }: ControllerContext,
  vm: VirtualMachine,
  image: VirtualMachineImage,
): boolean =>
  vm.spec.disks.some(
    (disk) =>
      disk.template?.imageRef?.name === image.metadata.name &&
      kinds.disks.store.get(besides(vm, diskNameOf(vm.metadata.name, disk))) === undefined,
  );

/**
 * Machines whose cloud-init seed lies beside the image, because their disk is not a file: the image stays
 * until they are gone, so that the seed is found and removed (src/controllers/virtual-machine/gather-disks.ts).
 */
const seededBy = ({ kinds }: ControllerContext, disks: readonly VirtualDisk[]): readonly VirtualMachine[] =>
  disks
    .filter((disk) => isFilled(homePoolOf(kinds, disk)))
    .flatMap((disk) => kinds.machines.store.byIndex('disk', besides(disk, disk.metadata.name)))
    .filter((vm) => !isGoing(vm) || vm.metadata.finalizers?.includes(FINALIZER) === true);

const dependentsOf = (
  context: ControllerContext,
  image: VirtualMachineImage,
  disks: readonly VirtualDisk[],
  machines: readonly VirtualMachine[],
): readonly string[] => [
  ...[
    ...new Set(
      [
        ...machines.filter(
          (vm) => !isGoing(vm) && (hasInDrive(vm, image) || hasOpenTemplate(context, vm, image)),
        ),
        ...seededBy(context, disks),
      ].map(({ metadata }) => `machine ${metadata.name}`),
    ),
  ].toSorted(),
  ...disks
    .filter((disk) => !isGoing(disk) && disk.status?.volume === undefined)
    .map(({ metadata }) => `VirtualDisk ${metadata.name}`)
    .toSorted(),
];

export const gather = ({ context, imports }: GatherDeps, key: string): ImageWorld | undefined => {
  const { kinds } = context;
  const image = kinds.images.store.get(key);
  if (image === undefined) return undefined;
  const { uid } = image.metadata;
  const pool = kinds.storagePools.store.get(image.spec.storagePoolRef.name);
  const disks = kinds.disks.store.byIndex('image', keyOf(image));
  const machines = kinds.machines.store.byIndex('image', keyOf(image));
  return {
    clusterId: context.clusterId,
    image,
    file: imageFileName(uid, image.spec.format),
    pausedBy: image.metadata.annotations?.[PAUSED_ANNOTATION],
    place: pool === undefined ? undefined : placeOf(context.clusterId, pool),
    poolLack: poolLackOf(context, image, pool),
    maxImageBytes: pool === undefined ? 0 : bytesOf(pool.spec.maxImageSize),
    shared: pool !== undefined && topologyOf(pool.spec) === 'Shared',
    hosts: hostsOf(context, pool),
    demanded: demandedOn(context, image, disks, machines),
    dependents: dependentsOf(context, image, disks, machines),
    leavingClones: kinds.disks.store
      .byIndex('imageUid', uid)
      .filter((disk) => isGoing(disk) && isLinked(disk))
      .map(({ metadata }) => metadata.name)
      .toSorted(),
    imports: imports.of(uid),
    monotonicMs: context.clock.monotonicMs(),
  };
};
