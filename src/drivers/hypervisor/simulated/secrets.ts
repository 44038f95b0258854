/** Secrets of a simulated host. Values are not kept: whoever has the uuid may log in. */
import { Fault } from '../../../runtime/fault.ts';
import { type HostSecrets, SECRET_MARK } from '../host-secrets.ts';
import type { Gate } from './gate.ts';
import type { SimulatedHost } from './state.ts';

export interface SecretsContext {
  readonly host: SimulatedHost;
  readonly gate: Gate;
  /** Throws Fault unreachable once the session is closed. */
  readonly checkOpen: () => void;
}

const isOurs = (usage: string): boolean => usage.startsWith(SECRET_MARK);

const notOurs = (host: SimulatedHost, uuid: string): Fault =>
  new Fault('denied', `The host ${host.name} has a secret ${uuid} that is not ours.`, {
    reason: 'NameTaken',
    where: host.name,
  });

/** A host's secrets as one session sees them. */
export const createHostSecrets = ({ host, gate, checkOpen }: SecretsContext): HostSecrets => {
  const ask = <T>(
    method: string,
    subject: string | undefined,
    mutating: boolean,
    effect: () => T,
    signal: AbortSignal,
  ): Promise<T> => {
    checkOpen();
    return gate.run(host, { method: `secret.${method}`, mutating, subject }, effect, signal);
  };
  return {
    list: async (signal) =>
      ask(
        'list',
        undefined,
        false,
        () =>
          [...host.secrets]
            .map(([uuid, usage]) => ({ uuid, usage }))
            .filter(({ usage }) => isOurs(usage))
            .toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1)),
        signal,
      ),
    put: async ({ uuid, usage }, _value, signal) =>
      ask(
        'put',
        uuid,
        true,
        () => {
          const there = host.secrets.get(uuid);
          if (there !== undefined && there !== usage) throw notOurs(host, uuid);
          host.secrets.set(uuid, usage);
        },
        signal,
      ),
    drop: async (uuid, signal) =>
      ask(
        'drop',
        uuid,
        true,
        () => {
          const there = host.secrets.get(uuid);
          if (there !== undefined && !isOurs(there)) throw notOurs(host, uuid);
          host.secrets.delete(uuid);
        },
        signal,
      ),
  };
};
