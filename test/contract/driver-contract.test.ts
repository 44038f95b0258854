import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DRIVERS } from './drivers.ts';
import type { DriverFixture } from './fixture.ts';
import { allLaws } from './laws.ts';

/** A sequence costs microseconds in memory and seconds on a real host. */
const modelRuns = (driver: string): number => (driver === 'simulated' ? 300 : 10);

test('docs/driver-contract.md and the suite have the same laws', () => {
  const document = readFileSync(new URL('../../docs/driver-contract.md', import.meta.url), 'utf8');
  const written = [...document.matchAll(/^\| ([GHKLNS]-\d{2}) \|/gm)].map(([, id]) => id);
  const tested = allLaws(0).map(({ id }) => id);
  expect(tested).toEqual(written.toSorted((a = '', b = '') => a.localeCompare(b)));
  expect(new Set(tested).size).toBe(tested.length);
});

test('what is not supported is a law', () => {
  const ids = new Set(allLaws(0).map(({ id }) => id));
  for (const { name, notSupported } of DRIVERS) {
    expect(
      Object.keys(notSupported).filter((id) => !ids.has(id)),
      name,
    ).toEqual([]);
  }
});

for (const driver of DRIVERS) {
  const missing = process.env['CI'] === 'true' ? undefined : driver.missing?.();
  describe.skipIf(missing !== undefined)(
    missing === undefined ? driver.name : `${driver.name} (${missing})`,
    () => {
      let fixture: DriverFixture | undefined;
      const ready = (): DriverFixture => {
        if (fixture === undefined) throw new Error('the fixture did not start');
        return fixture;
      };
      beforeAll(async () => {
        fixture = await driver.start();
      });
      afterAll(() => fixture?.teardown());

      for (const { id, title, check } of allLaws(modelRuns(driver.name))) {
        const reason = driver.notSupported[id];
        const name = `${id} ${title}`;
        if (reason === undefined) {
          test(name, async () => {
            const pool = await ready().open();
            try {
              await check(ready(), pool);
            } finally {
              await pool.close();
            }
          });
        } else {
          test(name, ({ skip }) => skip(`not with ${driver.name}: ${reason}`));
        }
      }
    },
  );
}
