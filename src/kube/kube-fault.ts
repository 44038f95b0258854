import { Fault, type FaultKind } from '../runtime/fault.ts';

/**
 * The one place where an answer or a failure of the API server becomes a `Fault`. Status reasons and causes are
 * those of apimachinery `meta/v1` (StatusReason, CauseType); messages are the server's own and hold no credential.
 */

/** What the fault speaks of: `apply virtualmachines team-a/web-1`. */
export interface RequestLabel {
  readonly verb: string;
  readonly resource: string;
}

/** The head of a failed answer. */
export interface FailedAnswer {
  readonly code: number;
  readonly body: string;
  readonly retryAfterMs: number | undefined;
}

interface Status {
  readonly message: string | undefined;
  readonly reason: string | undefined;
  readonly objectName: string | undefined;
  readonly causes: readonly { reason: string; message: string; field: string }[];
  readonly retryAfterMs: number | undefined;
}

const MAX_MESSAGE_CHARS = 2_000;

const asRecord = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
const asText = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

const readStatus = (raw: unknown): Status => {
  const status = asRecord(raw);
  const details = asRecord(status['details']);
  const causes = Array.isArray(details['causes']) ? details['causes'].map(asRecord) : [];
  const seconds = details['retryAfterSeconds'];
  return {
    message: asText(status['message']),
    reason: asText(status['reason']),
    objectName: asText(details['name']),
    causes: causes.map((cause) => ({
      reason: asText(cause['reason']) ?? '',
      message: asText(cause['message']) ?? '',
      field: asText(cause['field']) ?? '',
    })),
    retryAfterMs: typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined,
  };
};

const parseJson = (body: string): unknown => {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
};

/** A name that is not there is a race with a deletion; a path that is not served is a missing definition. */
const notFound = ({ objectName }: Status): [FaultKind, string] =>
  objectName === undefined ? ['unsupported', 'NotServed'] : ['conflict', 'NotFound'];

const clash = (status: Status): [FaultKind, string] =>
  status.causes.some((cause) => cause.reason === 'FieldManagerConflict')
    ? ['conflict', 'FieldManagerConflict']
    : ['conflict', status.reason ?? 'Conflict'];

const forbidden = (status: Status): [FaultKind, string] =>
  status.causes.some((cause) => cause.reason === 'NamespaceTerminating')
    ? ['denied', 'NamespaceTerminating']
    : ['denied', status.reason ?? 'Forbidden'];

/** A patch that could not be carried out (seen on 1.36): no object, no cause, one fixed sentence. */
const isPatchRejection = ({ objectName, causes }: Status): boolean =>
  objectName === undefined && causes.length === 0;

const classify = (code: number, status: Status): [FaultKind, string] => {
  switch (code) {
    case 401:
      return ['denied', 'Unauthorized'];
    case 403:
      return forbidden(status);
    case 404:
      return notFound(status);
    case 409:
      return clash(status);
    case 410:
      return ['conflict', 'Expired'];
    case 413:
      return ['invalid', 'RequestEntityTooLarge'];
    case 422:
      return ['invalid', isPatchRejection(status) ? 'PatchRejected' : (status.reason ?? 'Invalid')];
    case 429:
      return ['busy', status.reason ?? 'TooManyRequests'];
    default:
      return code >= 500
        ? ['unreachable', status.reason ?? `Http${code}`]
        : ['bug', status.reason ?? `Http${code}`];
  }
};

const clip = (text: string): string =>
  text.length <= MAX_MESSAGE_CHARS ? text : `${text.slice(0, MAX_MESSAGE_CHARS)}…`;

const faultOfStatus = (label: RequestLabel, code: number, status: Status, retryAfterMs?: number): Fault => {
  const [kind, reason] = classify(code, status);
  const wait = retryAfterMs ?? status.retryAfterMs;
  const text = status.message ?? `the API server answered ${code}`;
  return new Fault(kind, clip(`${label.verb} ${label.resource}: ${text}`), {
    reason,
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  });
};

/** An answer with a status of 400 or more. */
export const faultOfAnswer = (label: RequestLabel, answer: FailedAnswer): Fault =>
  faultOfStatus(label, answer.code, readStatus(parseJson(answer.body)), answer.retryAfterMs);

/** The `Status` object inside a watch event of type ERROR. */
export const faultOfStatusObject = (label: RequestLabel, raw: unknown): Fault => {
  const code = asRecord(raw)['code'];
  return faultOfStatus(label, typeof code === 'number' ? code : 500, readStatus(raw));
};

const errorCode = (error: unknown): string | undefined => asText(asRecord(error)['code']);

const TLS_CODE = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_OSSL|HOSTNAME_MISMATCH)/;

/** No answer, or not all of it: connection, time-out, name resolution, TLS. A `Fault` passes unchanged. */
export const faultOfError = (label: RequestLabel, error: unknown): Fault => {
  if (error instanceof Fault) {
    return error;
  }
  const code = errorCode(error) ?? errorCode(asRecord(error)['cause']);
  const text = error instanceof Error && error.message !== '' ? error.message : (code ?? 'no answer');
  const reason = code !== undefined && TLS_CODE.test(code) ? 'TlsFailed' : 'NoAnswer';
  const shown = code === undefined || text.includes(code) ? text : `${text} (${code})`;
  return new Fault('unreachable', clip(`${label.verb} ${label.resource}: ${shown}`), {
    reason,
    cause: error,
  });
};

/** True for the answer that makes a list or a watch start over. */
export const isExpired = (fault: Fault): boolean => fault.kind === 'conflict' && fault.reason === 'Expired';

/** True when nobody took the request: safe to send a read again at once. */
export const isConnectionReset = (fault: Fault): boolean => {
  const code = errorCode(fault.cause);
  return code === 'ECONNRESET' || code === 'UND_ERR_SOCKET' || code === 'EPIPE';
};
