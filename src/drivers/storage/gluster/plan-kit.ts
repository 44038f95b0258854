/** What all plans of a Gluster pool share. Pure. */
import type {
  GlusterWish,
  PoolIdentity,
  ServerEndpoint,
  ServerHealth,
  ServerPlan,
  ServerSeen,
} from '../contract.ts';
import { peerOf } from './health.ts';
import type { GlusterSight } from './seen.ts';
import { type GlusterStep, stepOf } from './steps.ts';

export interface PlanInput {
  readonly identity: PoolIdentity;
  readonly wish: GlusterWish;
  readonly endpoints: readonly ServerEndpoint[];
  readonly seen: ServerSeen;
}

/** Healing and rebalancing are looked at this often; what a person has to mend, less. */
export const WORK_POLL_MS = 5_000;
export const TROUBLE_POLL_MS = 15_000;

/** A sentence about what the plan is at, as bad as the volume is at least. */
export const saying = (base: ServerHealth, reason: string, message: string): ServerHealth => ({
  state: base.state === 'Unusable' ? 'Unusable' : 'Degraded',
  reason,
  message,
});

export const waitFor = (base: ServerHealth, reason: string, message: string): ServerPlan => ({
  kind: 'wait',
  pollMs: TROUBLE_POLL_MS,
  health: saying(base, reason, message),
});

export const take = (step: GlusterStep, health: ServerHealth): ServerPlan => ({
  kind: 'step',
  step: stepOf(step),
  health,
});

/** Nothing is to be done: what heals by itself is looked at soon, what is broken later. */
export const rest = (health: ServerHealth): ServerPlan => {
  if (health.reason === 'Healing') return { kind: 'wait', pollMs: WORK_POLL_MS, health };
  return health.state === 'Healthy'
    ? { kind: 'settled', health }
    : { kind: 'wait', pollMs: TROUBLE_POLL_MS, health };
};

export const sightOf = (seen: ServerSeen): GlusterSight => seen.detail as GlusterSight;

/** Listed servers that are not connected to the cluster. */
export const strangers = (sight: GlusterSight): readonly string[] =>
  sight.servers.filter((look) => peerOf(sight, look)?.connected !== true).map(({ name }) => name);
