import { defineConfig } from 'vitest/config';
import { LongestFirst } from './hack/test/longest-first.ts';

/** Suites by cost: `unit` needs Node alone; the others need the servers that `hack/lab` starts. */
const suite = (name: string, options: object = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], environment: 'node', ...options },
});

/**
 * Limits only say when to give up, so they are far above what a busy machine takes. Three files at a time, of whatever
 * suite: they wait more than they work, and each starts servers of its own.
 */
const real = {
  testTimeout: 600_000,
  hookTimeout: 900_000,
  expect: { poll: { timeout: 120_000, interval: 100 } },
  maxWorkers: 3,
  sequence: { groupOrder: 1 },
};

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      suite('unit', { include: ['src/**/*.test.ts', 'hack/**/*.test.ts'], testTimeout: 60_000 }),
      suite('integration', real),
      suite('contract', real),
      suite('faults', real),
      suite('e2e', real),
    ],
  },
});
