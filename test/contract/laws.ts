import type { Law } from './fixture.ts';
import { deviceLaws } from './laws-devices.ts';
import { identityLaws } from './laws-identity.ts';
import { modelLaws } from './laws-model.ts';
import { networkLaws } from './laws-networks.ts';
import { placeLaws } from './laws-places.ts';
import { poolLaws } from './laws-pool.ts';
import { powerLaws } from './laws-power.ts';
import { readingLaws } from './laws-reading.ts';
import { secretLaws } from './laws-secrets.ts';
import { storageLaws } from './laws-storage.ts';

/** `modelRuns`: how many random sequences of steps are tried. */
export const allLaws = (modelRuns: number): readonly Law[] =>
  [
    ...powerLaws,
    ...identityLaws,
    ...poolLaws,
    ...deviceLaws,
    ...modelLaws(modelRuns),
    ...storageLaws,
    ...placeLaws,
    ...networkLaws,
    ...secretLaws,
    ...readingLaws,
  ].toSorted((a, b) => a.id.localeCompare(b.id));
