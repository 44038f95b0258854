import { z } from 'zod';
import { absent, atomic, listAtomic, matching, type Output, rule } from './kit.ts';

const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

const labelKey = () => matching(317, LABEL_KEY, 'must be the key of a label');
const labelValue = () =>
  matching(63, /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/, 'must be the value of a label');

const requirement = rule(
  z.object({
    key: labelKey().describe('Label the condition is about.'),
    operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']).describe('How its value is compared.'),
    values: listAtomic(labelValue(), 32).optional().describe('Values of In and NotIn.'),
  }),
  {
    cel: "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
    message: 'In and NotIn need values, Exists and DoesNotExist take none',
    js: (it) => ['In', 'NotIn'].includes(it.operator) === (it.values?.length ?? 0) > 0,
  },
);

/** `metav1.LabelSelector`. */
const labelSelector = z.object({
  matchLabels: z
    .record(z.string(), labelValue())
    .refine((labels) => Object.keys(labels).length <= 32, { message: 'at most 32 labels' })
    .meta({ maxProperties: 32 })
    .optional()
    .describe('Labels the namespace must have.'),
  matchExpressions: listAtomic(requirement, 32).optional().describe('Conditions on labels; all must hold.'),
});

/** Labels a namespace must have. */
export type LabelSelector = Output<typeof labelSelector>;

/** Which namespaces may use a cluster-scoped object. Taking it back stops new use only. */
export const allowedNamespaces = () =>
  atomic(
    z.discriminatedUnion('from', [
      z.object({ from: z.literal('None').describe('None, All, or Selector.'), selector: absent() }),
      z.object({ from: z.literal('All'), selector: absent() }),
      z.object({
        from: z.literal('Selector'),
        selector: labelSelector.describe('Labels of the namespaces.'),
      }),
    ]),
  )
    .default({ from: 'None' })
    .describe('Which namespaces may use it: None, All, or those whose labels match the selector.');

/** Which namespaces may use a cluster-scoped object. */
export type AllowedNamespaces = Output<ReturnType<typeof allowedNamespaces>>;

const requirementHolds = (
  it: Output<typeof requirement>,
  labels: Readonly<Record<string, string>>,
): boolean => {
  const value = labels[it.key];
  switch (it.operator) {
    case 'In':
      return value !== undefined && (it.values ?? []).includes(value);
    case 'NotIn':
      return value === undefined || !(it.values ?? []).includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return it.operator satisfies never;
  }
};

/** Whether a namespace with these labels may use the object; an empty selector selects all, as in Kubernetes. */
export const allowsNamespace = (
  allowed: AllowedNamespaces,
  labels: Readonly<Record<string, string>>,
): boolean => {
  switch (allowed.from) {
    case 'None':
      return false;
    case 'All':
      return true;
    case 'Selector':
      return (
        Object.entries(allowed.selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value) &&
        (allowed.selector.matchExpressions ?? []).every((it) => requirementHolds(it, labels))
      );
    default:
      return allowed satisfies never;
  }
};
