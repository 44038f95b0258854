/** Disks that the host of a machine has to be logged in to, right before they are used. */
import type { HypervisorPool, VmStep } from '../../drivers/hypervisor/contract.ts';
import type { LoginWish } from '../../drivers/hypervisor/host-logins.ts';
import type { ControllerContext } from '../context.ts';
import { loginSecretOf, loginWishOf } from '../served.ts';
import type { VmWorld } from './world.ts';

interface Need {
  readonly poolName: string;
  readonly diskUid: string;
  readonly sizeBytes: number;
  /** A machine has it open: it is only looked at anew. */
  readonly inUse: boolean;
}

/** What the step needs on its host, disk by disk. */
export const loginsFor = ({ disks }: Pick<VmWorld, 'disks'>, step: VmStep): readonly Need[] =>
  disks.flatMap(({ state, storagePool, diskUid, served }): readonly Need[] => {
    // Volumes of the host's own groups are block devices, too.
    if (served !== 'block' || state.kind !== 'ready') return [];
    if (storagePool === undefined || diskUid === undefined) return [];
    const { serial, sizeBytes } = state.shape;
    const need = { poolName: storagePool, diskUid, sizeBytes, inUse: step.kind === 'growDisk' };
    switch (step.kind) {
      case 'start':
        return [need];
      case 'attachDisk':
        return step.disk.serial === serial ? [need] : [];
      case 'growDisk':
        return step.serial === serial ? [{ ...need, sizeBytes: step.sizeBytes }] : [];
      default:
        return [];
    }
  });

const wishesOf = (context: ControllerContext, world: VmWorld, step: VmStep): readonly LoginWish[] => {
  const { kinds } = context;
  const hostUid = world.hosts
    .filter(({ id }) => id === step.host)
    .flatMap(({ name }) => kinds.hosts.store.get(name)?.metadata.uid ?? [])[0];
  return loginsFor(world, step).flatMap(({ poolName, ...need }) => {
    const pool = kinds.storagePools.store.get(poolName);
    if (pool === undefined || hostUid === undefined) return [];
    return [loginWishOf(pool, { ...need, hostUid, secret: loginSecretOf(context, pool) })];
  });
};

/**
 * `check` asks for the claims in the very turn in which the host is told to log in: one that is being let go of is
 * logged out, and must not be logged in again behind that.
 */
export const logIn = async (
  context: ControllerContext,
  hostPool: HypervisorPool,
  world: VmWorld,
  step: VmStep,
  check: () => void,
  signal: AbortSignal,
): Promise<void> => {
  const logins = hostPool.hostLogins(step.host);
  await Promise.all(
    wishesOf(context, world, step).map((wish) =>
      context.effect('log in', async () => {
        check();
        await logins.connect(wish, signal);
      }),
    ),
  );
};
