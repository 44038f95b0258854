import { readFile } from 'node:fs/promises';

/** What a test wants of one line of the API server's audit log (audit.k8s.io/v1 Event, level Metadata). */
export type AuditEntry = {
  verb: string;
  user: string;
  resource: string;
  subresource: string;
  namespace: string;
  name: string;
  code: number;
  userAgent: string;
  requestUri: string;
  /** RFC 3339 with microseconds. */
  receivedAt: string;
};

type RawEvent = {
  verb?: string;
  user?: { username?: string };
  objectRef?: { resource?: string; subresource?: string; namespace?: string; name?: string };
  responseStatus?: { code?: number };
  userAgent?: string;
  requestURI?: string;
  requestReceivedTimestamp?: string;
};

/**
 * `omitStages: [RequestReceived]` leaves one line per request, except for watches: `ResponseStarted` and
 * `ResponseComplete` both come, so the former is left out too.
 */
export const auditPolicy = (scope: 'writes' | 'all'): string => {
  const verbs = scope === 'writes' ? '\n    verbs: [create, update, patch, delete, deletecollection]' : '';
  return `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - level: Metadata${verbs}
`;
};

const entryOf = (line: string): AuditEntry => {
  const event = JSON.parse(line) as RawEvent;
  return {
    verb: event.verb ?? '',
    user: event.user?.username ?? '',
    resource: event.objectRef?.resource ?? '',
    subresource: event.objectRef?.subresource ?? '',
    namespace: event.objectRef?.namespace ?? '',
    name: event.objectRef?.name ?? '',
    code: event.responseStatus?.code ?? 0,
    userAgent: event.userAgent ?? '',
    requestUri: event.requestURI ?? '',
    receivedAt: event.requestReceivedTimestamp ?? '',
  };
};

/** Every request the log holds, oldest first, only those of `user` when given. A half written last line is left out. */
export const readAudit = async (path: string, user?: string): Promise<AuditEntry[]> => {
  const text = await readFile(path, 'utf8').catch(() => '');
  const complete = text.slice(0, text.lastIndexOf('\n') + 1);
  const entries = complete
    .split('\n')
    .filter((line) => line !== '')
    .map(entryOf);
  return user === undefined ? entries : entries.filter((entry) => entry.user === user);
};
