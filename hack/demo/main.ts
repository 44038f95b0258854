/**
 * `make demo`. Variables: EXIT=1 runs the tour and takes all down; YES=1 asks nothing; HOSTS=simulated needs no root;
 * KUBECONFIG and HOSTPOOL together name the user's own cluster and hosts; OVCP_LAB_DIR is where its files go.
 */
import { existsSync, readFileSync } from 'node:fs';
import { kinds } from '../../src/api/kinds.ts';
import { defaultLabDir } from '../lab/lab.ts';
import { repositoryRoot } from '../lab/operator.ts';
import { type Choice, choose, isOn } from './choose.ts';
import { follow } from './follow.ts';
import { textAt } from './json.ts';
import { failedLogs, setLabStage } from './lab-stage.ts';
import { nextSteps } from './next-steps.ts';
import { setOwnStage } from './own-stage.ts';
import { bringUpMachine, showStory } from './play.ts';
import { hostAccessOf, type Scene, type Up } from './scene.ts';
import { setSimulatedStage } from './simulated-stage.ts';
import { declined, keepLogs, type Stage, type StageOptions } from './stage.ts';
import { tour } from './tour.ts';
import { createVoice, type Voice } from './voice.ts';

type Playable = Exclude<Choice, { kind: 'wrong' }>;

const osReleasePath = '/etc/os-release';

const nowMs = (): number => performance.now();

/** Aborted by the first Ctrl-C or SIGTERM; a second one changes nothing, so that the taking down is not cut short. */
const interruption = (voice: Voice): AbortSignal => {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) return;
      voice.say(`${name}: everything is taken down`);
      controller.abort(new Error(`interrupted by ${name}`));
    });
  }
  return controller.signal;
};

const setStage = (choice: Playable, options: StageOptions): Promise<Stage> => {
  switch (choice.kind) {
    case 'lab':
      return setLabStage(options);
    case 'simulated':
      return setSimulatedStage(options);
    case 'own':
      return setOwnStage(choice, options);
    default:
      return choice satisfies never;
  }
};

const titleOf = (choice: Playable): string => {
  switch (choice.kind) {
    case 'lab':
      return 'a control plane, two KVM hosts, four storage servers and the operator on this machine';
    case 'simulated':
      return 'a control plane and the operator on this machine, with simulated hosts';
    case 'own':
      return 'the operator for your cluster and your hosts';
    default:
      return choice satisfies never;
  }
};

/** Until somebody presses Ctrl-C. */
const stay = async (scene: Scene, up: Up): Promise<void> => {
  const { stage, voice, signal } = scene;
  const real = stage.hosts.length > 0;
  const virsh = real ? hostAccessOf(scene, up.machine).shell : undefined;
  up.serial?.stop();
  voice.heading('What to try next');
  const domain = textAt(up.machine, 'status', 'domainName');
  const storage = stage.storage !== undefined;
  voice.tell(nextSteps({ enter: stage.enter, repository: repositoryRoot, virsh, domain, storage }));
  const idle = setInterval(() => undefined, 60_000);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve());
  });
  clearInterval(idle);
};

const perform = async (stage: Stage, voice: Voice, signal: AbortSignal, exit: boolean): Promise<void> => {
  const follower = follow({
    kinds: kinds.filter(({ kind }) => kind !== 'VirtualMachineSize'),
    kubectl: stage.kubectl,
    env: stage.env,
    say: voice.say,
    signal,
  });
  const scene: Scene = { stage, voice, follower, nowMs, signal };
  try {
    voice.heading('A machine from YAML');
    const up = await bringUpMachine(scene);
    for (const what of [['ohp,oh,osp,ovn'], ['oimg,odisk,ovm', '-A']]) {
      voice.say(`$ kubectl get ${what.join(' ')}`);
      voice.show(await stage.mustKubectl(['get', ...what]));
    }
    if (!exit) return await stay(scene, up);
    voice.heading('It changes, heals and goes away');
    await showStory(scene);
    await tour(scene, up);
  } finally {
    await follower.stop();
  }
};

const summary = (voice: Voice): void => {
  voice.heading('Seen');
  for (const { title, outcome, tookMs } of voice.steps) {
    voice.show(`${outcome.padEnd(7)} ${`${(tookMs / 1000).toFixed(1)} s`.padStart(8)}  ${title}`);
  }
};

/** Plays and takes down; the exit status. An interruption while it stays is how a demo ends well. */
const play = async (
  choice: Playable,
  voice: Voice,
  options: StageOptions,
  exit: boolean,
): Promise<number> => {
  const { dir, signal } = options;
  let stage: Stage | undefined;
  let status = 0;
  try {
    voice.heading(titleOf(choice));
    stage = await voice.step('everything is set up', () => setStage(choice, options));
    await perform(stage, voice, signal, exit);
  } catch (error) {
    status = signal.aborted ? 130 : 1;
    voice.say(
      error === declined
        ? declined.message
        : `${signal.aborted ? 'stopped' : 'FAILED'}: ${(error as Error).message}`,
    );
    if (stage !== undefined) keepLogs(dir, failedLogs(dir));
    if (existsSync(failedLogs(dir)) && error !== declined) voice.say(`the logs are in ${failedLogs(dir)}`);
  }
  if (stage !== undefined) await voice.step('everything is taken down', stage.down);
  summary(voice);
  return voice.steps.some((step) => step.outcome === 'failed') && status === 0 ? 1 : status;
};

const main = async (): Promise<number> => {
  const { env } = process;
  const voice = createVoice({
    write: (text) => void process.stdout.write(text),
    nowMs,
    colours: process.stdout.isTTY && env['NO_COLOR'] === undefined,
    mayAsk: process.stdin.isTTY && !isOn(env['YES']),
  });
  const choice = choose({
    env,
    isRoot: process.getuid?.() === 0,
    osRelease: existsSync(osReleasePath) ? readFileSync(osReleasePath, 'utf8') : undefined,
    platform: process.platform,
  });
  if (choice.kind === 'wrong') {
    voice.say(choice.message);
    return 2;
  }
  if (choice.kind === 'simulated' && choice.why !== undefined) voice.say(choice.why);
  const signal = interruption(voice);
  const labDir = env['OVCP_LAB_DIR'] ?? defaultLabDir;
  const dir = choice.kind === 'lab' ? labDir : `${labDir}-${choice.kind}`;
  const agrees = (question: string): Promise<boolean> => voice.agrees(question, signal);
  return play(choice, voice, { dir, say: voice.say, agrees, env, signal }, isOn(env['EXIT']));
};

const status = await main();
// A kubectl or a console that is still closing must not keep this process.
process.exit(status);
