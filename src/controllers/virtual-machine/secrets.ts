/** Secrets that a host needs for the disks of a machine, put there right before they are used. */
import type { HypervisorPool, VmStep } from '../../drivers/hypervisor/contract.ts';
import { Fault } from '../../runtime/fault.ts';
import type { ControllerContext } from '../context.ts';
import { secretOf } from '../served.ts';
import type { VmWorld } from './world.ts';

interface Need {
  readonly poolName: string;
  readonly secretUuid: string;
}

/** What the step needs on its host, one for each StoragePool. */
export const secretsFor = ({ disks }: Pick<VmWorld, 'disks'>, step: VmStep): readonly Need[] => {
  if (step.kind !== 'start' && step.kind !== 'attachDisk') return [];
  const found = new Map<string, string>();
  for (const { state, storagePool } of disks) {
    if (state.kind !== 'ready' || storagePool === undefined) continue;
    const { attachment, serial } = state.shape;
    if (attachment.kind !== 'network' || attachment.auth === undefined) continue;
    if (step.kind === 'attachDisk' && step.disk.serial !== serial) continue;
    found.set(storagePool, attachment.auth.secretUuid);
  }
  return [...found].map(([poolName, secretUuid]) => ({ poolName, secretUuid }));
};

/** Hosts keep secrets in memory alone and forget them with their daemon: nobody asks whether one is still there. */
export const putSecrets = async (
  { kinds, storage, effect }: ControllerContext,
  hostPool: HypervisorPool,
  world: VmWorld,
  step: VmStep,
  signal: AbortSignal,
): Promise<void> => {
  for (const { poolName, secretUuid } of secretsFor(world, step)) {
    const pool = kinds.storagePools.store.get(poolName);
    const login = storage.session(poolName)?.login();
    const secret = pool && login && secretOf(world.clusterId, pool, login.version);
    // The Secret was changed a moment ago: the machine is defined anew before it starts.
    if (login === undefined || secret?.uuid !== secretUuid)
      throw new Fault('busy', `The login of StoragePool ${poolName} is being read.`, {
        reason: 'Connecting',
      });
    const value = Buffer.from(login.password);
    await effect('put secret', () => hostPool.hostSecrets(step.host).put(secret, value, signal));
  }
};
