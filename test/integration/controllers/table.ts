/** The part of a store that controllers read, filled by a test's hand. */
type Indexers<T> = Readonly<Record<string, (object: T) => readonly string[]>>;

interface Kept {
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

export const createTable = <T extends Kept>(indexers: Indexers<T>) => {
  const rows = new Map<string, T>();
  const listeners = new Set<(change: { key: string; old: T | undefined; new: T | undefined }) => void>();
  const keyOf = ({ metadata: { name, namespace } }: T): string =>
    namespace === undefined ? name : `${namespace}/${name}`;
  return {
    get: (at: string) => rows.get(at),
    list: () => [...rows.values()],
    byIndex: (index: string, value: string) =>
      [...rows.values()].filter((row) => indexers[index]?.(row).includes(value) === true),
    subscribe: (listener: Parameters<typeof listeners.add>[0]) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    put: (row: T): void => {
      const old = rows.get(keyOf(row));
      rows.set(keyOf(row), row);
      for (const listener of listeners) listener({ key: keyOf(row), old, new: row });
    },
    remove: (at: string): void => {
      const old = rows.get(at);
      rows.delete(at);
      for (const listener of listeners) listener({ key: at, old, new: undefined });
    },
  };
};
