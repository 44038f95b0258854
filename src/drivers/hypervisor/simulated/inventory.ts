/** What a session knows of hosts it cannot reach: the machines that were there when it last could. */
import type { HostId } from '../contract.ts';
import type { SimulatedHost } from './state.ts';

export interface Inventory {
  /** Keeps what the host has now; called while it answers. */
  readonly note: (host: SimulatedHost) => void;
  /** Whether the session ever saw the host. */
  readonly listed: (host: HostId) => boolean;
  readonly forget: (host: HostId) => void;
  /** Whether the machine was on the host, undefined when the session never saw it. */
  readonly had: (host: HostId, uuid: string) => boolean | undefined;
}

export const createInventory = (): Inventory => {
  const byHost = new Map<HostId, ReadonlySet<string>>();
  return {
    note: (host) => {
      byHost.set(host.name, new Set(host.machines.keys()));
    },
    listed: (host) => byHost.has(host),
    forget: (host) => {
      byHost.delete(host);
    },
    had: (host, uuid) => byHost.get(host)?.has(uuid),
  };
};
