/** What every act of the demo works with. */
import type { Follower } from './follow.ts';
import type { HostAccess, SerialLine } from './host-access.ts';
import { type Json, textAt } from './json.ts';
import type { Stage } from './stage.ts';
import type { Voice } from './voice.ts';

export interface Scene {
  readonly stage: Stage;
  readonly voice: Voice;
  readonly follower: Follower;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
}

/** The host that an object is on, as virsh reaches it. Throws when it names none that we know. */
export const hostAccessOf = ({ stage }: Scene, object: Json): HostAccess => {
  const host = textAt(object, 'status', 'host');
  const found = stage.hosts.find((each) => each.host === host);
  if (found === undefined) throw new Error(`there is no way to reach the host "${host}" by virsh`);
  return found;
};

export const machineNamespace = 'team-a';
export const machineName = 'web-1';

export const machineOf = (scene: Scene): Json | undefined =>
  scene.follower.get('VirtualMachine', machineNamespace, machineName);

/** What the machine is called on its host. */
export const domainOf = (machine: Json | undefined): string => textAt(machine, 'status', 'domainName');

export interface Up {
  readonly machine: Json;
  /** Undefined where there is no serial line to read. */
  readonly serial: SerialLine | undefined;
  /** Of the target server, before anything was made on it; undefined where there is none. */
  readonly targetBefore: string | undefined;
}
