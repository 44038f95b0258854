/** The hosts of a world as targets know them: which initiators have a disk open, and what it is to lose it. */
import type { FabricUser } from '../../storage/simulated/fabric.ts';
import type { EventBus } from './events.ts';
import { changed } from './machines.ts';
import type { SimulatedHost, SimulatedMachine } from './state.ts';

interface Use {
  readonly host: SimulatedHost;
  readonly machine: SimulatedMachine;
  readonly initiator: string;
}

/** Emulators that are logged in themselves. */
const usesOf = (hosts: readonly SimulatedHost[], targetIqn: string): readonly Use[] =>
  hosts.flatMap((host) =>
    [...host.machines.values()].flatMap((machine) =>
      (machine.running?.disks ?? []).flatMap(({ attachment }) =>
        attachment.kind === 'network' && attachment.targetIqn === targetIqn
          ? [{ host, machine, initiator: attachment.initiator }]
          : [],
      ),
    ),
  );

const loginsOf = (hosts: readonly SimulatedHost[], targetIqn: string) =>
  hosts.flatMap((host) =>
    [...host.logins]
      .filter(([, login]) => login.targetIqn === targetIqn && !login.cut)
      .map(([path, login]) => ({ host, path, login })),
  );

/** Machines that have the device open. */
export const usersOf = (host: SimulatedHost, path: string): readonly SimulatedMachine[] =>
  [...host.machines.values()].filter(({ running }) =>
    running?.disks.some(({ attachment }) => attachment.kind === 'block' && attachment.path === path),
  );

export const createFabricUser = (
  hosts: () => readonly SimulatedHost[],
  { emit }: Pick<EventBus, 'emit'>,
): FabricUser => {
  const fail = (host: SimulatedHost, machine: SimulatedMachine): void => {
    machine.power = { kind: 'paused', cause: 'IoError' };
    changed(host, machine, emit);
  };
  return {
    sessions: (targetIqn) => [
      ...usesOf(hosts(), targetIqn).map(({ initiator }) => initiator),
      ...loginsOf(hosts(), targetIqn).map(({ login }) => login.initiator),
    ],
    cut: (targetIqn, initiator) => {
      for (const use of usesOf(hosts(), targetIqn)) {
        if (use.initiator === initiator) fail(use.host, use.machine);
      }
      for (const { host, path, login } of loginsOf(hosts(), targetIqn)) {
        if (login.initiator !== initiator) continue;
        login.cut = true;
        for (const machine of usersOf(host, path)) fail(host, machine);
      }
    },
  };
};
