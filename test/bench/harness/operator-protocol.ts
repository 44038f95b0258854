/** What the parent asks of the operator's process, and what it answers. */

export type Ask =
  | { readonly kind: 'start'; readonly kubeconfig: string; readonly flags: readonly string[] }
  | { readonly kind: 'stop' | 'counts' | 'progress' | 'usage' | 'driven' | 'ssh' | 'peak' | 'exit' }
  | { readonly kind: 'quiet'; readonly calmMs: number }
  | ({ readonly kind: 'guests' } & Guests)
  /** Begins to note the operator's writes, or ends it and hands them out. */
  | { readonly kind: 'record'; readonly on: boolean };

export interface Guests {
  readonly agent: boolean;
  /** From power-on until the agent answers. */
  readonly bootMs?: number;
}

export type Answer =
  | { readonly id: number; readonly kind: 'value'; readonly value: unknown }
  | { readonly id: number; readonly kind: 'error'; readonly message: string };

/** Calls on simulated hosts since the begin, by method, and how many of them changed something. */
export interface Counts {
  readonly calls: Readonly<Record<string, number>>;
  readonly mutating: number;
  /** Calls on simulated storage servers, by method. */
  readonly storage: Readonly<Record<string, number>>;
}

export interface Progress {
  /** Machines that are Ready because they run. */
  readonly ready: number;
  /** When the last of them became so, in ms of the wall clock, which the processes of one machine share. */
  readonly lastReadyMs: number;
}

export interface Usage {
  readonly cpuMs: number;
  readonly rssBytes: number;
}

/** One write as the operator sent it. */
export interface Write {
  /** When it was sent, in ms of the wall clock. */
  readonly atMs: number;
  readonly method: string;
  readonly path: string;
  readonly contentType: string;
  readonly body: string;
}

/** What was noted between the begin and the end of a record. */
export interface Recorded {
  readonly writes: readonly Write[];
  /** The most writes that were under way at one time. */
  readonly peak: number;
}

/** One call that changes a machine (libvirt's name of it), or one to a storage server (`sweep`, `disk.publish`, …). */
export interface Driven {
  readonly call: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** What libvirt was given. */
  readonly xml?: string;
  /** Kind and sentence of the Fault that it ended with. */
  readonly fault?: string;
}

/** What went over SSH to storage servers. */
export interface SshUse {
  readonly connections: number;
  readonly commands: number;
  /** The most channels that were open to one machine at one time. */
  readonly peak: number;
}
