import { createFifo, type Fifo } from './fifo.ts';

/** What the ready set needs to know of an item; an item is dropped lazily once `isLive` denies it. */
export interface ReadyItem {
  readonly group: string;
  readonly priority: number;
}

/**
 * Items ready to run: the highest priority first, inside a priority the groups in turn, inside a group in order of
 * arrival. One take in `everyNth` goes to the priority served longest ago, so that a tenant who changes his spec a
 * hundred times a second cannot keep everyone's mapped events waiting.
 */
export interface ReadySet<T extends ReadyItem> {
  push(item: T): void;
  take(): T | undefined;
  clear(): void;
}

interface Level<T> {
  readonly priority: number;
  readonly groups: Map<string, Fifo<T>>;
  readonly turns: Fifo<string>;
  servedAt: number;
}

const firstLive = <T>(group: Fifo<T>, isLive: (item: T) => boolean): T | undefined => {
  for (let item = group.shift(); item !== undefined; item = group.shift()) {
    if (isLive(item)) {
      return item;
    }
  }
  return undefined;
};

/** `isLive(item)` is false for an item that was superseded after it was pushed. */
export const createReadySet = <T extends ReadyItem>(
  isLive: (item: T) => boolean,
  everyNth = 8,
): ReadySet<T> => {
  const levels: Level<T>[] = [];
  let takes = 0;

  const levelOf = (priority: number): Level<T> => {
    const found = levels.find((level) => level.priority === priority);
    if (found !== undefined) {
      return found;
    }
    const level: Level<T> = { priority, groups: new Map(), turns: createFifo(), servedAt: takes };
    levels.push(level);
    levels.sort((a, b) => b.priority - a.priority);
    return level;
  };

  const push = (item: T): void => {
    const level = levelOf(item.priority);
    const group = level.groups.get(item.group);
    if (group !== undefined) {
      group.push(item);
      return;
    }
    const fresh = createFifo<T>();
    fresh.push(item);
    level.groups.set(item.group, fresh);
    level.turns.push(item.group);
  };

  const takeFrom = (level: Level<T>): T | undefined => {
    for (let name = level.turns.shift(); name !== undefined; name = level.turns.shift()) {
      const group = level.groups.get(name);
      const item = group === undefined ? undefined : firstLive(group, isLive);
      if (group !== undefined && group.size() > 0) {
        level.turns.push(name);
      } else {
        level.groups.delete(name);
      }
      if (item !== undefined) {
        level.servedAt = takes;
        return item;
      }
    }
    return undefined;
  };

  const inOrder = (): readonly Level<T>[] =>
    takes % everyNth === 0 ? [...levels].sort((a, b) => a.servedAt - b.servedAt) : levels;

  const take = (): T | undefined => {
    takes += 1;
    for (const level of inOrder()) {
      const item = takeFrom(level);
      if (item !== undefined) {
        return item;
      }
      level.servedAt = takes;
    }
    return undefined;
  };

  return {
    push,
    take,
    clear: () => {
      levels.length = 0;
    },
  };
};
