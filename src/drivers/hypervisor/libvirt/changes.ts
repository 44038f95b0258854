/** The queue behind `changes`: every hint once, however often it was given before anybody read it. */
import type { Change } from '../contract.ts';

export interface ChangeFeed {
  push(change: Change): void;
  read(signal: AbortSignal): AsyncIterable<Change>;
  close(): void;
}

const keyOf = (change: Change): string => {
  switch (change.kind) {
    case 'vm':
      return `vm/${change.uuid}`;
    case 'host':
    case 'storage':
    case 'network':
    case 'resync':
      return `${change.kind}/${change.host}`;
    default:
      return change satisfies never;
  }
};

/** Changes that nobody reads are kept, one per thing: what happened before the first reader came is not lost. */
export const createChangeFeed = (): ChangeFeed => {
  const waiting = new Map<string, Change>();
  let wake = Promise.withResolvers<void>();
  const ending = new AbortController();
  const rouse = (): void => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  const read = async function* (signal: AbortSignal): AsyncGenerator<Change, void, void> {
    signal.addEventListener('abort', rouse);
    try {
      while (!ending.signal.aborted && !signal.aborted) {
        const [first] = waiting;
        if (first === undefined) await wake.promise;
        else {
          waiting.delete(first[0]);
          yield first[1];
        }
      }
    } finally {
      signal.removeEventListener('abort', rouse);
    }
  };
  return {
    push: (change) => {
      if (ending.signal.aborted) return;
      const key = keyOf(change);
      const before = waiting.get(key);
      const uid = change.kind === 'vm' && before?.kind === 'vm' ? (change.uid ?? before.uid) : undefined;
      waiting.set(key, uid === undefined ? change : ({ ...change, uid } as Change));
      rouse();
    },
    read,
    close: () => {
      ending.abort();
      rouse();
    },
  };
};
