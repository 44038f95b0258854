/** The server side of a StoragePool as its status tells it. Pure. */
import type { StoragePoolStatus } from '../../api/storage-pool.ts';
import { knownReason } from '../standing.ts';
import type { ServerSight, StorageSight } from './world.ts';

type ServerStatus = Pick<StoragePoolStatus, 'health' | 'components' | 'heal' | 'origin'>;

const cut = (text: string, max: number): string => text.slice(0, max).toWellFormed();

/** Nobody could be asked: what is mounted may well go on, and nothing is known of the parts. */
const unseen = (
  sight: Extract<ServerSight, { kind: 'failed' }>,
  before: StoragePoolStatus | undefined,
  usable: boolean,
): ServerStatus => ({
  health: {
    state: usable ? 'Degraded' : 'Unusable',
    reason: sight.reason,
    message: cut(sight.message, 1024),
  },
  ...(before?.components === undefined
    ? {}
    : { components: before.components.map(({ kind, name }) => ({ kind, name, state: 'Unknown' as const })) }),
  ...(before?.origin === undefined ? {} : { origin: before.origin }),
});

const told = (before: StoragePoolStatus | undefined): ServerStatus => ({
  ...(before?.health === undefined ? {} : { health: before.health }),
  ...(before?.components === undefined ? {} : { components: before.components }),
  ...(before?.heal === undefined ? {} : { heal: before.heal }),
  ...(before?.origin === undefined ? {} : { origin: before.origin }),
});

/** `usable`: a host has it mounted. */
export const serverStatusOf = (
  sight: StorageSight | undefined,
  before: StoragePoolStatus | undefined,
  usable: boolean,
): ServerStatus => {
  const server = sight?.server;
  switch (server?.kind) {
    case 'none':
      return {};
    case undefined:
    case 'opening':
      return told(before);
    case 'failed':
      return server.busy ? told(before) : unseen(server, before, usable);
    case 'seen': {
      const { seen, plan } = server;
      const { state, reason, message } = plan.health;
      const origin = seen.origin ?? before?.origin;
      const components = seen.components.toSorted((a, b) =>
        `${a.kind}/${a.name}` < `${b.kind}/${b.name}` ? -1 : 1,
      );
      return {
        health: { state, reason: knownReason(reason, 'StorageDegraded'), message: cut(message, 1024) },
        components: components.map(({ kind, name, state: is, message: why }) => ({
          kind,
          name: cut(name, 160),
          state: is,
          ...(why === undefined ? {} : { message: cut(why, 512) }),
        })),
        ...(seen.heal === undefined ? {} : { heal: seen.heal }),
        // What is gone from the servers was there once, and is not to be made anew.
        ...(origin === undefined ? {} : { origin }),
      };
    }
    default:
      return server satisfies never;
  }
};
