/** A sample of the crash sweep on real libvirt: killed at these moments, the operator ends where it would have ended. */
import { describe, expect, it } from 'vitest';
import { type Lab, team } from '../harness/lab.ts';
import type { Thing } from '../harness/mirror.ts';
import { domainsOf, filesOf, quick } from './trouble.ts';

interface Moment {
  readonly when: string;
  /** True from this moment on. */
  readonly reached: (lab: Lab, name: string) => Promise<boolean> | boolean;
}

const machineOf = (lab: Lab, name: string): Thing | undefined => lab.mirror.get('machine', name, team);
const diskOf = (lab: Lab, name: string): Thing | undefined => lab.mirror.get('disk', `${name}.data`, team);

/** Deletion was asked for; on a quick machine it may be done before anybody could look. */
const wasDeleted = (thing: Thing | undefined): boolean =>
  thing === undefined || thing.metadata.deletionTimestamp !== undefined;

const whileMade: readonly Moment[] = [
  {
    when: 'the machine has its finalizer',
    reached: (lab, name) => machineOf(lab, name)?.metadata.finalizers !== undefined,
  },
  { when: 'its disk was asked for', reached: (lab, name) => diskOf(lab, name) !== undefined },
  {
    when: 'the volume is there',
    reached: async (lab, name) => (await filesOf(lab, diskOf(lab, name)?.metadata.uid ?? '-')).length > 0,
  },
  { when: 'the domain is defined', reached: async (lab, name) => (await domainsOf(lab, name)).length > 0 },
];

const whileDeleted: readonly Moment[] = [
  {
    when: 'its deletion was asked for',
    reached: (lab, name) => wasDeleted(machineOf(lab, name)),
  },
  { when: 'the domain is gone', reached: async (lab, name) => (await domainsOf(lab, name)).length === 0 },
  {
    when: 'its disk is being deleted',
    reached: (lab, name) => wasDeleted(diskOf(lab, name)),
  },
];

const named = (moments: readonly Moment[]) => moments.map((moment) => [moment.when, moment] as const);

/** The moment is waited for from before `act` on: kubectl returns later than what it asked for is done. */
const killAt = async (lab: Lab, name: string, moment: Moment, act: () => Promise<void>): Promise<void> => {
  const killed = (async () => {
    await lab.pulse.until(moment.when, async () => ((await moment.reached(lab, name)) ? true : undefined));
    await lab.killOperator();
  })();
  await Promise.all([act(), killed]);
  await lab.startOperator();
};

export const sweep = (lab: () => Lab): void => {
  describe('the operator killed with kill -9', () => {
    it.each(named(whileMade))('once %s: one machine, one domain, one volume', async (_, moment) => {
      const name = `made-${whileMade.indexOf(moment)}`;
      await killAt(lab(), name, moment, () => lab().apply(quick(name)));
      const placed = await lab().untilReady(name);
      expect(await placed.state()).toMatch(/^running/);
      expect(await domainsOf(lab(), name)).toEqual([placed.domain]);
      const disk = diskOf(lab(), name);
      const volumes = (await filesOf(lab(), disk?.metadata.uid ?? '-')).filter((it) => it.endsWith('.qcow2'));
      expect(volumes).toEqual([disk?.status.volume.name]);
    });

    it.each(named(whileDeleted))('once %s: nothing is left of it', async (_, moment) => {
      const name = `made-${whileDeleted.indexOf(moment)}`;
      const uid = diskOf(lab(), name)?.metadata.uid ?? '-';
      await killAt(lab(), name, moment, () => lab().remove('machine', name));
      await lab().untilGone('machine', name);
      await lab().untilGone('disk', `${name}.data`);
      expect(await domainsOf(lab(), name)).toEqual([]);
      expect(await filesOf(lab(), uid)).toEqual([]);
    });
  });
};
