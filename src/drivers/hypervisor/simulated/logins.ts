/** Logins of a simulated host. What a target proves of itself is its name: the device is never another one. */
import { Fault } from '../../../runtime/fault.ts';
import { devicePathOf, type HostLogins, type LoginSeen, type LoginWish } from '../host-logins.ts';
import { usersOf } from './fabric-user.ts';
import type { Gate } from './gate.ts';
import type { SimulatedHost } from './state.ts';

export interface LoginsContext {
  readonly host: SimulatedHost;
  readonly gate: Gate;
  /** Throws Fault unreachable once the session is closed. */
  readonly checkOpen: () => void;
}

const seenOf = (host: SimulatedHost): readonly LoginSeen[] =>
  [...host.logins.values()]
    .map(({ targetIqn, portal, cut, version }): LoginSeen => {
      const state = cut ? ('Down' as const) : ('Up' as const);
      return { targetIqn, paths: [{ portal, state, ...(version === undefined ? {} : { version }) }] };
    })
    .toSorted((a, b) => (a.targetIqn < b.targetIqn ? -1 : 1));

const checkAdmitted = (host: SimulatedHost, { targetIqn, initiator, lun }: LoginWish): number => {
  const target = host.fabric.targets.get(targetIqn);
  if (target?.admitted.has(initiator) === true && target.lun === lun) return target.sizeBytes;
  const message = `The target refuses ${host.name} the disk, or does not have it.`;
  throw new Fault('unreachable', message, { reason: 'LoginFailed', where: host.name });
};

const connect = (host: SimulatedHost, wish: LoginWish): void => {
  const sizeBytes = checkAdmitted(host, wish);
  const [portal] = wish.portals;
  if (portal === undefined) throw new Fault('bug', 'A login without a portal.');
  const path = devicePathOf(wish);
  const there = host.logins.get(path);
  const { targetIqn, lun, initiator, secret } = wish;
  // The only path of a disk in use keeps the secret that it logged in with.
  const version = there !== undefined && wish.inUse ? there.version : secret?.version;
  host.logins.set(path, { targetIqn, lun, portal, initiator, sizeBytes, version, cut: false });
  if (sizeBytes >= wish.sizeBytes) return;
  const message = `The disk is smaller on ${host.name} than on its server.`;
  throw new Fault('unreachable', message, { reason: 'StorageNotReady', where: host.name });
};

const disconnect = (host: SimulatedHost, targetIqn: string): void => {
  for (const [path, login] of host.logins) {
    if (login.targetIqn !== targetIqn) continue;
    if (usersOf(host, path).length > 0) {
      const message = `The disk is still open on ${host.name}.`;
      throw new Fault('busy', message, { reason: 'DiskInUse', where: host.name });
    }
    host.logins.delete(path);
  }
};

/** A host's logins as one session sees them. */
export const createHostLogins = ({ host, gate, checkOpen }: LoginsContext): HostLogins => {
  const ask = <T>(
    method: string,
    subject: string | undefined,
    effect: () => T,
    signal: AbortSignal,
  ): Promise<T> => {
    checkOpen();
    return gate.run(host, { method: `login.${method}`, mutating: method !== 'see', subject }, effect, signal);
  };
  return {
    see: async (signal) => ask('see', undefined, () => ({ multipath: true, logins: seenOf(host) }), signal),
    connect: async (wish, signal) => ask('connect', wish.targetIqn, () => connect(host, wish), signal),
    disconnect: async ({ targetIqn }, signal) =>
      ask('disconnect', targetIqn, () => disconnect(host, targetIqn), signal),
  };
};
