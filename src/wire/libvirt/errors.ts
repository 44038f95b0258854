/** Why the host could not be asked; what a caller may do about it differs by kind. */
export type ConnectionFailure =
  | 'hostKeyMismatch'
  | 'certificate'
  | 'authentication'
  | 'refused'
  | 'timeout'
  | 'closed'
  | 'protocol';

export type LibvirtErrorFields = {
  /** virErrorNumber (include/libvirt/virterror.h), e.g. 42 no such domain. */
  code: number;
  /** virErrorDomain: the part of libvirt that says no. */
  domain: number;
  /** virErrorLevel: 0 none, 1 warning, 2 error. */
  level: number;
  message: string;
  strings: readonly (string | null)[];
  numbers: readonly number[];
};

/** libvirt was asked and said no. */
export class LibvirtError extends Error {
  readonly code: number;
  readonly domain: number;
  readonly level: number;
  /** str1 to str3 and int1, int2 of virError. */
  readonly strings: readonly (string | null)[];
  readonly numbers: readonly number[];
  /** Name of the procedure that failed. */
  readonly procedure: string;

  constructor(procedure: string, fields: LibvirtErrorFields) {
    super(fields.message);
    this.name = 'LibvirtError';
    this.procedure = procedure;
    this.code = fields.code;
    this.domain = fields.domain;
    this.level = fields.level;
    this.strings = fields.strings;
    this.numbers = fields.numbers;
  }
}

/** libvirt could not be asked, or the answer never came: whether the call had an effect is not known. */
export class LibvirtConnectionError extends Error {
  readonly kind: ConnectionFailure;

  constructor(kind: ConnectionFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LibvirtConnectionError';
    this.kind = kind;
  }
}

/** The numbers of virErrorNumber that a driver tells apart (include/libvirt/virterror.h). */
export const errorCodes = {
  internalError: 1,
  noSupport: 3,
  invalidArgument: 8,
  operationFailed: 9,
  xmlError: 27,
  domainExists: 28,
  networkExists: 37,
  systemError: 38,
  rpc: 39,
  noDomain: 42,
  noNetwork: 43,
  authFailed: 45,
  noStoragePool: 49,
  noStorageVol: 50,
  operationInvalid: 55,
  noNwfilter: 62,
  noSecret: 66,
  configUnsupported: 67,
  operationTimeout: 68,
  noNodeDevice: 53,
  noDomainMetadata: 80,
  operationUnsupported: 84,
  agentUnresponsive: 86,
  agentUnsynced: 97,
  resourceBusy: 87,
  accessDenied: 88,
  storageVolExists: 90,
  deviceMissing: 99,
} as const;

export const isLibvirtError = (error: unknown, code?: number): error is LibvirtError =>
  error instanceof LibvirtError && (code === undefined || error.code === code);
