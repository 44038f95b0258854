/** The parent's side of operator-child.ts. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type {
  Answer,
  Ask,
  Counts,
  Driven,
  Guests,
  Progress,
  Recorded,
  SshUse,
  Usage,
} from './operator-protocol.ts';

export interface OperatorProcess {
  start(kubeconfig: string, flags?: readonly string[]): Promise<void>;
  /** Ends the operator; its world goes on. */
  stop(): Promise<void>;
  /** Resolves once no controller has had anything to do for `calmMs`. */
  quiet(calmMs?: number): Promise<void>;
  counts(): Promise<Counts>;
  progress(): Promise<Progress>;
  usage(): Promise<Usage>;
  /** Calls that change machines, and those to storage servers, since the last question. */
  driven(): Promise<readonly Driven[]>;
  /** What went over SSH to storage servers since the last question. */
  ssh(): Promise<SshUse>;
  /** The most memory since the last question, in bytes. */
  peakRss(): Promise<number>;
  guests(behaviour: Guests): Promise<void>;
  record(): Promise<void>;
  recorded(): Promise<Recorded>;
  exit(): Promise<void>;
}

const script = fileURLToPath(new URL('operator-child.ts', import.meta.url));

/** `OVCP_BENCH_PROFILE` names a folder for CPU profiles of the operator (`node --cpu-prof`). */
const profileFlags = (): string[] => {
  const dir = process.env['OVCP_BENCH_PROFILE'];
  return dir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${dir}`];
};

/** `nodeFlags`: what Node is started with. */
export const forkOperator = (nodeFlags: readonly string[] = []): OperatorProcess => {
  const child = fork(script, [], {
    execArgv: [...nodeFlags, ...profileFlags()],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const gone = new Promise<void>((resolve) => {
    child.once('exit', (code) => {
      for (const { reject } of waiting.values())
        reject(new Error(`the operator's process ended with ${code}`));
      waiting.clear();
      resolve();
    });
  });
  child.on('message', (message) => {
    const answer = message as Answer;
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.kind === 'value') asked?.resolve(answer.value);
    else asked?.reject(new Error(answer.message));
  });

  let lastId = 0;
  const ask = async (what: Ask): Promise<unknown> => {
    lastId += 1;
    const answer = Promise.withResolvers<unknown>();
    waiting.set(lastId, answer);
    child.send({ id: lastId, ask: what });
    return answer.promise;
  };

  return {
    start: async (kubeconfig, flags = []) => void (await ask({ kind: 'start', kubeconfig, flags })),
    stop: async () => void (await ask({ kind: 'stop' })),
    quiet: async (calmMs = 1_500) => void (await ask({ kind: 'quiet', calmMs })),
    counts: async () => (await ask({ kind: 'counts' })) as Counts,
    progress: async () => (await ask({ kind: 'progress' })) as Progress,
    usage: async () => (await ask({ kind: 'usage' })) as Usage,
    driven: async () => (await ask({ kind: 'driven' })) as readonly Driven[],
    ssh: async () => (await ask({ kind: 'ssh' })) as SshUse,
    peakRss: async () => (await ask({ kind: 'peak' })) as number,
    guests: async (behaviour) => void (await ask({ kind: 'guests', ...behaviour })),
    record: async () => void (await ask({ kind: 'record', on: true })),
    recorded: async () => (await ask({ kind: 'record', on: false })) as Recorded,
    exit: async () => {
      if (child.exitCode === null) await ask({ kind: 'exit' }).catch(() => undefined);
      await gone;
    },
  };
};
