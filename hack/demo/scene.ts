/** What every act of the demo works with. */
import type { Follower } from './follow.ts';
import type { HostAccess } from './host-access.ts';
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
