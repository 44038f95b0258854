import { expect } from 'vitest';
import type { NetworkShape } from '../../src/drivers/hypervisor/host-networks.ts';
import { freshNetwork, type Law, never } from './fixture.ts';

const isolated: NetworkShape = { kind: 'Isolated' };
let subnet = 100;
/** Subnets that do not overlap: libvirt refuses to start a network over an address the host has. */
const nat = (): NetworkShape => {
  subnet += 1;
  const base = `10.199.${subnet}`;
  return { kind: 'NAT', cidr: `${base}.0/24`, dhcp: { start: `${base}.2`, end: `${base}.254` } };
};

export const networkLaws: readonly Law[] = [
  {
    id: 'N-01',
    title: 'every network step twice equals once',
    check: async (fixture, pool) => {
      const [networks, network] = [pool.hostNetworks(fixture.host), freshNetwork(fixture)];
      const shape = nat();
      for (const step of [{ kind: 'define', shape }, { kind: 'start' }, { kind: 'remove' }] as const) {
        await networks.take(network, step, never);
        const once = await networks.see(network, never);
        await networks.take(network, step, never);
        expect(await networks.see(network, never), step.kind).toEqual(once);
      }
      expect(await networks.see(network, never)).toEqual({ kind: 'absent' });
    },
  },
  {
    id: 'N-02',
    title: 'looking changes nothing',
    check: async (fixture, pool) => {
      const { host, hands } = fixture;
      const [networks, network] = [pool.hostNetworks(host), freshNetwork(fixture)];
      await networks.take(network, { kind: 'define', shape: isolated }, never);
      const before = await hands.snapshot(host);
      await networks.see(network, never);
      await networks.see(freshNetwork(fixture), never);
      expect(await hands.snapshot(host)).toBe(before);
      await networks.take(network, { kind: 'remove' }, never);
    },
  },
  {
    id: 'N-03',
    title: 'removing what is absent is done',
    check: async (fixture, pool) => {
      const [networks, network] = [pool.hostNetworks(fixture.host), freshNetwork(fixture)];
      await networks.take(network, { kind: 'remove' }, never);
      expect(await networks.see(network, never)).toEqual({ kind: 'absent' });
    },
  },
  {
    id: 'N-04',
    title: 'a network of our name without our uuid is taken and left alone',
    check: async (fixture, pool) => {
      const { host, hands } = fixture;
      const [networks, network] = [pool.hostNetworks(host), freshNetwork(fixture)];
      await hands.defineForeignNetwork?.(host, network.networkName, 'ovcplaw0');
      const before = await hands.snapshot(host);
      expect((await networks.see(network, never)).kind).toBe('taken');
      const refused = networks.take(network, { kind: 'define', shape: isolated }, never);
      await expect(refused).rejects.toMatchObject({ name: 'Fault', kind: 'denied' });
      await networks.take(network, { kind: 'remove' }, never).catch(() => undefined);
      expect(await hands.snapshot(host)).toBe(before);
    },
  },
  {
    id: 'N-05',
    title: 'a started network is active and autostarted',
    check: async (fixture, pool) => {
      const [networks, network] = [pool.hostNetworks(fixture.host), freshNetwork(fixture)];
      await networks.take(network, { kind: 'define', shape: nat() }, never);
      await networks.take(network, { kind: 'start' }, never);
      const other = await fixture.open();
      const seen = await other.hostNetworks(fixture.host).see(network, never);
      expect(seen).toMatchObject({ kind: 'present', active: true, autostart: true });
      await other.close();
      await networks.take(network, { kind: 'remove' }, never);
    },
  },
  {
    id: 'N-06',
    title: 'a network is seen with its shape',
    check: async (fixture, pool) => {
      const networks = pool.hostNetworks(fixture.host);
      for (const shape of [isolated, nat()]) {
        const network = freshNetwork(fixture);
        await networks.take(network, { kind: 'define', shape }, never);
        expect(await networks.see(network, never)).toMatchObject({ kind: 'present', shape });
        await networks.take(network, { kind: 'remove' }, never);
      }
    },
  },
  {
    id: 'N-07',
    title: 'a change of an active network is seen apart from what it still is',
    check: async (fixture, pool) => {
      const [networks, network] = [pool.hostNetworks(fixture.host), freshNetwork(fixture)];
      const [running, shape] = [nat(), nat()];
      await networks.take(network, { kind: 'define', shape: running }, never);
      await networks.take(network, { kind: 'start' }, never);
      const before = await networks.see(network, never);
      expect(before).toEqual({ kind: 'present', active: true, autostart: true, shape: running });
      await networks.take(network, { kind: 'define', shape }, never);
      await networks.take(network, { kind: 'start' }, never);
      expect(await networks.see(network, never)).toMatchObject({ kind: 'present', shape, running });
      await networks.take(network, { kind: 'define', shape: running }, never);
      expect(await networks.see(network, never), 'taken back').toEqual(before);
      await networks.take(network, { kind: 'remove' }, never);
    },
  },
];
