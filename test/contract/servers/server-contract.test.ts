import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SERVER_DRIVERS } from './drivers.ts';
import type { ServerFixture } from './fixture.ts';
import { serverLaws } from './laws.ts';

test('docs/driver-contract.md and the suite have the same laws of storage servers', () => {
  const document = readFileSync(new URL('../../../docs/driver-contract.md', import.meta.url), 'utf8');
  const written = [...document.matchAll(/^\| (T-\d{2}) \|/gm)].map(([, id]) => id);
  expect(serverLaws.map(({ id }) => id)).toEqual(written);
});

test('what is not supported is a law', () => {
  const ids = new Set(serverLaws.map(({ id }) => id));
  for (const { name, notSupported } of SERVER_DRIVERS) {
    expect(
      Object.keys(notSupported).filter((id) => !ids.has(id)),
      name,
    ).toEqual([]);
  }
});

for (const driver of SERVER_DRIVERS) {
  const missing = process.env['CI'] === 'true' ? undefined : driver.missing?.();
  describe.skipIf(missing !== undefined)(
    missing === undefined ? driver.name : `${driver.name} (${missing})`,
    () => {
      let fixture: ServerFixture | undefined;
      beforeAll(async () => {
        fixture = await driver.start();
      });
      afterAll(() => fixture?.teardown());

      for (const { id, title, check } of serverLaws) {
        const reason = driver.notSupported[id];
        test(`${id} ${title}`, async ({ skip }) => {
          if (reason !== undefined) skip(`not with ${driver.name}: ${reason}`);
          if (fixture === undefined) throw new Error('the fixture did not start');
          await check(fixture);
        });
      }
    },
  );
}
