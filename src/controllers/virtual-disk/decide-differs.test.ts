/** A copy that is not what its source is: a person is told, then it goes; the source stays. */
import { describe, expect, it } from 'vitest';
import type { JobState } from '../../runtime/jobs.ts';
import { decide } from './decide.ts';
import { copyDiffers } from './move-job.ts';
import { moving, movingDisk } from './sample-move.ts';
import { presentOn, sampleWorld } from './sample-world.ts';

const failed: JobState<void> = { kind: 'failed', fault: copyDiffers({ from: 'local', to: 'far' }), atMs: 1 };
const both = {
  ...presentOn(),
  copy: { kind: 'present', complete: true, marked: true, sizeBytes: 1 },
} as const;

describe.each(['Copying', 'Removing'] as const)('a copy that differs, in phase %s', (phase) => {
  const move = moving(phase, { compared: 'differs' });

  it('is told before it is given up', () => {
    const { plan } = decide(sampleWorld(movingDisk, { move, job: failed }), both);
    expect(plan).toEqual({ kind: 'step', step: { kind: 'failCopy' } });
  });

  it('is given up once that was told', () => {
    const { plan } = decide(sampleWorld(movingDisk, { move }), both);
    expect(plan).toEqual({ kind: 'step', step: { kind: 'markMove', phase: 'Dropping' } });
  });
});

it('is made again in a while', () => {
  expect(failed.fault).toMatchObject({ reason: 'CopyDiffers', kind: 'unreachable', retryAfterMs: 15_000 });
});
