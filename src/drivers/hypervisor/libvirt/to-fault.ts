/** The one place where libvirt's errors become faults. Numbers: virErrorNumber (include/libvirt/virterror.h). */
import { Fault, type FaultKind, isFault } from '../../../runtime/fault.ts';
import {
  type ConnectionFailure,
  errorCodes,
  LibvirtConnectionError,
  LibvirtError,
} from '../../../wire/libvirt/errors.ts';

interface Meaning {
  readonly kind: FaultKind;
  readonly reason?: string;
}

const CONNECTION: Readonly<Record<ConnectionFailure, Meaning>> = {
  hostKeyMismatch: { kind: 'unreachable', reason: 'HostKeyMismatch' },
  certificate: { kind: 'unreachable', reason: 'CertificateInvalid' },
  authentication: { kind: 'denied', reason: 'CredentialsRefused' },
  refused: { kind: 'unreachable', reason: 'HostUnreachable' },
  timeout: { kind: 'unreachable', reason: 'HostUnreachable' },
  closed: { kind: 'unreachable', reason: 'HostUnreachable' },
  protocol: { kind: 'unreachable', reason: 'HostUnreachable' },
};

const SYSTEM_ERROR = 38;
const ARGUMENT_UNSUPPORTED = 74;
const ENOSPC = 28;
const EDQUOT = 122;

const CODES: ReadonlyMap<number, Meaning> = new Map<number, Meaning>([
  [errorCodes.noSupport, { kind: 'unsupported', reason: 'UnsupportedByHost' }],
  [errorCodes.operationUnsupported, { kind: 'unsupported', reason: 'UnsupportedByHost' }],
  [errorCodes.configUnsupported, { kind: 'unsupported', reason: 'UnsupportedByHost' }],
  [ARGUMENT_UNSUPPORTED, { kind: 'unsupported', reason: 'UnsupportedByHost' }],
  [errorCodes.invalidArgument, { kind: 'invalid', reason: 'Invalid' }],
  [errorCodes.xmlError, { kind: 'invalid', reason: 'Invalid' }],
  [errorCodes.domainExists, { kind: 'denied', reason: 'NameTaken' }],
  [errorCodes.noDomain, { kind: 'conflict' }],
  [errorCodes.noStoragePool, { kind: 'conflict' }],
  [errorCodes.noStorageVol, { kind: 'conflict' }],
  [errorCodes.storageVolExists, { kind: 'conflict' }],
  [errorCodes.operationInvalid, { kind: 'conflict' }],
  [errorCodes.deviceMissing, { kind: 'conflict' }],
  [errorCodes.noNetwork, { kind: 'unreachable', reason: 'NetworkNotReady' }],
  [errorCodes.operationTimeout, { kind: 'busy' }],
  [errorCodes.resourceBusy, { kind: 'busy' }],
  [errorCodes.agentUnresponsive, { kind: 'busy' }],
  [errorCodes.authFailed, { kind: 'denied', reason: 'CredentialsRefused' }],
  [errorCodes.accessDenied, { kind: 'denied', reason: 'CredentialsRefused' }],
]);

/** What is told apart by its text alone: libvirt reports all of these as an internal or a system error. */
const TEXTS: readonly (readonly [RegExp, Meaning])[] = [
  [/no space left on device|disk quota exceeded/i, { kind: 'unreachable', reason: 'StoragePoolFull' }],
  // LVM's own words (lvm2, lib/metadata), which libvirt passes on.
  [
    /insufficient free space|insufficient suitable allocatable extents/i,
    { kind: 'unreachable', reason: 'StoragePoolFull' },
  ],
  [/while PVs? (is|are) missing|missing PVs?\b/i, { kind: 'unreachable', reason: 'VolumeGroupPartial' }],
  [/already exists in volume group/i, { kind: 'denied', reason: 'NameTaken' }],
  [/logical volume \S+ (is )?(in use|contains a filesystem in use)/i, { kind: 'busy', reason: 'DiskInUse' }],
  [/volume '[^']*' is still (in use|being allocated)/i, { kind: 'busy' }],
  [/pool '[^']*' is starting up/i, { kind: 'busy' }],
  [
    /cannot access storage file|could not open '[^']*': no such file/i,
    { kind: 'invalid', reason: 'DiskLost' },
  ],
  [/network '[^']*' is not active/i, { kind: 'unreachable', reason: 'NetworkNotReady' }],
  [
    /cannot get interface mtu|unable to add bridge|no such device/i,
    { kind: 'invalid', reason: 'BridgeNotFound' },
  ],
  [/failed to get "write" lock|is already in use by domain/i, { kind: 'busy', reason: 'DiskInUse' }],
];

const meaningOf = (error: LibvirtError): Meaning => {
  if (error.code === SYSTEM_ERROR && (error.numbers[0] === ENOSPC || error.numbers[0] === EDQUOT)) {
    return { kind: 'unreachable', reason: 'StoragePoolFull' };
  }
  const told = TEXTS.find(([text]) => text.test(error.message));
  return told?.[1] ?? CODES.get(error.code) ?? { kind: 'unreachable', reason: 'RequestFailed' };
};

const clean = (text: string): string =>
  text
    .replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ')
    .trim()
    .slice(0, 400);

const options = (meaning: Meaning, where: string, cause: unknown) => ({
  ...(meaning.reason === undefined ? {} : { reason: meaning.reason }),
  where,
  cause,
});

/** Any error of a call to `where` as a Fault; the message is one sentence that names the host. */
export const toHostFault = (error: unknown, where: string): Fault => {
  if (isFault(error)) return error;
  if (error instanceof LibvirtConnectionError) {
    const meaning = CONNECTION[error.kind];
    return new Fault(
      meaning.kind,
      `The host ${where} cannot be asked: ${clean(error.message)}`,
      options(meaning, where, error),
    );
  }
  if (error instanceof LibvirtError) {
    const meaning = meaningOf(error);
    return new Fault(
      meaning.kind,
      `The host ${where} answered: ${clean(error.message)}`,
      options(meaning, where, error),
    );
  }
  if (error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError')) {
    return new Fault('unreachable', `The host ${where} did not answer in time.`, { where, cause: error });
  }
  return new Fault('bug', error instanceof Error ? clean(error.message) : clean(String(error)), {
    where,
    cause: error,
  });
};

/** Whether libvirt said so with this number. */
export const saidNo = (error: unknown, ...codes: readonly number[]): boolean =>
  error instanceof LibvirtError && codes.includes(error.code);
