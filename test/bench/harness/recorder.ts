/** Notes the writes of this process as undici tells of them on its diagnostics channels. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Recorded, Write } from './operator-protocol.ts';

export interface Recorder {
  begin(): void;
  end(): Recorded;
}

interface UndiciRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly string[] | string;
  readonly body: unknown;
}

const contentTypeOf = (headers: readonly string[] | string): string => {
  const lines = typeof headers === 'string' ? headers.split(/\r?\n|: /) : headers;
  const at = lines.findIndex((line) => line.toLowerCase() === 'content-type');
  return lines[at + 1] ?? 'application/json';
};

/** Bodies of ours are whole, never streams. */
const writeOf = ({ method, path, headers, body }: UndiciRequest): Write => ({
  atMs: Date.now(),
  method,
  path,
  contentType: contentTypeOf(headers),
  body: body instanceof Uint8Array ? Buffer.from(body).toString('utf8') : '',
});

export const createRecorder = (): Recorder => {
  let writes: Write[] = [];
  let peak = 0;
  const underWay = new Set<object>();

  const onCreate = (message: unknown): void => {
    const { request } = message as { readonly request: UndiciRequest };
    if (request.method === 'GET') return;
    underWay.add(request);
    peak = Math.max(peak, underWay.size);
    writes.push(writeOf(request));
  };
  const onEnd = (message: unknown): void => {
    underWay.delete((message as { readonly request: object }).request);
  };
  const channels = [
    ['undici:request:create', onCreate],
    ['undici:request:trailers', onEnd],
    ['undici:request:error', onEnd],
  ] as const;

  return {
    begin: () => {
      writes = [];
      peak = 0;
      for (const [name, listener] of channels) subscribe(name, listener);
    },
    end: () => {
      for (const [name, listener] of channels) unsubscribe(name, listener);
      underWay.clear();
      return { writes, peak };
    },
  };
};
