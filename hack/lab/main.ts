/** The doors of `make lab` and `make lab-down`. */
import { defaultLabDir, labDown, labUp, startLabOperator, stopLabOperator } from './lab.ts';
import { serverOff, serverOn } from './lab-servers.ts';
import { isLabUp, isRunning, readState } from './lab-state.ts';

const dir = process.env['OVCP_LAB_DIR'] ?? defaultLabDir;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

const status = (): void => {
  const state = readState(dir);
  if (state === undefined) print('no lab is up');
  for (const recorded of state?.processes ?? []) {
    print(
      `${recorded.name.padEnd(26)}${String(recorded.pid).padEnd(9)}${isRunning(recorded) ? 'runs' : 'is gone'}`,
    );
  }
};

const up = async (): Promise<void> => {
  if (isLabUp(dir)) {
    print('the lab is up already');
    status();
    return;
  }
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => interrupted.abort(new Error(`interrupted by ${name}`)));
  }
  await labUp({ dir, operator: !process.argv.includes('--no-operator') }, interrupted.signal);
  print(`the lab is up; next:  . ${dir}/env`);
};

const serverName = (): string => {
  const name = process.argv[3];
  if (name === undefined) throw new Error('say which Gluster server, such as g3');
  return name;
};

const commands: Record<string, () => Promise<void> | void> = {
  up,
  down: () => labDown(dir),
  status,
  'operator-start': () => startLabOperator(dir),
  'operator-stop': () => stopLabOperator(dir),
  'server-off': () => serverOff(dir, serverName()),
  'server-on': () => serverOn(dir, serverName()),
};

const command = commands[process.argv[2] ?? ''];
if (command === undefined) {
  process.stderr.write(`usage: node hack/lab/main.ts ${Object.keys(commands).join('|')} [server]\n`);
  process.exitCode = 2;
} else {
  await command();
  // Detached children must not keep this process: their ends are nobody's business here.
  process.exit();
}
