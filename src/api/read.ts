import type { z } from 'zod';
import type { KindDefinition } from './kind.ts';
import type { Output } from './kit.ts';

/** What the API server sends, before it is understood. */
export interface RawObject {
  readonly spec?: unknown;
  readonly status?: unknown;
}

/** An object whose spec and status were read; or why it cannot be, which must never end a watch. */
export type ReadResult<Raw, Spec, Status> =
  | {
      readonly kind: 'object';
      readonly object: Omit<Raw, 'spec' | 'status'> & { readonly spec: Spec; readonly status?: Status };
    }
  | { readonly kind: 'unreadable'; readonly message: string };

const complaint = (error: z.ZodError): string =>
  error.issues
    .map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    .join('; ')
    .slice(0, 1024);

/**
 * Reads spec and status with the schemas of the kind, so that defaults hold for objects that are older than
 * them. A status that does not fit is left out: it is ours to write anew, and the host is asked again.
 */
export const readObject = <Raw extends RawObject, Spec extends z.ZodType, Status extends z.ZodType>(
  kind: KindDefinition<Spec, Status>,
  raw: Raw,
): ReadResult<Raw, Output<Spec>, Output<Status>> => {
  const spec = kind.spec.safeParse(raw.spec);
  if (!spec.success) return { kind: 'unreadable', message: complaint(spec.error) };
  const { spec: _spec, status: _status, ...rest } = raw;
  const status = kind.status?.safeParse(raw.status);
  return {
    kind: 'object',
    object: {
      ...rest,
      spec: spec.data as Output<Spec>,
      ...(status?.success === true ? { status: status.data as Output<Status> } : {}),
    },
  };
};
