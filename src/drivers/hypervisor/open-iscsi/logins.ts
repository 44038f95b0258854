/** A host's logins by open-iscsi, and multipath-tools where there are several portals; everything over SSH. */
import type { Clock } from '../../../runtime/clock.ts';
import { isFault } from '../../../runtime/fault.ts';
import type { HostLogins, LoginWish } from '../host-logins.ts';
import { createHost, type Host } from './host.ts';
import { logIn } from './log-in.ts';
import { logOut } from './log-out.ts';
import { loginsOf, look } from './look.ts';
import { multipathRuns } from './multipath.ts';
import { prove } from './prove.ts';
import type { Shell } from './shell.ts';
import { createTurns } from './turns.ts';

const connect = async (host: Host, wish: LoginWish, signal: AbortSignal): Promise<void> => {
  const seen = await logIn(host, wish, signal);
  try {
    await prove(host, wish, seen, signal);
  } catch (error) {
    // Nothing of another disk stays on the host.
    if (isFault(error) && error.reason === 'DeviceMismatch' && !wish.inUse) await logOut(host, wish, signal);
    throw error;
  }
};

/** One target at a time is changed by one of us, so that a login never crosses a logout. */
export const createOpenIscsi = (shell: Shell, clock: Clock): HostLogins => {
  const turns = createTurns();
  const host = createHost(shell, turns, clock);
  return {
    see: async (signal) => {
      const [seen, multipath] = await Promise.all([look(host, signal), multipathRuns(host, signal)]);
      return { multipath, logins: loginsOf(seen) };
    },
    connect: (wish, signal) => turns.run(wish.targetIqn, () => connect(host, wish, signal), signal),
    disconnect: (login, signal) => turns.run(login.targetIqn, () => logOut(host, login, signal), signal),
  };
};
