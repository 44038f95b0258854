/**
 * Secrets that a host keeps so that its emulator can log in to a storage server. A value goes in and is never read
 * back: neither a machine's definition nor any call of a host's gives it away. Laws K-01 … in docs/driver-contract.md.
 */

/** Plain data; the uuid is derived (src/api/identity.ts), the usage says whose it is. */
export interface HostSecret {
  /** Lower case with dashes. */
  readonly uuid: string;
  /** `ovcp/<cluster id>/<StoragePool uid>/<version>`: our mark. */
  readonly usage: string;
}

/** What every usage of ours begins with. */
export const SECRET_MARK = 'ovcp/';

export interface HostSecrets {
  /** All that carry our mark, of every installation. */
  list(signal: AbortSignal): Promise<readonly HostSecret[]>;
  /**
   * Idempotent, and due before every use: hosts keep it in memory alone and forget it with their daemon. Fault
   * `denied` when somebody else's has the uuid.
   */
  put(secret: HostSecret, value: Uint8Array, signal: AbortSignal): Promise<void>;
  /** What is absent is done. Machines that run keep what they logged in with. Fault `denied` for one without our mark. */
  drop(uuid: string, signal: AbortSignal): Promise<void>;
}
