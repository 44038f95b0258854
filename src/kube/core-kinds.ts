import { Fault } from '../runtime/fault.ts';
import type { Resource, Transport } from './contract.ts';
import { createResource } from './resource.ts';
import type { KindInfo, KubeObject, ObjectName, Parse } from './types.ts';

/** Kinds of Kubernetes itself that the operator reads or writes, with the fields it uses. */

export const SECRET = {
  group: '',
  version: 'v1',
  plural: 'secrets',
  kind: 'Secret',
  scope: 'Namespaced',
} as const satisfies KindInfo;
export const CONFIG_MAP = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  scope: 'Namespaced',
} as const satisfies KindInfo;
export const NAMESPACE = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  scope: 'Cluster',
} as const satisfies KindInfo;
export const LEASE = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  scope: 'Namespaced',
} as const satisfies KindInfo;
export const EVENT = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  scope: 'Namespaced',
} as const satisfies KindInfo;

/** `data` values are base64. */
export interface Secret extends KubeObject {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

export interface Namespace extends KubeObject {
  readonly status?: { readonly phase?: 'Active' | 'Terminating' };
}

/** coordination.k8s.io/v1; times are `metav1.MicroTime`. */
export interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

/** What an event is about (core/v1 ObjectReference). */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion?: string;
}

/** events.k8s.io/v1. */
export interface KubeEvent extends KubeObject {
  readonly eventTime: string;
  readonly reportingController: string;
  readonly reportingInstance: string;
  readonly action: string;
  readonly reason: string;
  readonly type: 'Normal' | 'Warning';
  readonly note?: string;
  readonly regarding: ObjectReference;
  readonly related?: ObjectReference;
  readonly series?: { readonly count: number; readonly lastObservedTime: string };
}

/** The server validates its own kinds; only their metadata is checked here (by the raw reader). */
const trusted: Parse<never> = (raw) => raw as never;

export const createSecrets = (transport: Transport): Resource<Secret> =>
  createResource<Secret>(transport, SECRET, { parse: trusted });
export const createConfigMaps = (transport: Transport): Resource<ConfigMap> =>
  createResource<ConfigMap>(transport, CONFIG_MAP, { parse: trusted });
export const createLeases = (transport: Transport): Resource<Lease> =>
  createResource<Lease>(transport, LEASE, { parse: trusted });
export const createEvents = (transport: Transport): Resource<KubeEvent> =>
  createResource<KubeEvent>(transport, EVENT, { parse: trusted });

export const parseNamespace: Parse<Namespace> = trusted;
export const parseConfigMap: Parse<ConfigMap> = trusted;

/** The decoded values of a Secret. */
export type SecretData = ReadonlyMap<string, Buffer>;

/**
 * Reads one Secret by name, never from a cache. `undefined` when it is not there; `denied` when the operator may
 * not read it.
 */
export const readSecret = async (
  secrets: Pick<Resource<Secret>, 'get'>,
  name: Required<ObjectName>,
  signal: AbortSignal,
): Promise<SecretData | undefined> => {
  const secret = await secrets.get(name, signal);
  if (secret === undefined) {
    return undefined;
  }
  const data: unknown = secret.data ?? {};
  if (typeof data !== 'object' || data === null) {
    throw new Fault('bug', `the Secret ${name.namespace}/${name.name} has no readable data`);
  }
  return new Map(Object.entries(data).map(([key, value]) => [key, Buffer.from(String(value), 'base64')]));
};
