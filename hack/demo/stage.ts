/** Where a demo plays: a cluster with the operator at work in it, hosts, and an image to start from. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { RunResult } from '../lab/process.ts';
import type { HostAccess } from './host-access.ts';
import type { DemoHosts, DemoImage, DemoStorage } from './quickstart.ts';

/** Storage servers as their administrator sees them: by a shell of their own, and by the plug. */
export interface StorageAccess {
  readonly parts: DemoStorage;
  /** Name of the iSCSI target server. */
  readonly target: string;
  /** Standard output of a program on a server. Throws with its error. */
  readonly run: (server: string, argv: readonly string[]) => Promise<string>;
  /** Everything on a Gluster server dies at once; its disk stays. */
  readonly off: (server: string) => Promise<void>;
  readonly on: (server: string) => Promise<void>;
}

export interface Stage {
  /** kubectl with its kubeconfig. */
  readonly kubectl: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Runs kubectl; throws with its error. */
  mustKubectl(args: readonly string[], stdin?: string): Promise<string>;
  /** Empty where hosts are simulated. */
  readonly hosts: readonly HostAccess[];
  readonly demoHosts: DemoHosts;
  readonly image: DemoImage;
  /** Undefined where disks are in folders of the hosts, or in the operator's memory. */
  readonly storage?: StorageAccess;
  /** The image says `ovcp-guest ready …` on its serial port. */
  readonly guestSpeaks: boolean;
  /** Shell lines that a person types first in another terminal. */
  readonly enter: readonly string[];
  /** Folder of the files this demo writes. */
  readonly dir: string;
  /** Prints nothing and leaves nothing of what this stage started. */
  readonly down: () => Promise<void>;
}

/** What each way of setting a stage gets. */
export interface StageOptions {
  readonly dir: string;
  readonly say: (line: string) => void;
  readonly agrees: (question: string) => Promise<boolean>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/** A path as a person would type it here. */
export const shortPath = (path: string): string => {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
};

/** Somebody said no. */
export const declined = new Error('Nothing was changed.');

export const tellKubectl = (result: RunResult, args: readonly string[]): string => {
  if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr.trim().slice(-2000)}`);
  return result.stdout;
};

const logsBelow = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.log'))
    .map((entry) => join(entry.parentPath, entry.name));

/** Copies every log below `dir` into `target`, which is made anew; returns how many. */
export const keepLogs = (dir: string, target: string): number => {
  if (!existsSync(dir)) return 0;
  const logs = logsBelow(dir);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const log of logs) copyFileSync(log, join(target, relative(dir, log).replaceAll('/', '-')));
  return logs.length;
};
