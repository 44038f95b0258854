/**
 * A process of its own with the operator, on a simulated world or on real servers, so that it shares no thread with the
 * load. The world outlives the operator: `stop` and `start` are a restart. Its parent asks by IPC (operator-process.ts).
 */
import { readConfig } from '../../../src/config.ts';
import { dialLibvirt } from '../../../src/drivers/hypervisor/libvirt/dial.ts';
import { createLibvirtDriver } from '../../../src/drivers/hypervisor/libvirt/driver.ts';
import { createSimulatedDriver } from '../../../src/drivers/hypervisor/simulated/driver.ts';
import { createWorld } from '../../../src/drivers/hypervisor/simulated/world.ts';
import { createGlusterDriver } from '../../../src/drivers/storage/gluster/driver.ts';
import { createIscsiDriver } from '../../../src/drivers/storage/iscsi/driver.ts';
import { createServerLinks, dialServer } from '../../../src/drivers/storage/server-link.ts';
import { createSimulatedStorage } from '../../../src/drivers/storage/simulated/driver.ts';
import { createStorageWorld } from '../../../src/drivers/storage/simulated/world.ts';
import { loadAccess } from '../../../src/kube/auth.ts';
import { createOperator, type Operator } from '../../../src/operator.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLog } from '../../../src/runtime/log.ts';
import { createNotes } from './notes.ts';
import type { Answer, Ask, Counts, Progress } from './operator-protocol.ts';
import { createRecorder } from './recorder.ts';

const clock = systemClock();
const storage = createStorageWorld({ clock });
const { shareState, fabric } = storage;
const world = createWorld({ clock, random: Math.random, shareState, fabric });
const recorder = createRecorder();

interface Running {
  readonly operator: Operator;
  readonly stop: () => Promise<void>;
}
let running: Running | undefined;

const progress: { ready: number; lastReadyMs: number } = { ready: 0, lastReadyMs: 0 };

/** Counts machines that are Ready because they run, as this process's own cache has them. */
const followMachines = ({ context }: Operator): void => {
  const ready = new Set<string>();
  context.kinds.machines.store.subscribe(({ key, new: now }) => {
    const runs = now?.status?.conditions?.some(
      ({ type, status, reason }) => type === 'Ready' && status === 'True' && reason === 'Running',
    );
    if (runs !== true) {
      ready.delete(key);
    } else if (!ready.has(key)) {
      ready.add(key);
      progress.lastReadyMs = Date.now();
    }
    progress.ready = ready.size;
  });
};

const notes = createNotes();

/** The most memory that was seen since the last question: asked for often, because nothing tells of it. */
let peakRssBytes = 0;
const peakPollMs = 25;
setInterval(() => {
  peakRssBytes = Math.max(peakRssBytes, process.memoryUsage.rss());
}, peakPollMs).unref();

const start = async (kubeconfig: string, flags: readonly string[]): Promise<void> => {
  const answer = readConfig(['--cluster-id', 'bench', '--health-address', '127.0.0.1:0', ...flags], {});
  if (answer.kind !== 'config') throw new Error(answer.kind === 'wrong' ? answer.message : 'help');
  const driver = createSimulatedDriver(world);
  const dial = notes.dial(dialLibvirt);
  const links = createServerLinks(notes.connect(dialServer));
  const operator = createOperator({
    config: answer.config,
    access: await loadAccess({ kind: 'kubeconfig', paths: [kubeconfig] }, clock),
    drivers: {
      simulated: async (clusterId) => driver.open({ hosts: [], clusterId }),
      libvirt: async () => createLibvirtDriver({ clock, random: Math.random, dial }).open({ endpoints: [] }),
    },
    storageDrivers: {
      gluster: async () => notes.storage(createGlusterDriver(links)),
      iscsi: async () => notes.storage(createIscsiDriver(links)),
      simulated: async () => notes.storage(createSimulatedStorage(storage)),
    },
    lookUp: async (name) => [name],
    clock,
    log: silentLog,
    random: Math.random,
    identity: `bench-${process.pid}`,
  });
  progress.ready = 0;
  followMachines(operator);
  const ends = new AbortController();
  const run = operator.run(ends.signal);
  run.catch((error: unknown) => {
    if (!ends.signal.aborted) throw error;
  });
  running = {
    operator,
    stop: async () => {
      ends.abort();
      await run;
    },
  };
  await operator.listening;
};

const busy = ({ operator }: Running): boolean =>
  operator.state() !== 'leading' ||
  operator.controllers.some((it) => it.depth() > 0 || it.running().length > 0);

/** Resolves once nothing has been done for `calmMs`. */
const quiet = async (calmMs: number): Promise<void> => {
  const step = 50;
  let calm = 0;
  while (calm < calmMs && running !== undefined) {
    await clock.sleep(step, new AbortController().signal);
    calm = busy(running) ? 0 : calm + step;
  }
};

const counts = (): Counts => ({
  calls: Object.fromEntries(world.calls.counts()),
  mutating: world.calls.log().length,
  storage: Object.fromEntries(storage.counts()),
});

const perform = async (ask: Ask): Promise<unknown> => {
  switch (ask.kind) {
    case 'start':
      return start(ask.kubeconfig, ask.flags);
    case 'stop':
      await running?.stop();
      running = undefined;
      return undefined;
    case 'quiet':
      return quiet(ask.calmMs);
    case 'counts':
      return counts();
    case 'progress':
      return { ...progress } satisfies Progress;
    case 'driven':
      return notes.driven();
    case 'ssh':
      return notes.ssh();
    case 'peak': {
      const peak = Math.max(peakRssBytes, process.memoryUsage.rss());
      peakRssBytes = 0;
      return peak;
    }
    case 'guests':
      return world.guests.setDefault({ agent: ask.agent, bootMs: ask.bootMs ?? 0 });
    case 'record':
      return ask.on ? recorder.begin() : recorder.end();
    case 'usage': {
      const { user, system } = process.cpuUsage();
      return { cpuMs: (user + system) / 1000, rssBytes: process.memoryUsage.rss() };
    }
    case 'exit':
      await running?.stop();
      setImmediate(() => process.exit(0));
      return undefined;
    default:
      return ask satisfies never;
  }
};

process.on('message', (message) => {
  const { id, ask } = message as { readonly id: number; readonly ask: Ask };
  const send = (answer: Answer): void => void process.send?.(answer);
  perform(ask).then(
    (value) => send({ id, kind: 'value', value }),
    (error: unknown) => send({ id, kind: 'error', message: String((error as Error).stack ?? error) }),
  );
});
process.on('disconnect', () => process.exit(1));
