/** Programs on a host over an SSH connection of their own, opened when first needed. */
import { Fault, isFault } from '../../../runtime/fault.ts';
import { safeText } from '../../../runtime/text.ts';
import { SshError, type SshFailure } from '../../../wire/ssh/errors.ts';
import { createSshRunner, type RunResult } from '../../../wire/ssh/runner.ts';
import { connectSsh, type SshOptions } from '../../../wire/ssh/session.ts';

export type { RunResult } from '../../../wire/ssh/runner.ts';

export interface RunSettings {
  readonly stdin?: string | Uint8Array | undefined;
  readonly timeoutMs?: number | undefined;
  /** Needs no rights: not by `sudo`. */
  readonly plain?: boolean | undefined;
}

/** One host. An account that is not root runs what needs rights by `sudo -n`. Throws Fault only. */
export interface Shell {
  readonly host: string;
  /** Any exit code is a result, but for sudo's refusal (Fault `denied`, `SudoRefused`). */
  run(argv: readonly string[], settings: RunSettings, signal: AbortSignal): Promise<RunResult>;
  close(): void;
}

const REASONS: Readonly<Partial<Record<SshFailure, string>>> = {
  hostKeyMismatch: 'HostKeyMismatch',
  authentication: 'CredentialsRefused',
  prohibited: 'CredentialsRefused',
};

const toShellFault = (error: unknown, host: string): Fault => {
  if (isFault(error)) return error;
  const late = error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError');
  if (late) {
    const message = `The host ${host} did not answer in time.`;
    return new Fault('unreachable', message, { where: host, cause: error });
  }
  const text = safeText(error instanceof Error ? error.message : String(error), 400);
  if (!(error instanceof SshError)) return new Fault('bug', text, { where: host, cause: error });
  const reason = REASONS[error.kind] ?? 'HostUnreachable';
  const kind = reason === 'CredentialsRefused' ? 'denied' : 'unreachable';
  const message = `The host ${host} cannot be asked by SSH: ${text}`;
  return new Fault(kind, message, { reason, where: host, cause: error });
};

/** sudo(8) ends with 1 and says so itself when it may not run the program; one that is missing is another matter. */
const isRefusal = ({ code, stderr }: RunResult): boolean =>
  code === 1 && /^(sudo: |sorry, user )/im.test(stderr) && !/command not found/i.test(stderr);

export const openShell = (host: string, options: SshOptions): Shell => {
  const runner = createSshRunner({ connect: (signal) => connectSsh(options, signal) });
  const isRoot = options.user === 'root';
  return {
    host,
    run: async (argv, { stdin, timeoutMs, plain = false }, signal) => {
      const elevated = isRoot || plain ? argv : ['sudo', '-n', '--', ...argv];
      const limits = timeoutMs === undefined ? {} : { timeoutMs };
      let result: RunResult;
      try {
        result = await runner.run(elevated, { ...limits, ...(stdin === undefined ? {} : { stdin }) }, signal);
      } catch (error) {
        throw toShellFault(error, host);
      }
      if (isRoot || plain || !isRefusal(result)) return result;
      const message = `The account ${options.user} of host ${host} may not run ${argv[0]} by sudo: ${safeText(result.stderr, 200)}`;
      throw new Fault('denied', message, { reason: 'SudoRefused', where: host });
    },
    close: () => runner.close(),
  };
};
