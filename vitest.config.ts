import { defineConfig } from 'vitest/config';

/** Suites by cost: `unit` needs Node alone; the others need the servers that `hack/lab` starts. */
const suite = (name: string, include: string[], options: object = {}) => ({
  test: { name, include, environment: 'node', ...options },
});
const real = { testTimeout: 120_000, hookTimeout: 900_000, fileParallelism: false };

export default defineConfig({
  test: {
    projects: [
      suite('unit', ['src/**/*.test.ts', 'hack/**/*.test.ts']),
      suite('integration', ['test/integration/**/*.test.ts'], real),
      suite('contract', ['test/contract/**/*.test.ts'], real),
      suite('faults', ['test/faults/**/*.test.ts'], real),
      suite('e2e', ['test/e2e/**/*.test.ts'], real),
    ],
  },
});
