/** What becomes of an import that failed: tried again by the policy, or never. Pure. */
import type { Reason } from '../../api/reasons.ts';
import { type Fault, isFault } from '../../runtime/fault.ts';
import { policyOf } from '../../runtime/policy.ts';
import { type Health, type Verdict, verdictOfFault } from '../verdict.ts';
import type { ImageWorld, ImportState } from './world.ts';

/** The bytes themselves are wrong: the same file fetched again is the same file. */
const final: ReadonlySet<string> = new Set<Reason>(['ImageChecksumMismatch', 'ImageFormatRefused']);

export const isFinal = (fault: Fault): boolean => fault.reason !== undefined && final.has(fault.reason);

/** Whether the server refused the credentials: another Secret may help, and nothing else does. */
export const isRefused = (state: ImportState): boolean =>
  state.kind === 'failed' && isFault(state.fault, 'denied');

/** Whether a person is told; else it is part of the import that the host was busy for a moment. */
export const isShown = (fault: Fault): boolean => policyOf(fault.kind).shown;

/** A fault of an import is one of the image, also when a server did not answer: it is known not to be there. */
export const verdictOfImport = (fault: Fault): Verdict => {
  if (!isShown(fault)) {
    return { health: 'progress', reason: 'Importing', message: 'The image is being fetched.' };
  }
  const verdict = verdictOfFault(fault);
  const health: Health = verdict.health === 'unknown' ? 'trouble' : verdict.health;
  return { ...verdict, health, message: `The import failed: ${fault.message}.`.replace(/\.\.$/, '.') };
};

/**
 * Whether the file was judged and found wrong, by this process or, as the status tells, by one before it: a start of
 * the operator does not fetch it once more.
 */
export const refusalOf = ({ image, imports }: ImageWorld): Verdict | undefined => {
  for (const state of imports.values()) {
    if (state.kind === 'failed' && isFinal(state.fault)) return verdictOfImport(state.fault);
  }
  const stalled = image.status?.conditions?.find(
    ({ type, status, reason }) => type === 'Stalled' && status === 'True' && final.has(reason),
  );
  return stalled === undefined
    ? undefined
    : { health: 'invalid', reason: stalled.reason as Reason, message: stalled.message };
};
