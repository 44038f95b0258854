/** What the demo prints: headings, timed steps, plain lines; and what it asks. */
import { createInterface } from 'node:readline/promises';

export interface Step {
  readonly title: string;
  readonly outcome: 'seen' | 'failed';
  readonly tookMs: number;
}

export interface Voice {
  heading(text: string): void;
  /** A line below the present step, with the seconds since the demo began. */
  readonly say: (line: string) => void;
  /** Lines exactly as they are: output of another program, a file. */
  show(text: string): void;
  /** Plain text, made to be copied from. */
  tell(text: string): void;
  /** Runs a step and says how long it took. A step that is quiet for long is said to go on. */
  step<T>(title: string, body: () => Promise<T>): Promise<T>;
  /** Asks for a yes; `true` without asking where nobody can answer or YES=1 is given. */
  agrees(question: string, signal: AbortSignal): Promise<boolean>;
  /** All steps so far, in order. */
  readonly steps: readonly Step[];
}

export interface VoiceOptions {
  readonly write: (text: string) => void;
  readonly nowMs: () => number;
  readonly colours: boolean;
  /** Somebody sits at a terminal and has not said YES=1. */
  readonly mayAsk: boolean;
}

const quietMs = 20_000;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

export const createVoice = ({ write, nowMs, colours, mayAsk }: VoiceOptions): Voice => {
  const startedMs = nowMs();
  const steps: Step[] = [];
  let lastLineMs = startedMs;
  const paint = (code: number, text: string): string => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
  const line = (text: string): void => {
    lastLineMs = nowMs();
    write(`${text}\n`);
  };
  const stamp = (): string => paint(2, `${((nowMs() - startedMs) / 1000).toFixed(1).padStart(7)} s`);

  const finish = (title: string, outcome: Step['outcome'], beganMs: number): void => {
    const tookMs = nowMs() - beganMs;
    steps.push({ title, outcome, tookMs });
    const word = outcome === 'seen' ? paint(32, 'seen  ') : paint(31, 'FAILED');
    line(`${stamp()}  ${word} ${title} (${seconds(tookMs)})`);
  };

  return {
    steps,
    heading: (text) => line(`\n${paint(1, `== ${text}`)}`),
    say: (text) => line(`${stamp()}  ${text}`),
    show: (text) => {
      for (const each of text.trimEnd().split('\n')) line(paint(36, `           | ${each}`));
    },
    tell: line,
    step: async (title, body) => {
      const beganMs = nowMs();
      const timer = setInterval(() => {
        if (nowMs() - lastLineMs < quietMs) return;
        line(`${stamp()}  ... ${title}: still at it, ${Math.round((nowMs() - beganMs) / 1000)} s`);
      }, 5_000);
      try {
        const result = await body();
        finish(title, 'seen', beganMs);
        return result;
      } catch (error) {
        finish(title, 'failed', beganMs);
        throw error;
      } finally {
        clearInterval(timer);
      }
    },
    agrees: async (question, signal) => {
      if (!mayAsk) return true;
      const terminal = createInterface({ input: process.stdin, output: process.stdout });
      try {
        const answer = await terminal.question(`${question} [Y/n] `, { signal });
        return /^(y(es)?)?$/i.test(answer.trim());
      } finally {
        terminal.close();
      }
    },
  };
};
