/** One request to the program that runs on an iSCSI server: how it gets there, and how its answer is read. */
import { z } from 'zod';
import { Fault, type FaultKind } from '../../../runtime/fault.ts';
import { safeText } from '../../../runtime/text.ts';
import type { ProgramOptions } from '../../../wire/ssh/runner.ts';
import type { ServerLink } from '../server-link.ts';
import { coreProgram } from './program/core.ts';
import { disksProgram } from './program/disks.ts';
import { filesProgram } from './program/files.ts';
import { looksProgram } from './program/looks.ts';
import { lvmProgram } from './program/lvm.ts';

/**
 * The whole command line, the same for every request: standard input brings the program (after its length), then
 * what it is asked. So `ps` shows nothing of a request, and sudoers can name the command.
 */
const BOOT =
  "import sys;b=sys.stdin.buffer;exec(compile(b.read(int(b.readline())),'ovcp','exec'),{'__name__':'ovcp'})";
export const AGENT_ARGV: readonly string[] = ['python3', '-I', '-c', BOOT];

/** What is asked: `op` is one of program/disks.ts; the rest is what it reads. */
export interface AgentRequest {
  readonly op: string;
  readonly [key: string]: unknown;
}

/** `software` is the part of the program that knows the target software (program/disks.ts says what it defines). */
export const composeProgram = (software: string): string =>
  [coreProgram, filesProgram, lvmProgram, software, disksProgram, looksProgram].join('\n');

const withLength = (text: string): string => `${Buffer.byteLength(text)}\n${text}`;

/** The start of standard input of a program for one request; frames of content may follow it. */
export const requestBytes = (program: string, request: AgentRequest): Buffer =>
  Buffer.from(withLength(`${program}\nmain(OPERATIONS)\n`) + withLength(JSON.stringify(request)));

/** The start of standard input of a program that is kept for more requests (wire/ssh/conversation.ts). */
const keptHead = (program: string): string => withLength(`${program}\nserve(OPERATIONS)\n`);

const kinds = [
  'unreachable',
  'busy',
  'conflict',
  'invalid',
  'denied',
  'unsupported',
  'bug',
] as const satisfies readonly FaultKind[];

const answerSchema = z.union([
  z.object({
    fault: z.object({ kind: z.enum(kinds), message: z.string(), reason: z.string().nullable() }),
  }),
  z.object({ value: z.unknown() }),
]);

/** The value of an answer, or its Fault. */
export const valueOf = (text: string, where: string): unknown => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = undefined;
  }
  const answer = answerSchema.safeParse(parsed);
  if (!answer.success) {
    throw new Fault('bug', `Server ${where} gave an answer that cannot be read.`, {
      reason: 'MalformedAnswer',
      where,
    });
  }
  if (!('fault' in answer.data)) return answer.data.value;
  const { kind, message, reason } = answer.data.fault;
  const sentence = `On server ${where}: ${safeText(message, 400)}.`;
  throw new Fault(kind, sentence, { where, ...(reason === null ? {} : { reason }) });
};

/** Why there is no answer at all. */
export const faultOfExit = (code: number, stderr: string, where: string): Fault => {
  if (code === 127 || /(python3: (not found|command not found)|No such file)/.test(stderr)) {
    const text = `Python 3 is not installed on server ${where}: install the package python3 there.`;
    return new Fault('unsupported', text, { reason: 'StorageNotReady', where });
  }
  if (/^(sudo: |sorry, user )/im.test(stderr)) {
    const text = `The account of server ${where} may not run Python by sudo: ${safeText(stderr, 200)}`;
    return new Fault('denied', text, { reason: 'SudoRefused', where });
  }
  // Standard error is Python's own and may quote the program, never the request; it is not for a message all the same.
  return new Fault('bug', `The program on server ${where} ended with ${code} and no answer.`, { where });
};

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Asks and waits for the answer. Throws Fault only. */
export const ask = async (
  link: ServerLink,
  program: string,
  request: AgentRequest,
  { timeoutMs }: { readonly timeoutMs?: number },
  signal: AbortSignal,
): Promise<unknown> => {
  const where = link.endpoint.name;
  const question = { argv: AGENT_ARGV, head: keptHead(program), request: JSON.stringify(request) };
  const limits = { maxOutputBytes: MAX_ANSWER_BYTES, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
  const said = await link.ask(question, limits, signal);
  if (said.kind === 'ended') throw faultOfExit(said.exit.code, said.stderr, where);
  return valueOf(said.text, where);
};

/** The same by a program of its own, with content after the request. Throws Fault only. */
export const send = async (
  link: ServerLink,
  program: string,
  request: AgentRequest,
  content: AsyncIterable<Uint8Array>,
  limits: Omit<ProgramOptions, 'stdin'>,
  signal: AbortSignal,
): Promise<unknown> => {
  const where = link.endpoint.name;
  const stdin = prefixed(requestBytes(program, request), content);
  const { code, stdout, stderr } = await link.run(AGENT_ARGV, { ...limits, stdin }, signal);
  if (code !== 0 || stdout === '') throw faultOfExit(code, stderr, where);
  return valueOf(stdout, where);
};

async function* prefixed(head: Uint8Array, more: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield head;
  yield* more;
}
