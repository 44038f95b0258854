/** Laws of DiskServer (src/drivers/storage/contract.ts), by the ids of docs/driver-contract.md. */
import type { DiskLaw } from './disk-server-fixture.ts';
import { accessLaws } from './laws-disk-access.ts';
import { contentLaws } from './laws-disk-content.ts';
import { lifeLaws } from './laws-disk-life.ts';

export const diskServerLaws: readonly DiskLaw[] = [...lifeLaws, ...accessLaws, ...contentLaws].toSorted(
  (a, b) => a.id.localeCompare(b.id),
);
