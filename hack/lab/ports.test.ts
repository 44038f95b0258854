import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { freePorts } from './ports.ts';

/** Answers the given numbers and then random ones. */
const startingWith = (...numbers: readonly number[]): (() => number) => {
  const left = [...numbers];
  return () => left.shift() ?? Math.random();
};

it('gives nobody a port that it gave before, though its server is not there yet', async () => {
  const at = Math.random();
  const [first] = await freePorts(1, '127.0.0.1', startingWith(at));
  const again = await freePorts(2, '127.0.0.1', startingWith(at, at));
  expect(again).not.toContain(first);
  expect(new Set(again).size).toBe(2);
});

it('gives no port on which somebody listens', async () => {
  const [taken = 0] = await freePorts(1);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(taken, '127.0.0.1', resolve));
  try {
    expect(await freePorts(1, '127.0.0.1', startingWith((taken - 20_000) / 12_000))).not.toContain(taken);
  } finally {
    server.close();
  }
});
