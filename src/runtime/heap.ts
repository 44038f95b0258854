/** Binary min-heap. `compact` drops what `keep` refuses, for owners that delete lazily. */
export interface Heap<T> {
  push(item: T): void;
  pop(): T | undefined;
  peek(): T | undefined;
  size(): number;
  compact(keep: (item: T) => boolean): void;
}

/** `before(a, b)` says that `a` leaves first. */
export const createHeap = <T>(before: (a: T, b: T) => boolean): Heap<T> => {
  let items: T[] = [];

  const rise = (from: number, item: T): void => {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent];
      if (above === undefined || !before(item, above)) {
        break;
      }
      items[at] = above;
      at = parent;
    }
    items[at] = item;
  };

  const sink = (from: number, item: T): void => {
    let at = from;
    for (;;) {
      const left = items[2 * at + 1];
      const right = items[2 * at + 2];
      const useRight = left !== undefined && right !== undefined && before(right, left);
      const child = useRight ? right : left;
      if (child === undefined || !before(child, item)) {
        break;
      }
      items[at] = child;
      at = useRight ? 2 * at + 2 : 2 * at + 1;
    }
    items[at] = item;
  };

  const pop = (): T | undefined => {
    const first = items[0];
    const last = items.pop();
    if (last !== undefined && items.length > 0) {
      sink(0, last);
    }
    return first;
  };

  return {
    push: (item) => {
      items.push(item);
      rise(items.length - 1, item);
    },
    pop,
    peek: () => items[0],
    size: () => items.length,
    compact: (keep) => {
      const kept = items.filter(keep);
      items = [];
      for (const item of kept) {
        items.push(item);
        rise(items.length - 1, item);
      }
    },
  };
};
