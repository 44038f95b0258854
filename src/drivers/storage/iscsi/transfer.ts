/** Disk content on its way to and from a server: frames of data and holes, and a checksum over all of it at the end. */
import { createHash, type Hash } from 'node:crypto';
import { Fault } from '../../../runtime/fault.ts';
import { createReader, type Reader } from '../../../wire/ssh/reader.ts';
import type { Chunk } from '../../hypervisor/host-storage.ts';
import type { ServedFill } from '../contract.ts';
import type { ServerLink } from '../server-link.ts';
import { AGENT_ARGV, type AgentRequest, faultOfExit, requestBytes, valueOf } from './agent.ts';

/** Larger chunks are cut: a frame is held whole in memory on both sides. */
const FRAME_BYTES = 1024 * 1024;
/** Nothing moved on the server's side for this long. */
export const TRANSFER_IDLE_MS = 120_000;

/** A source may be slow; the server takes a connection for dead that says nothing for longer (program/core.ts). */
const BREATH_MS = 30_000;

type FrameKind = 'D' | 'H' | 'E' | 'A' | 'R' | 'N';

const headOf = (kind: FrameKind, length: number): Buffer => {
  const head = Buffer.alloc(9);
  head.write(kind, 0, 'latin1');
  head.writeBigUInt64BE(BigInt(length), 1);
  return head;
};

function* framesOf(chunk: Chunk, digest: Hash): Generator<Uint8Array> {
  if (!(chunk instanceof Uint8Array)) {
    const head = headOf('H', chunk.hole);
    digest.update(head);
    yield head;
    return;
  }
  for (let at = 0; at < chunk.length; at += FRAME_BYTES) {
    const part = chunk.subarray(at, at + FRAME_BYTES);
    const head = headOf('D', part.length);
    digest.update(head).update(part);
    yield head;
    yield part;
  }
}

const lengthOf = (chunk: Chunk): number => (chunk instanceof Uint8Array ? chunk.length : chunk.hole);

/** The value of `work`, with an empty frame now and then while it is waited for. */
async function* breathing<T>(work: Promise<T>): AsyncGenerator<Uint8Array, T> {
  for (;;) {
    const silence = Promise.withResolvers<undefined>();
    const timer = setTimeout(silence.resolve, BREATH_MS, undefined);
    try {
      const ended = await Promise.race([work.then((value) => ({ value })), silence.promise]);
      if (ended !== undefined) return ended.value;
    } finally {
      clearTimeout(timer);
    }
    yield headOf('N', 0);
  }
}

async function* framesOfAll(
  { chunks, sizeBytes, finished }: ServedFill,
  progress: (percent: number) => void,
  digest: Hash,
): AsyncGenerator<Uint8Array> {
  let [sent, told] = [0, -1];
  const source = chunks[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = yield* breathing(source.next());
      if (next.done === true) break;
      yield* framesOf(next.value, digest);
      sent += lengthOf(next.value);
      // 100 is for when it is proved.
      const percent = Math.min(99, Math.floor((sent / Math.max(1, sizeBytes)) * 100));
      if (percent > told) progress((told = percent));
    }
    yield* breathing(finished);
  } finally {
    await source.return?.();
  }
}

/** The frames of a fill. When its source fails the server is told to give up, and `failed` hears why. */
export async function* fillFrames(
  fill: ServedFill,
  progress: (percent: number) => void,
  failed: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  const digest = createHash('sha256');
  try {
    yield* framesOfAll(fill, progress, digest);
  } catch (error) {
    failed(error);
    yield headOf('A', 0);
    return;
  }
  const end = digest.digest();
  yield Buffer.concat([headOf('E', end.length), end]);
}

interface Frame {
  readonly kind: string;
  readonly head: Buffer;
  readonly length: number;
  readonly body: Buffer;
}

/** Undefined when the stream ends before a whole frame; a hole has a length and no body. */
const nextFrame = async (reader: Reader): Promise<Frame | undefined> => {
  const head = await reader.take(9);
  if (head === undefined) return undefined;
  const kind = head.toString('latin1', 0, 1);
  const length = Number(head.readBigUInt64BE(1));
  const limit = kind === 'D' ? 16 * FRAME_BYTES : 65_536;
  if (kind !== 'H' && length > limit) return undefined;
  const body = kind === 'H' ? Buffer.alloc(0) : await reader.take(length);
  return body === undefined ? undefined : { kind, head, length, body };
};

const damaged = (where: string): Fault =>
  new Fault('unreachable', `The content from server ${where} was damaged on its way.`, {
    reason: 'RequestFailed',
    where,
  });

/** The content of a disk as the server's program sends it. Throws Fault only, also when the end is missing. */
export async function* readDisk(
  link: ServerLink,
  program: string,
  request: AgentRequest,
  signal: AbortSignal,
): AsyncGenerator<Chunk> {
  const where = link.endpoint.name;
  const limits = { timeoutMs: Number.POSITIVE_INFINITY, idleMs: TRANSFER_IDLE_MS };
  const running = await link.start(AGENT_ARGV, { ...limits, stdin: requestBytes(program, request) }, signal);
  const reader = createReader(running.stdout);
  const digest = createHash('sha256');
  try {
    for (;;) {
      const frame = await nextFrame(reader);
      if (frame === undefined) {
        const { code } = await running.ended;
        throw faultOfExit(code, running.stderr(), where);
      }
      if (frame.kind === 'R') valueOf(frame.body.toString('utf8'), where);
      if (frame.kind === 'E') {
        if (!frame.body.equals(digest.digest())) throw damaged(where);
        // Its locks are free once it is over, and the next step needs them.
        await reader.take(1);
        return;
      }
      digest.update(frame.head).update(frame.body);
      if (frame.kind === 'H') yield { hole: frame.length };
      else if (frame.kind === 'D') yield new Uint8Array(frame.body);
      else throw damaged(where);
    }
  } finally {
    await reader.leave();
  }
}
