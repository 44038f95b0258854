/** What happens to whole simulated hosts. */
import type { HostId } from '../contract.ts';
import type { Insides } from './hands.ts';
import { powerOff, powerOn } from './machines.ts';
import type { SimulatedHost } from './state.ts';

export interface HostHands {
  /** Nobody reaches it; what runs there runs on (F10). `hang`: calls get no answer instead of an error. */
  readonly partition: (host: HostId, options?: { readonly hang?: boolean }) => void;
  readonly heal: (host: HostId) => void;
  /** Connections break; off causes and secrets are forgotten; machines run on. */
  readonly restartDaemon: (host: HostId) => void;
  /** Everything stops at once, and nobody reaches it. */
  readonly powerLoss: (host: HostId) => void;
  /** Boots the host: machines with autostart run again. */
  readonly powerOn: (host: HostId) => void;
  readonly setLatency: (host: HostId, latencyMs: number) => void;
}

const breakConnections = (host: SimulatedHost): void => {
  host.epoch += 1;
};

const forgetCauses = (host: SimulatedHost): void => {
  for (const machine of host.machines.values()) {
    if (machine.power.kind === 'off') {
      machine.power = { kind: 'off', why: 'Forgotten' };
      machine.summary = undefined;
    }
  }
};

const loseRunning = (host: SimulatedHost): void => {
  for (const machine of host.machines.values()) {
    if (machine.power.kind !== 'off') {
      powerOff(host, machine, 'Forgotten');
      machine.summary = undefined;
    }
  }
};

const autostart = (host: SimulatedHost, nowMs: number): void => {
  for (const machine of host.machines.values()) {
    if (machine.next?.autostart === true) {
      powerOn(host, machine, nowMs);
      machine.summary = undefined;
    }
  }
};

export const createHostHands = ({ clock, events, get }: Insides): HostHands => {
  const goDown = (host: SimulatedHost, hang: boolean): void => {
    if (host.link.kind === 'up') {
      breakConnections(host);
      // Sessions keep the inventory of this moment, so they hear of it before it is true.
      events.emit({ kind: 'host', host: host.name });
      host.link = { kind: 'down', sinceMs: clock.nowMs(), hang };
    }
  };
  const comeUp = (host: SimulatedHost): void => {
    if (host.link.kind === 'down') {
      host.link = { kind: 'up' };
      events.emit({ kind: 'host', host: host.name });
      events.emit({ kind: 'resync', host: host.name });
    }
  };
  return {
    partition: (name, options) => goDown(get(name), options?.hang === true),
    heal: (name) => comeUp(get(name)),
    restartDaemon: (name) => {
      const host = get(name);
      breakConnections(host);
      forgetCauses(host);
      host.secrets.clear();
      events.emit({ kind: 'resync', host: name });
    },
    powerLoss: (name) => {
      const host = get(name);
      goDown(host, false);
      loseRunning(host);
      forgetCauses(host);
      host.secrets.clear();
      host.logins.clear();
    },
    powerOn: (name) => {
      const host = get(name);
      if (host.link.kind === 'down') {
        autostart(host, clock.nowMs());
        comeUp(host);
      }
    },
    setLatency: (name, latencyMs) => {
      const host = get(name);
      host.settings = { ...host.settings, latencyMs };
    },
  };
};
