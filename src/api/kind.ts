import type { z } from 'zod';
import type { Rule } from './kit.ts';

/** API group of every kind. */
export const GROUP = 'ovcp.dev';
/** The one served version. */
export const VERSION = 'v1alpha1';
/** `apiVersion` of every object. */
export const API_VERSION = `${GROUP}/${VERSION}`;

/** A column of `kubectl get`; priority 1 shows with `-o wide` only. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean' | 'date';
  readonly jsonPath: string;
  readonly priority?: number;
}

/** Everything the API server, the generators and the stores know of a kind. */
export interface KindDefinition<Spec extends z.ZodType = z.ZodType, Status extends z.ZodType = z.ZodType> {
  readonly group: typeof GROUP;
  readonly version: typeof VERSION;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly scope: 'Cluster' | 'Namespaced';
  /** What the kind stands for, in one or two sentences. */
  readonly description: string;
  readonly printerColumns: readonly PrinterColumn[];
  readonly spec: Spec;
  /** Absent on kinds that report nothing. */
  readonly status?: Status;
  /** Rules over the whole object; only `metadata.name` is visible besides spec and status. */
  readonly rules: readonly Rule<RootValue>[];
}

/** What a root rule may look at. */
export interface RootValue {
  readonly metadata: { readonly name: string };
}

/** `metav1.ObjectMeta`, as far as anything here reads it. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Metadata of an object that lives in a namespace. */
export interface NamespacedMeta extends ObjectMeta {
  readonly namespace: string;
}

/** An object of ours as the API server returns it. */
export interface ClusterObject<Kind extends string, Spec, Status> {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: Kind;
  readonly metadata: ObjectMeta;
  readonly spec: Spec;
  readonly status?: Status;
}

/** The same in a namespace. */
export interface NamespacedObject<Kind extends string, Spec, Status>
  extends ClusterObject<Kind, Spec, Status> {
  readonly metadata: NamespacedMeta;
}

/** The name must be a DNS label, because other names are built from it with dots. */
export const nameIsLabel = (what: string): Rule<RootValue> => ({
  cel: "self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",
  message: `the name of a ${what} must be a DNS label: at most 63 characters and no dots`,
  js: (object) => object.metadata.name.length <= 63 && !object.metadata.name.includes('.'),
});

/** The columns every kind with conditions ends with. */
export const readyColumns: readonly PrinterColumn[] = [
  { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
  { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].reason' },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
];

/** Message of the Ready condition, with `-o wide`. */
export const messageColumn: PrinterColumn = {
  name: 'Message',
  type: 'string',
  jsonPath: '.status.conditions[?(@.type=="Ready")].message',
  priority: 1,
};
