/** The one place where failures of SSH to a storage server become faults. */
import { Fault, type FaultKind, isFault } from '../../runtime/fault.ts';
import { safeText } from '../../runtime/text.ts';
import { SshError, type SshFailure } from '../../wire/ssh/errors.ts';

const MEANINGS: Readonly<Record<SshFailure, { readonly kind: FaultKind; readonly reason: string }>> = {
  hostKeyMismatch: { kind: 'unreachable', reason: 'HostKeyMismatch' },
  authentication: { kind: 'denied', reason: 'CredentialsRefused' },
  refused: { kind: 'unreachable', reason: 'ServerUnreachable' },
  timeout: { kind: 'unreachable', reason: 'ServerUnreachable' },
  closed: { kind: 'unreachable', reason: 'ServerUnreachable' },
  protocol: { kind: 'unreachable', reason: 'ServerUnreachable' },
  prohibited: { kind: 'denied', reason: 'CredentialsRefused' },
  absent: { kind: 'unreachable', reason: 'ServerUnreachable' },
  overflow: { kind: 'bug', reason: 'MalformedAnswer' },
};

/** Any error of a call to the server `where` as a Fault; the message is one sentence that names the server. */
export const toServerFault = (error: unknown, where: string): Fault => {
  if (isFault(error)) return error;
  if (error instanceof SshError) {
    const { kind, reason } = MEANINGS[error.kind];
    const message = `The server ${where} cannot be asked: ${safeText(error.message, 400)}`;
    return new Fault(kind, message, { reason, where, cause: error });
  }
  if (error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError')) {
    return new Fault('unreachable', `The server ${where} did not answer in time.`, { where, cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new Fault('bug', safeText(message, 400), { where, cause: error });
};

/** A sentence in the Secret's stead, when it lacks what SSH cannot do without. */
export const secretLacks = (where: string, what: string): Fault =>
  new Fault('invalid', `The Secret of server ${where} lacks ${what}.`, { reason: 'SecretInvalid', where });
