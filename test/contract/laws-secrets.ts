import { expect } from 'vitest';
import { type HostSecret, SECRET_MARK } from '../../src/drivers/hypervisor/host-secrets.ts';
import { type DriverFixture, freshUid, type Law, never } from './fixture.ts';

const freshSecret = ({ clusterId }: DriverFixture): HostSecret => {
  const uuid = freshUid();
  return { uuid, usage: `${SECRET_MARK}${clusterId}/${uuid}/1` };
};
const value = Buffer.from('correct horse battery staple');

export const secretLaws: readonly Law[] = [
  {
    id: 'K-01',
    title: 'putting and dropping a secret twice equals once',
    check: async (fixture, pool) => {
      const [secrets, secret] = [pool.hostSecrets(fixture.host), freshSecret(fixture)];
      for (const _time of [1, 2]) {
        await secrets.put(secret, value, never);
        expect((await secrets.list(never)).filter(({ uuid }) => uuid === secret.uuid)).toEqual([secret]);
      }
      for (const _time of [1, 2]) {
        await secrets.drop(secret.uuid, never);
        expect((await secrets.list(never)).filter(({ uuid }) => uuid === secret.uuid)).toEqual([]);
      }
    },
  },
  {
    id: 'K-02',
    title: 'a value is never seen again',
    check: async (fixture, pool) => {
      const [secrets, secret] = [pool.hostSecrets(fixture.host), freshSecret(fixture)];
      await secrets.put(secret, value, never);
      expect(JSON.stringify(await secrets.list(never))).not.toContain(value.toString());
      await expect(fixture.hands.readSecret(fixture.host, secret.uuid)).rejects.toThrow();
      await secrets.drop(secret.uuid, never);
    },
  },
  {
    id: 'K-03',
    title: "somebody else's secret is left alone",
    check: async (fixture, pool) => {
      const [secrets, secret] = [pool.hostSecrets(fixture.host), freshSecret(fixture)];
      await fixture.hands.defineForeignSecret(fixture.host, secret.uuid);
      expect((await secrets.list(never)).some(({ uuid }) => uuid === secret.uuid)).toBe(false);
      const denied = { name: 'Fault', kind: 'denied' };
      await expect(secrets.put(secret, value, never)).rejects.toMatchObject(denied);
      await expect(secrets.drop(secret.uuid, never)).rejects.toMatchObject(denied);
    },
  },
];
