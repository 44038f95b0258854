/**
 * What can go wrong at a boundary, sorted by what to do about it (docs/adr/0003-faults.md):
 * - `unreachable` could not ask: no connection, time-out, broken stream. Back off, show it.
 * - `busy`        the remote works on it or is locked. Poll, hide it.
 * - `conflict`    somebody wrote first. Look again now, hide it.
 * - `invalid`     the request can never succeed as it stands. Wait for a change of spec, show it.
 * - `denied`      credentials or permission. Wait for a change of spec, Secret or pool, show it.
 * - `unsupported` this host or server cannot do that. Wait for a change, show it.
 * - `bug`         we broke a rule of our own, or met an answer that no one foresaw. Back off, show it, alert.
 */
export type FaultKind = 'unreachable' | 'busy' | 'conflict' | 'invalid' | 'denied' | 'unsupported' | 'bug';

/** Details of a fault; `reason` is a CamelCase condition reason when the boundary knows a specific one. */
export interface FaultOptions {
  readonly reason?: string;
  readonly cause?: unknown;
  /** Earliest useful retry in milliseconds, when the remote said so (Retry-After). */
  readonly retryAfterMs?: number;
  /** Host or server the fault belongs to, for messages and per-host limits. */
  readonly where?: string;
}

/** The only error that crosses a boundary. The message is one sentence for a person and never holds a secret. */
export class Fault extends Error {
  readonly kind: FaultKind;
  readonly reason: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly where: string | undefined;

  constructor(kind: FaultKind, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Fault';
    this.kind = kind;
    this.reason = options.reason;
    this.retryAfterMs = options.retryAfterMs;
    this.where = options.where;
  }
}

/** Narrow an unknown to a Fault, optionally of one kind. */
export const isFault = (error: unknown, kind?: FaultKind): error is Fault =>
  error instanceof Fault && (kind === undefined || error.kind === kind);

/** The funnel for what no boundary translated: anything that is not a Fault is a bug of ours. */
export const toFault = (error: unknown): Fault =>
  error instanceof Fault
    ? error
    : new Fault('bug', error instanceof Error ? error.message : String(error), { cause: error });
