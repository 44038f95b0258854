import { createSimulatedStorage } from '../../../src/drivers/storage/simulated/driver.ts';
import { createStorageWorld } from '../../../src/drivers/storage/simulated/world.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import type { ServerDriver } from './fixture.ts';

const wish = { kind: 'simulated', serves: 'files', latencyMs: 0 } as const;

export const simulated: ServerDriver = {
  name: 'simulated',
  notSupported: {},
  start: async () => {
    const world = createStorageWorld({ clock: systemClock() });
    const driver = createSimulatedStorage(world);
    let pools = 0;
    let reconnect: (() => void) | undefined;
    return {
      newPool: async () => {
        pools += 1;
        return { clusterId: 'laws', poolUid: `uid-${pools}`, poolName: `pool-${pools}` };
      },
      open: (identity) => driver.open({ identity, wish, endpoints: [] }),
      hands: {
        snapshot: async () => JSON.stringify([...world.volumes]),
        isServed: async ({ poolName }) => world.shareState(poolName) === 'up',
        makeForeign: async ({ poolName }) => void world.makeForeign(poolName),
        breakPart: async ({ poolName }) => world.setBrick(poolName, 'a2', false),
        mendPart: async ({ poolName }) => world.setBrick(poolName, 'a2', true),
        loseReply: async () => void world.fail({ when: 'after' }),
        cutOff: async () => {
          reconnect = world.fail({ times: 1_000 });
        },
        reconnect: async () => reconnect?.(),
      },
      teardown: async () => undefined,
    };
  },
};
