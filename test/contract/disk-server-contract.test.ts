import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DiskServerFixture } from './disk-server-fixture.ts';
import { DISK_SERVERS } from './disk-servers.ts';
import { diskServerLaws } from './laws-disk-server.ts';

test('docs/driver-contract.md and the suite have the same laws of disk servers', () => {
  const document = readFileSync(new URL('../../docs/driver-contract.md', import.meta.url), 'utf8');
  const written = [...document.matchAll(/^\| (D-\d{2}) \|/gm)].map(([, id]) => id);
  const tested = diskServerLaws.map(({ id }) => id);
  expect(tested).toEqual(written);
  expect(new Set(tested).size).toBe(tested.length);
});

test('what is not supported is a law of disk servers', () => {
  const ids = new Set(diskServerLaws.map(({ id }) => id));
  for (const { name, notSupported } of DISK_SERVERS) {
    expect(
      Object.keys(notSupported).filter((id) => !ids.has(id)),
      name,
    ).toEqual([]);
  }
});

for (const driver of DISK_SERVERS) {
  const missing = process.env['CI'] === 'true' ? undefined : driver.missing?.();
  describe.skipIf(missing !== undefined)(
    missing === undefined ? driver.name : `${driver.name} (${missing})`,
    () => {
      let fixture: DiskServerFixture | undefined;
      const ready = (): DiskServerFixture => {
        if (fixture === undefined) throw new Error('the fixture did not start');
        return fixture;
      };
      beforeAll(async () => {
        fixture = await driver.start();
      });
      afterAll(() => fixture?.teardown());

      for (const { id, title, check } of diskServerLaws) {
        const reason = driver.notSupported[id];
        const name = `${id} ${title}`;
        if (reason !== undefined) {
          test(name, ({ skip }) => skip(`not with ${driver.name}: ${reason}`));
          continue;
        }
        const limit = driver.timeoutMs === undefined ? {} : { timeout: driver.timeoutMs };
        test(name, limit, async () => {
          const server = await ready().open();
          try {
            const { disks } = server;
            if (disks === undefined) throw new Error('the pool serves no disks');
            await check({ fixture: ready(), hands: ready().hands, server, disks });
          } finally {
            await server.close();
          }
        });
      }
    },
  );
}
