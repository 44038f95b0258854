/** The gluster command on one server. */
import type { ServerLink } from '../server-link.ts';
import { noAnswer, refusal } from './errors.ts';
import { type Answer, parseAnswer } from './parse.ts';

/** Ours, in seconds: longer than the command's, so that it can say itself what took so long. */
const CLI_TIMEOUT_S = 100;
const RUN_TIMEOUT_MS = 120_000;

export interface Gluster {
  readonly server: string;
  /** Its answer, yes or no. Throws Fault where it gave none. */
  ask(words: readonly string[], signal: AbortSignal): Promise<Answer>;
  /** Its answer. Throws the Fault that its refusal means. */
  tell(words: readonly string[], signal: AbortSignal): Promise<Answer>;
  /** What is in a folder of the server; empty when it is absent. */
  list(path: string, signal: AbortSignal): Promise<string>;
  /** Where the file system is mounted that a folder is on. Throws Fault `invalid` (`PathNotFound`) when it is absent. */
  mountPoint(path: string, signal: AbortSignal): Promise<string>;
}

export const glusterOn = (link: ServerLink): Gluster => {
  const server = link.endpoint.name;
  const ask: Gluster['ask'] = async (words, signal) => {
    const argv = ['gluster', '--mode=script', '--xml', `--timeout=${CLI_TIMEOUT_S}`, ...words];
    const { stdout, stderr, code } = await link.run(argv, { timeoutMs: RUN_TIMEOUT_MS }, signal);
    // Errors of the command itself and of a daemon that is down come as plain text, on either stream.
    if (!stdout.trimStart().startsWith('<')) throw noAnswer(server, code, stdout.trim() || stderr);
    return parseAnswer(stdout);
  };
  return {
    server,
    ask,
    tell: async (words, signal) => {
      const answer = await ask(words, signal);
      if (!answer.ok) throw refusal(server, answer.error);
      return answer;
    },
    list: async (path, signal) => {
      const { stdout, stderr, code } = await link.run(['ls', '-A', '--', path], {}, signal);
      if (code === 0) return stdout.trim();
      if (/no such file or directory/i.test(stderr)) return '';
      throw refusal(server, stderr);
    },
    mountPoint: async (path, signal) => {
      const { stdout, stderr, code } = await link.run(['stat', '-c', '%m', '--', path], {}, signal);
      if (code !== 0) throw refusal(server, stderr);
      return stdout.trim();
    },
  };
};
