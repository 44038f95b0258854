/** What every part of the host's side is given. */
import type { Clock } from '../../../runtime/clock.ts';
import { Fault } from '../../../runtime/fault.ts';
import { safeText } from '../../../runtime/text.ts';
import type { RunResult, Shell } from './shell.ts';
import type { Turns } from './turns.ts';

export interface Host {
  readonly shell: Shell;
  readonly turns: Turns;
  /** Asks again and again until there is an answer; undefined when there is none within the limit. */
  poll<T>(limitMs: number, ask: () => Promise<T | undefined>, signal: AbortSignal): Promise<T | undefined>;
}

const STEP_MS = 250;

export const createHost = (shell: Shell, turns: Turns, clock: Clock): Host => ({
  shell,
  turns,
  poll: async (limitMs, ask, signal) => {
    const endMs = clock.monotonicMs() + limitMs;
    for (;;) {
      const answer = await ask();
      if (answer !== undefined || clock.monotonicMs() >= endMs) return answer;
      await clock.sleep(STEP_MS, signal);
    }
  },
});

const isMissing = ({ code, stderr }: RunResult): boolean =>
  code === 127 || /^sudo: .*: command not found/im.test(stderr);

/** Throws unless it went well. iscsiadm names no secret in what it says. */
export const checked =
  (host: string) =>
  (result: RunResult, what: string): void => {
    if (result.code === 0) return;
    if (isMissing(result)) {
      const message = `The host ${host} has no iSCSI initiator: open-iscsi is not installed there.`;
      throw new Fault('unsupported', message, { reason: 'UnsupportedByHost', where: host });
    }
    const lines = result.stderr.trim().split('\n');
    // The last line says that it failed; why is in an earlier one.
    const why = lines.find((line) => line.includes('reported error')) ?? lines.at(-1) ?? '';
    const said = safeText(why.replace(/^iscsiadm: /, ''), 300);
    const message = `The host ${host} could not ${what}: ${said} (${result.code}).`;
    throw new Fault('unreachable', message, { reason: 'LoginFailed', where: host });
  };
