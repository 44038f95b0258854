import type { EventSink } from '../runtime/events.ts';
import type { Resource } from './contract.ts';
import type { KubeEvent } from './core-kinds.ts';

/** Writes events.k8s.io/v1 Events, and the series of those that repeat. */
export const createEventSink = (events: Pick<Resource<KubeEvent>, 'create' | 'patchJson'>): EventSink => ({
  create: async (event, signal) => {
    await events.create(event, signal);
  },
  patch: async (namespace, name, series, signal) => {
    const patch = [{ op: 'add', path: '/series', value: series }] as const;
    await events.patchJson({ namespace, name }, patch, {}, signal);
  },
});
