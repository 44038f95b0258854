export type SshFailure =
  | 'hostKeyMismatch'
  | 'authentication'
  | 'refused'
  | 'timeout'
  | 'closed'
  | 'protocol'
  /** The server lives but does not open this channel: `prohibited` by its configuration, `absent` on its side. */
  | 'prohibited'
  | 'absent'
  /** A program wrote more than it was given room for. */
  | 'overflow';

export class SshError extends Error {
  readonly kind: SshFailure;

  constructor(kind: SshFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SshError';
    this.kind = kind;
  }
}
