/** First in, first out, amortised O(1). A Map or `Array.shift` turn quadratic at the sizes an initial list brings. */
export interface Fifo<T> {
  push(item: T): void;
  shift(): T | undefined;
  peek(): T | undefined;
  size(): number;
}

const compactFrom = 64;

/** An array read from a moving head; the read part is cut off once it is the larger half. */
export const createFifo = <T>(): Fifo<T> => {
  let items: (T | undefined)[] = [];
  let head = 0;
  return {
    push: (item) => {
      items.push(item);
    },
    shift: () => {
      if (head === items.length) {
        return undefined;
      }
      const item = items[head];
      items[head] = undefined;
      head += 1;
      if (head >= compactFrom && head * 2 >= items.length) {
        items = items.slice(head);
        head = 0;
      }
      return item;
    },
    peek: () => items[head],
    size: () => items.length - head,
  };
};
