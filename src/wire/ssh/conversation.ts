/**
 * Programs that answer one request after another: what costs most of a small request, the start of its program, is
 * paid once. A request and its answer are bytes after their length in decimal and a newline; blanks before the length
 * of an answer say that the program is at work. A program that nobody asked for a while is let go of.
 */
import { raceAbort } from '../signals.ts';
import { createSlots } from '../slots.ts';
import { SshError } from './errors.ts';
import type { Exit, Program } from './program.ts';
import { createReader, type Reader } from './reader.ts';
import type { RunOptions, SshRunner } from './runner.ts';

/** `ended`: the program was over before it answered. */
export type Said =
  | { readonly kind: 'answer'; readonly text: string }
  | { readonly kind: 'ended'; readonly exit: Exit; readonly stderr: string };

export type Question = {
  readonly argv: readonly string[];
  /** What standard input begins with when a program is started for it; those with one argv and head are shared. */
  readonly head: string;
  readonly request: string;
};

type Limits = Pick<RunOptions, 'timeoutMs' | 'maxOutputBytes'>;

export type Conversations = {
  /**
   * An ask that is late or fails takes its program with it, which may still finish what it was at. One that is given
   * up leaves it to its answer, so that whoever asks again finds it started. Throws SshError or the signal's reason.
   */
  ask(question: Question, options: Limits, signal: AbortSignal): Promise<Said>;
  /** Lets go of those that nobody is asking, now and from now on. */
  close(): void;
};

const DEFAULT_TIMEOUT_MS = 60_000;
const DEFAULT_OUTPUT_BYTES = 4 * 1024 * 1024;
/** Each holds one of the connection's eight channels; the rest is left to transfers. */
const AT_ONCE = 6;
/** What of them is kept for longer than a burst of requests lasts. */
const KEPT = 2;
/** Well below what a program waits for its next request, so that none is ever sent to one that is leaving. */
const KEPT_MS = 20_000;
const BURST_MS = 500;
/** What nobody waits for holds a place no longer than this: it may be a copy of hours. */
const GIVEN_UP_MS = 60_000;
/** Beyond this setTimeout fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** Length and signs of life: a blank now and then for a day. */
const LENGTH_BYTES = 1024 * 1024;

/** Standard input that is written now and then. */
const createInput = () => {
  const waiting: Buffer[] = [];
  let [closed, wake] = [false, (): void => {}];
  const bytes = async function* (): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      const piece = waiting.shift();
      if (piece !== undefined) yield piece;
      else if (closed) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  const write = (text: string): void => {
    waiting.push(Buffer.from(text));
    wake();
  };
  const end = (): void => {
    closed = true;
    wake();
  };
  return { bytes: bytes(), write, end };
};

type Kept = {
  readonly question: Pick<Question, 'argv' | 'head'>;
  readonly program: Program;
  readonly input: ReturnType<typeof createInput>;
  readonly output: Reader;
  /** Its end is the program's. */
  readonly life: AbortController;
  over: boolean;
};

const isOf = ({ question }: Kept, { argv, head }: Question): boolean =>
  question.head === head &&
  question.argv.length === argv.length &&
  question.argv.every((word, at) => word === argv[at]);

const start = async (
  runner: Pick<SshRunner, 'start'>,
  question: Question,
  life: AbortController,
): Promise<Kept> => {
  const input = createInput();
  input.write(question.head);
  const limits = { timeoutMs: Number.POSITIVE_INFINITY, stdin: input.bytes };
  const program = await runner.start(question.argv, limits, life.signal);
  const output = createReader(program.stdout);
  const { argv, head } = question;
  const kept: Kept = { question: { argv, head }, program, input, output, life, over: false };
  const note = (): void => {
    kept.over = true;
  };
  program.ended.then(note, note);
  return kept;
};

/** Those that nobody is asking now, the one that was asked last at the end. */
const createShelf = () => {
  const idle: { readonly kept: Kept; readonly timer: NodeJS.Timeout }[] = [];
  const drop = (index: number): Kept | undefined => {
    const [found] = idle.splice(index, 1);
    clearTimeout(found?.timer);
    return found?.kept;
  };
  return {
    take: (question: Question): Kept | undefined => {
      for (let at = idle.length - 1; at >= 0; at -= 1) {
        const kept = idle[at]?.kept;
        if (kept?.over === true) drop(at);
        else if (kept !== undefined && isOf(kept, question)) return drop(at);
      }
      return undefined;
    },
    /** Lets go of the one that waited longest while there are more. */
    shrink: (most: number): void => {
      while (idle.length > Math.max(0, most)) drop(0)?.input.end();
    },
    put: (kept: Kept): void => {
      kept.output.ahead();
      const leave = (): void => drop(idle.findIndex((it) => it.kept === kept))?.input.end();
      const timer = setTimeout(leave, idle.length < KEPT ? KEPT_MS : BURST_MS);
      idle.push({ kept, timer: timer.unref() });
    },
  };
};

const talk = async (kept: Kept, { argv, request }: Question, room: number): Promise<Said> => {
  const what = argv[0] ?? '';
  kept.input.write(`${Buffer.byteLength(request)}\n${request}`);
  const head = await kept.output.line(LENGTH_BYTES);
  const words = head?.toString('latin1').trim() ?? '';
  if (head !== undefined && !/^[0-9]{1,15}$/.test(words))
    throw new SshError('protocol', `${what}: an answer that does not begin with its length`);
  if (Number(words) > room) throw new SshError('overflow', `${what}: more than ${room} bytes of output`);
  const answer = head && (await kept.output.take(Number(words)));
  if (answer !== undefined) return { kind: 'answer', text: answer.toString('utf8') };
  return { kind: 'ended', exit: await kept.program.ended, stderr: kept.program.stderr() };
};

/** Ends a program that has not answered by then; the last time that was set counts. */
const createLimit = ({ argv }: Question, life: AbortController) => {
  let timer: NodeJS.Timeout | undefined;
  return {
    set: (limitMs: number): void => {
      clearTimeout(timer);
      const late = new SshError('timeout', `${argv[0]}: not finished within ${limitMs} ms`);
      if (limitMs <= LONGEST_TIMER_MS) timer = setTimeout(() => life.abort(late), limitMs);
    },
    clear: (): void => clearTimeout(timer),
  };
};

/** Nobody hears it. */
const unwanted: Said = { kind: 'ended', exit: { code: -1, signal: undefined }, stderr: '' };

export const createConversations = (runner: Pick<SshRunner, 'start'>): Conversations => {
  const shelf = createShelf();
  const slots = createSlots(AT_ONCE);
  let [asked, closed] = [0, false];

  const converse = async (question: Question, options: Limits, signal: AbortSignal): Promise<Said> => {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, maxOutputBytes = DEFAULT_OUTPUT_BYTES } = options;
    const found = shelf.take(question);
    if (found === undefined) shelf.shrink(AT_ONCE - asked);
    const life = found?.life ?? new AbortController();
    const limit = createLimit(question, life);
    const giveUp = (): void => limit.set(Math.min(timeoutMs, GIVEN_UP_MS));
    try {
      const kept = found ?? (await start(runner, question, life));
      // A request that nobody wants any more is not sent; one that was sent is answered, to nobody.
      if (signal.aborted) {
        shelf.put(kept);
        return unwanted;
      }
      limit.set(timeoutMs);
      signal.addEventListener('abort', giveUp, { once: true });
      const said = await talk(kept, question, maxOutputBytes);
      if (said.kind === 'answer' && !kept.over) shelf.put(kept);
      return said;
    } catch (error) {
      life.abort(error);
      // What failed may be the connection, which the others are on too.
      shelf.shrink(0);
      throw error;
    } finally {
      limit.clear();
      signal.removeEventListener('abort', giveUp);
      if (closed) shelf.shrink(0);
    }
  };

  return {
    ask: async (question, options, signal) => {
      const release = await slots.acquire(signal);
      asked += 1;
      const answer = converse(question, options, signal).finally(() => {
        asked -= 1;
        release();
      });
      return raceAbort(answer, signal);
    },
    close: () => {
      closed = true;
      shelf.shrink(0);
    },
  };
};
