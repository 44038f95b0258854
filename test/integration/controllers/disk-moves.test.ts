/**
 * A disk on its way to another pool, with an operator that dies at each of its effects, a status that is lost and a
 * spec that is changed at any moment: what was written on the disk is somewhere whole at every moment, and in one
 * place at the end.
 */
import { array, assert, asyncProperty, constantFrom, integer, option, record } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MOVE_ANNOTATION, POOL_ANNOTATION } from '../../../src/api/identity.ts';
import { createMovesLab, type Death, diskUid } from './disk-moves-lab.ts';

const pools = ['local', 'share', 'san'] as const;
const ways = pools.flatMap((from) => pools.filter((to) => to !== from).map((to) => [from, to] as const));

type Lab = Awaited<ReturnType<typeof createMovesLab>>;

const isWhole = (lab: Lab): void => {
  expect(lab.copies().whole, lab.trail().join(', ')).toBeGreaterThan(0);
};

const isAt = (lab: Lab, pool: string): void => {
  const disk = lab.disk();
  expect(lab.copies(), lab.trail().join(', ')).toEqual({ whole: 1, all: 1 });
  expect(disk?.status?.volume?.pool).toBe(`p-${pool}`);
  expect(disk?.status?.move).toBeUndefined();
  expect(disk?.metadata.annotations).toEqual({
    [POOL_ANNOTATION]: expect.stringMatching(new RegExp(`^${diskUid}/p-${pool}(/kvm[.][a-z]+)?$`)),
  });
  expect(disk?.status?.host !== undefined).toBe(pool === 'local');
};

/** One life: made, told to move, with a death and hands in it; then back to rest. */
const live = async (
  [from, to]: readonly [string, string],
  death: Death | undefined,
  hand: (lab: Lab, passes: number) => void = () => undefined,
): Promise<Lab> => {
  const lab = await createMovesLab();
  await lab.make(from);
  isAt(lab, from);
  lab.moveTo(to);
  lab.dieAt(death);
  await lab.settle((passes) => {
    isWhole(lab);
    hand(lab, passes);
  });
  isWhole(lab);
  return lab;
};

describe.each(ways)('from %s to %s', (from, to) => {
  it('arrives, wherever the operator dies, also when the status is lost with it', async () => {
    const calm = await live([from, to], undefined);
    isAt(calm, to);
    const effects = calm.effects();
    expect(effects).toBeGreaterThan(5);
    await calm.close();
    for (let effect = 1; effect <= effects; effect += 1) {
      for (const when of ['before', 'after'] as const) {
        for (const loses of [false, true]) {
          let lost = false;
          const lab = await live([from, to], { effect, when }, (it) => {
            // Which host of its pool has it is known to the status alone until the move is written down.
            const begun = it.disk()?.metadata.annotations?.[MOVE_ANNOTATION] !== undefined;
            if (!loses || lost || it.effects() < effect || (from === 'local' && !begun)) return;
            lost = true;
            it.loseStatus();
          });
          isAt(lab, to);
          await lab.close();
        }
      }
    }
  });

  it('stays whole when the spec turns at any moment', async () => {
    for (const third of pools) {
      for (let at = 0; at < 8; at += 1) {
        let turned = false;
        const lab = await live([from, to], undefined, (it, passes) => {
          if (passes !== at) return;
          turned = true;
          it.moveTo(third);
        });
        if (!turned) lab.moveTo(third);
        await lab.settle();
        isAt(lab, third);
        await lab.close();
      }
    }
  });

  it('leaves nothing when it is deleted at any moment', async () => {
    for (let at = 0; at < 8; at += 1) {
      const lab = await createMovesLab();
      await lab.make(from);
      lab.moveTo(to);
      let removed = false;
      await lab.settle((passes) => {
        if (passes !== at) return;
        removed = true;
        lab.remove();
      });
      if (!removed) lab.remove();
      await lab.settle();
      expect(lab.copies().all).toBe(0);
      await lab.close();
    }
  });
});

it('is whole after any history', async () => {
  const turn = record({ at: integer({ min: 0, max: 12 }), pool: constantFrom(...pools) });
  const deaths = option(
    record({ effect: integer({ min: 1, max: 14 }), when: constantFrom('before', 'after') }),
  );
  await assert(
    asyncProperty(constantFrom(...ways), array(turn, { maxLength: 4 }), deaths, async (way, turns, death) => {
      const lab = await live(way, (death as Death | undefined) ?? undefined, (it, passes) => {
        for (const { at, pool } of turns) if (at === passes) it.moveTo(pool);
      });
      await lab.settle();
      isAt(lab, lab.disk()?.spec.storagePoolRef.name ?? '');
      await lab.close();
    }),
    { numRuns: 30 },
  );
});
