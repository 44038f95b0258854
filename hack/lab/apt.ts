import { setTimeout as sleep } from 'node:timers/promises';
import { type RunResult, run } from './process.ts';

type Say = (line: string) => void;

const lockLimitMs = 600_000;
const lockStepMs = 2_000;

/** DPkg::Lock::Timeout is for dpkg's lock alone: those of the package lists and of the archives are refused at once. */
const isLocked = ({ stderr }: RunResult): boolean => stderr.includes('Could not get lock');

/** A run that was killed while dpkg worked: nothing can be installed before that is brought to an end. */
const isInterrupted = ({ stderr }: RunResult): boolean => stderr.includes('dpkg was interrupted');

/**
 * Runs apt-get without questions. Waits while another apt holds a lock (a machine that was just started updates itself),
 * and brings to an end what a killed dpkg has left. Never throws for a non-zero code.
 */
export const aptGet = async (
  args: readonly string[],
  options: { readonly say?: Say; readonly cwd?: string } = {},
  signal?: AbortSignal,
): Promise<RunResult> => {
  const { say = () => undefined, cwd } = options;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
  const where = cwd === undefined ? {} : { cwd };
  const flags = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=600', '-o', 'Acquire::Retries=3'];
  const once = () => run(['apt-get', ...flags, ...args], { env, allowFailure: true, ...where }, signal);
  const endMs = performance.now() + lockLimitMs;
  let result = await once();
  if (isLocked(result)) say('waiting for another apt to end');
  while (isLocked(result) && performance.now() < endMs) {
    await sleep(lockStepMs, undefined, signal === undefined ? {} : { signal });
    result = await once();
  }
  if (!isInterrupted(result)) return result;
  say('bringing to an end what an interrupted dpkg has left');
  await run(['dpkg', '--configure', '-a'], { env, allowFailure: true }, signal);
  return once();
};

/** As `aptGet`, but throws with the end of standard error. */
export const mustAptGet = async (...given: Parameters<typeof aptGet>): Promise<void> => {
  const { code, stderr, stdout } = await aptGet(...given);
  if (code !== 0)
    throw new Error(`apt-get ${given[0].join(' ')} ended with ${code}: ${(stderr || stdout).slice(-2000)}`);
};
