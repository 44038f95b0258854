import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlane, startControlPlane } from '../../../hack/lab/control-plane.ts';
import { loadAccess } from '../../../src/kube/auth.ts';
import type { Transport } from '../../../src/kube/contract.ts';
import {
  createConfigMaps,
  createEvents as createEventResource,
  createLeases,
} from '../../../src/kube/core-kinds.ts';
import { createEventSink } from '../../../src/kube/event-sink.ts';
import { createLeaseClient } from '../../../src/kube/lease-client.ts';
import { createTransport } from '../../../src/kube/transport.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createEvents } from '../../../src/runtime/events.ts';
import { addFinalizerPatch, removeFinalizerPatch } from '../../../src/runtime/finalizer.ts';
import { createLease, type LeaseSpec } from '../../../src/runtime/lease.ts';
import { silentLog } from '../../../src/runtime/log.ts';

const never = new AbortController().signal;
const clock = systemClock();
/** Shorter than by default, and yet longer than what a busy machine keeps a request waiting. */
const quick = { durationMs: 12_000, renewDeadlineMs: 9_000, retryMs: 500 };

/** Resolves when the signal is aborted. */
const aborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => {
    if (signal.aborted) {
      resolve(signal.reason);
    }
    signal.addEventListener('abort', () => resolve(signal.reason), { once: true });
  });

describe('the runtime on a real API server', () => {
  let dir: string;
  let plane: ControlPlane;
  let transport: Transport;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ovcp-runtime-'));
    plane = await startControlPlane({ dir });
    const access = await loadAccess({ kind: 'kubeconfig', paths: [plane.kubeconfig] }, clock);
    transport = createTransport({ access, clock, random: Math.random });
  });

  afterAll(async () => {
    await transport.close();
    await plane.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const kubectlJson = async (...args: string[]): Promise<unknown> =>
    JSON.parse(await plane.mustKubectl([...args, '-o', 'json']));

  const specOf = async (name: string): Promise<Partial<LeaseSpec>> => {
    const lease = (await kubectlJson('get', 'lease', name, '-n', 'default')) as { spec: Partial<LeaseSpec> };
    return lease.spec;
  };

  const candidate = (name: string, identity: string, wallSkewMs = 0) => {
    const skewed = { ...clock, nowMs: () => clock.nowMs() + wallSkewMs };
    const client = createLeaseClient(createLeases(transport), { namespace: 'default', name });
    return createLease({ client, identity, clock: skewed, random: Math.random, log: silentLog, ...quick });
  };

  it('hands a lease over at a clean stop, whatever the walls say', async () => {
    const first = await candidate('handover', 'a').acquire(never);
    expect(await specOf('handover')).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 12 });
    await plane.mustKubectl(['annotate', 'lease', 'handover', '-n', 'default', 'note=kept']);
    const second = candidate('handover', 'b', 3_600_000).acquire(never);
    // Renewed for longer than one lease lasts: a candidate that believed its own wall would have taken it by now.
    const heldMs = async (): Promise<number> => {
      const { acquireTime = '', renewTime = '' } = await specOf('handover');
      return Date.parse(renewTime) - Date.parse(acquireTime);
    };
    await expect.poll(heldMs, { interval: 500 }).toBeGreaterThan(quick.durationMs + 1_000);
    expect(first.signal.aborted).toBe(false);
    expect(await specOf('handover')).toMatchObject({ holderIdentity: 'a', leaseTransitions: 0 });
    await first.release();
    const leadership = await second;
    expect(await specOf('handover')).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
    await leadership.release();
    const lease = await kubectlJson('get', 'lease', 'handover', '-n', 'default');
    expect(lease).toMatchObject({ metadata: { annotations: { note: 'kept' } } });
    expect(await specOf('handover')).not.toHaveProperty('holderIdentity', 'b');
  });

  it('has one leader when two candidates start at once; the other takes over when the lease is taken away', async () => {
    const identities = ['a', 'b'];
    const leases = identities.map((identity) => candidate('race', identity));
    const races = leases.map((lease) => lease.acquire(never));
    const winner = await Promise.race(races);
    const { holderIdentity } = await specOf('race');
    const [first, second] = holderIdentity === 'a' ? leases : leases.toReversed();
    expect([identities.includes(holderIdentity ?? ''), first?.isLeader(), second?.isLeader()]).toEqual([
      true,
      true,
      false,
    ]);
    const patch = JSON.stringify({ spec: { holderIdentity: 'thief', leaseDurationSeconds: 1 } });
    await plane.mustKubectl(['patch', 'lease', 'race', '-n', 'default', '--type=merge', '-p', patch]);
    expect(await aborted(winner.signal)).toMatchObject({ kind: 'conflict', reason: 'LeaseLost' });
    const both = await Promise.all(races);
    expect([first?.isLeader(), second?.isLeader()]).toEqual([false, true]);
    await Promise.all(both.map((leadership) => leadership.release()));
  });

  it('loses leadership while the API server is down for longer than the renew deadline', async () => {
    const lease = candidate('outage', 'a');
    const leadership = await lease.acquire(never);
    await plane.stopApiServer();
    expect(await aborted(leadership.signal)).toMatchObject({ reason: 'LeaseLost' });
    expect(lease.isLeader()).toBe(false);
    await plane.startApiServer();
    const again = await candidate('outage', 'b').acquire(never);
    expect(await specOf('outage')).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
    await again.release();
  });

  it('adds and removes its own finalizer and never that of another', async () => {
    const maps = createConfigMaps(transport);
    const name = { namespace: 'default', name: 'finalized' };
    const mine = 'ovcp.dev/test';
    const made = await maps.create({ metadata: name }, never);
    const add = addFinalizerPatch(made.metadata, mine) ?? [];
    const held = await maps.patchJson(name, add, {}, never);
    expect(held.metadata.finalizers).toEqual([mine]);
    await expect(maps.patchJson(name, add, {}, never)).rejects.toMatchObject({ kind: 'conflict' });
    const other = await maps.patchJson(
      name,
      [{ op: 'add', path: '/metadata/finalizers/0', value: 'example.org/other' }],
      {},
      never,
    );
    const early = removeFinalizerPatch(held.metadata, mine) ?? [];
    await expect(maps.patchJson(name, early, {}, never)).rejects.toMatchObject({ kind: 'conflict' });
    const left = await maps.patchJson(name, removeFinalizerPatch(other.metadata, mine) ?? [], {}, never);
    expect(left.metadata.finalizers).toEqual(['example.org/other']);
    const last = removeFinalizerPatch(left.metadata, 'example.org/other') ?? [];
    const none = await maps.patchJson(name, last, {}, never);
    expect(none.metadata.finalizers ?? []).toEqual([]);
    await maps.delete(name, {}, never);
  });

  it('writes an event that the server accepts, and its series', async () => {
    const events = createEvents({
      sink: createEventSink(createEventResource(transport)),
      clock,
      random: Math.random,
      log: silentLog,
      reporter: { controller: 'ovcp.dev/operator', instance: 'pod-1' },
    });
    const machine = {
      apiVersion: 'ovcp.dev/v1alpha1',
      kind: 'VirtualMachine',
      namespace: 'default',
      name: 'web-1',
    };
    const regarding = { ...machine, uid: '6a7d1f9e-1111-4222-8333-444455556666' };
    const node = { apiVersion: 'ovcp.dev/v1alpha1', kind: 'Host', name: 'kvm.node1', uid: 'u-2' };
    const note = 'x'.repeat(5_000);
    const happening = { type: 'Warning', reason: 'HostUnreachable', action: 'Look', note } as const;
    events.emit(regarding, happening);
    events.emit(regarding, happening);
    events.emit(regarding, happening);
    events.emit(node, happening);
    await events.close(10_000);
    const list = (await kubectlJson('get', 'events.events.k8s.io', '-n', 'default')) as { items: object[] };
    expect(list.items).toHaveLength(2);
    expect(list.items).toContainEqual(
      expect.objectContaining({
        reason: 'HostUnreachable',
        regarding: expect.objectContaining({ name: 'web-1', uid: regarding.uid }),
        series: expect.objectContaining({ count: 3 }),
      }),
    );
  });
});
