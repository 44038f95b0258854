import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pidAlive, stopPid } from './process.ts';

/** One process of a lab that was left running. */
export type RecordedProcess = {
  name: string;
  pid: number;
  /** Clock ticks since boot at which it started (proc(5), stat field 22): with the pid, no other process is meant. */
  startTicks: number;
  /** `kill`: process 1 of a host, whose end is everything's end inside; it takes no other signal. */
  how: 'terminate' | 'kill';
};

/** A Gluster server of a lab, which may have power or not. */
export type RecordedServer = { name: string; dir: string; index: number };

export type LabState = {
  /** Who brings it up; undefined once it is up. */
  starter: RecordedProcess | undefined;
  /** In the order in which they were started; they are stopped the other way round. */
  processes: RecordedProcess[];
  bridge: string | undefined;
  gluster: RecordedServer[];
  operator: { kubeconfig: string; logPath: string; port: number; allowedImageRanges: string[] };
};

const statePath = (dir: string): string => join(dir, 'lab.json');

const startTicks = (pid: number): number => {
  // The second field is the name in parentheses and may itself hold anything but a closing one at the end.
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[19]);
};

export const recordProcess = (
  name: string,
  pid: number,
  how: RecordedProcess['how'] = 'terminate',
): RecordedProcess => ({
  name,
  pid,
  startTicks: startTicks(pid),
  how,
});

/** Whether it is still that very process. */
export const isRunning = (process: RecordedProcess): boolean => {
  try {
    return pidAlive(process.pid) && startTicks(process.pid) === process.startTicks;
  } catch {
    return false;
  }
};

export const stopRecorded = async (recorded: RecordedProcess, limitMs = 30_000): Promise<void> => {
  if (!isRunning(recorded)) return;
  if (recorded.how === 'kill') process.kill(recorded.pid, 'SIGKILL');
  await stopPid(recorded.pid, limitMs);
};

/** The state of the lab in `dir`; undefined when there is none. */
export const readState = (dir: string): LabState | undefined =>
  existsSync(statePath(dir)) ? (JSON.parse(readFileSync(statePath(dir), 'utf8')) as LabState) : undefined;

/** Something of the lab in `dir` runs, or somebody is bringing it up. */
export const isLabUp = (dir: string): boolean => {
  const state = readState(dir);
  return (
    state !== undefined && [...state.processes, state.starter].some((it) => it !== undefined && isRunning(it))
  );
};

export const writeState = (dir: string, state: LabState): void => {
  writeFileSync(`${statePath(dir)}.new`, `${JSON.stringify(state, null, 2)}\n`);
  renameSync(`${statePath(dir)}.new`, statePath(dir));
};
