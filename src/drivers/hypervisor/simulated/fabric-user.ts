/** The hosts of a world as targets know them: which initiators have a disk open, and what it is to lose it. */
import type { FabricUser } from '../../storage/simulated/fabric.ts';
import type { NetworkAttachment } from '../shape.ts';
import type { EventBus } from './events.ts';
import { changed } from './machines.ts';
import type { SimulatedHost, SimulatedMachine } from './state.ts';

interface Use {
  readonly host: SimulatedHost;
  readonly machine: SimulatedMachine;
  readonly attachment: NetworkAttachment;
}

const usesOf = (hosts: readonly SimulatedHost[], targetIqn: string): readonly Use[] =>
  hosts.flatMap((host) =>
    [...host.machines.values()].flatMap((machine) =>
      (machine.running?.disks ?? []).flatMap(({ attachment }) =>
        attachment.kind === 'network' && attachment.targetIqn === targetIqn
          ? [{ host, machine, attachment }]
          : [],
      ),
    ),
  );

export const createFabricUser = (
  hosts: () => readonly SimulatedHost[],
  { emit }: Pick<EventBus, 'emit'>,
): FabricUser => ({
  sessions: (targetIqn) => usesOf(hosts(), targetIqn).map(({ attachment }) => attachment.initiator),
  cut: (targetIqn, initiator) => {
    for (const { host, machine, attachment } of usesOf(hosts(), targetIqn)) {
      if (attachment.initiator !== initiator) continue;
      machine.power = { kind: 'paused', cause: 'IoError' };
      changed(host, machine, emit);
    }
  },
});
