/** What the operator is told at its start: flags and environment variables, one table for both. Pure. */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { isCidr } from './api/ip.ts';

const seconds = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

const address = z
  .string()
  .regex(/^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]*):[0-9]{1,5}$/, 'must be host:port, such as 0.0.0.0:8080')
  .transform((text) => {
    const at = text.lastIndexOf(':');
    const host = text.slice(0, at).replace(/^\[(.*)\]$/, '$1');
    return { address: host === '' ? '0.0.0.0' : host, port: Number(text.slice(at + 1)) };
  });

const flag = z.stringbool({ truthy: ['true', '1', 'yes', 'on'], falsy: ['false', '0', 'no', 'off'] });

const label = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be of lower case letters, digits and dashes');

export const configSchema = z
  .object({
    clusterId: label(63).describe('Id of this installation; kept in the cluster and written on every host.'),
    namespace: label(63)
      .default('ovcp-system')
      .describe('Namespace of the operator: its lease, its ConfigMap and the Secrets of hosts.'),
    kubeconfig: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Paths of kubeconfig files, separated by colons. Default: the Pod it runs in, else ~/.kube/config.',
      ),
    context: z.string().min(1).optional().describe('Context of the kubeconfig.'),
    healthAddress: address
      .prefault('0.0.0.0:8080')
      .describe('Where /livez, /readyz and /metrics listen; port 0 is any free one.'),
    leaderElect: flag.prefault('true').describe('Wait for the lease before acting, so that several may run.'),
    leaseName: label(63).default('ovcp-operator').describe('Name of the Lease.'),
    leaseDurationSeconds: seconds(3, 3600)
      .default(15)
      .describe('How long others wait for a renewal before they take over.'),
    leaseRenewDeadlineSeconds: seconds(2, 3600)
      .default(10)
      .describe('How long the leader goes on without a successful renewal.'),
    leaseRetrySeconds: seconds(1, 3600).default(5).describe('Between two renewals.'),
    imageAllowCidr: z
      .array(z.string().refine(isCidr, 'must be a network such as 192.168.0.0/16'))
      .default([])
      .describe('Private network that images may be fetched from; may be given several times.'),
    logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('What is logged.'),
    concurrency: z.coerce
      .number()
      .int()
      .min(1)
      .max(256)
      .default(16)
      .describe('Objects of one kind that are worked on at the same time.'),
  })
  .refine((it) => it.leaseDurationSeconds > it.leaseRenewDeadlineSeconds, {
    path: ['leaseDurationSeconds'],
    message: 'must be longer than leaseRenewDeadlineSeconds',
  })
  .refine((it) => it.leaseRenewDeadlineSeconds > it.leaseRetrySeconds * 1.2, {
    path: ['leaseRenewDeadlineSeconds'],
    message: 'must be longer than 1.2 times leaseRetrySeconds',
  });

export type OperatorConfig = Readonly<z.output<typeof configSchema>>;

export type ConfigAnswer =
  | { readonly kind: 'config'; readonly config: OperatorConfig }
  | { readonly kind: 'help'; readonly text: string }
  /** One sentence. */
  | { readonly kind: 'wrong'; readonly message: string };

type Field = keyof OperatorConfig;

const fields = Object.keys(configSchema.shape) as readonly Field[];
const flagOf = (field: Field): string => field.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const variableOf = (field: Field): string =>
  field === 'kubeconfig' ? 'KUBECONFIG' : `OVCP_${flagOf(field).replaceAll('-', '_').toUpperCase()}`;
const isList = (field: Field): boolean => field === 'imageAllowCidr';

const defaultOf = (field: Field): string => {
  const parsed = configSchema.safeParse({ clusterId: 'x' });
  const value: unknown = parsed.success ? parsed.data[field] : undefined;
  if (field === 'clusterId') return 'required';
  if (field === 'healthAddress') return 'default 0.0.0.0:8080';
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? `default ${value}`
    : '';
};

const help = (): string => {
  const rows = fields.map((field) => {
    const text = configSchema.shape[field].description ?? '';
    const rest = [`$${variableOf(field)}`, defaultOf(field)].filter((it) => it !== '').join(', ');
    return `  --${flagOf(field)}\n      ${text}\n      ${rest}\n`;
  });
  return [
    'The operator of the Open Virtualization Cloud Platform: virtual machines from Kubernetes objects.\n\n',
    'usage: ovcp --cluster-id ID [flags]\n\n',
    'Each flag can be given as an environment variable instead; a flag wins. Lists are separated by commas there.\n\n',
    ...rows,
    '  --help\n      This text.\n',
  ].join('');
};

const fromEnvironment = (field: Field, env: Readonly<Record<string, string | undefined>>): unknown => {
  const text = env[variableOf(field)];
  if (text === undefined || text === '') return undefined;
  return isList(field) ? text.split(',').map((it) => it.trim()) : text;
};

const sentence = (issue: z.core.$ZodIssue): string => {
  const field = issue.path[0] as Field;
  if (issue.code === 'invalid_type' && field === 'clusterId') {
    return 'The cluster id is missing: give --cluster-id or OVCP_CLUSTER_ID, the same at every start.';
  }
  return `--${flagOf(field)} (or ${variableOf(field)}) is wrong: ${issue.message}.`;
};

const readFlags = (argv: readonly string[]): Readonly<Record<string, unknown>> => {
  const options = Object.fromEntries(
    fields.map((field) => [flagOf(field), { type: 'string' as const, multiple: isList(field) }]),
  );
  return parseArgs({
    args: [...argv],
    options: { ...options, help: { type: 'boolean' } },
    allowPositionals: false,
    strict: true,
  }).values;
};

export const readConfig = (
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ConfigAnswer => {
  let flags: Readonly<Record<string, unknown>>;
  try {
    flags = readFlags(argv);
  } catch (error) {
    return { kind: 'wrong', message: `${(error as Error).message.split('. ', 1)[0]}. See --help.` };
  }
  if (flags['help'] === true) return { kind: 'help', text: help() };
  const given = Object.fromEntries(
    fields.flatMap((field) => {
      const value = flags[flagOf(field)] ?? fromEnvironment(field, env);
      return value === undefined ? [] : [[field, value]];
    }),
  );
  const parsed = configSchema.safeParse(given);
  if (parsed.success) return { kind: 'config', config: parsed.data };
  const [first] = parsed.error.issues;
  return { kind: 'wrong', message: first === undefined ? 'The configuration is wrong.' : sentence(first) };
};
