/** How often the data of a disk is there, on hosts and storage servers. */
import { diskTargetIqn } from '../../src/api/identity.ts';
import type { SimulatedCall } from '../../src/drivers/hypervisor/simulated/gate.ts';
import type { SimulatedHost } from '../../src/drivers/hypervisor/simulated/state.ts';

interface World {
  readonly hosts: readonly SimulatedHost[];
  readonly targets: ReadonlyMap<string, unknown>;
}

/** Complete copies of a disk but for the volume in that folder: a disk that moves has two of them for a while. */
export const otherCopies = (
  { hosts, targets }: World,
  { host, path, subject = '' }: SimulatedCall,
  uid: string,
): number => {
  const here = hosts.find(({ name }) => name === host)?.places.get(path ?? '')?.directory;
  const folders = new Set(
    hosts.flatMap((it) => [
      ...it.directories.values(),
      ...[...it.places.values()].map(({ directory }) => directory),
    ]),
  );
  const files = [...folders].filter((it) => it !== here && it.volumes.get(subject)?.complete === true).length;
  return files + (targets.has(diskTargetIqn(uid)) ? 1 : 0);
};

/** What is deleted there is no complete volume, or is gone already. */
export const isRest = ({ hosts }: World, { host, path, subject = '' }: SimulatedCall): boolean =>
  hosts
    .find(({ name }) => name === host)
    ?.places.get(path ?? '')
    ?.directory.volumes.get(subject)?.complete !== true;
