import { describe, expect, it } from 'vitest';
import type { Host, HostStatus } from '../../api/host.ts';
import type { HostPool } from '../../api/host-pool.ts';
import type { HostFacts, HostSeen } from '../../drivers/hypervisor/contract.ts';
import { Fault } from '../../runtime/fault.ts';
import { plan } from './plan.ts';
import { statusOf } from './status.ts';
import type { HostWorld } from './world.ts';

const nowMs = Date.UTC(2026, 0, 2);
const laterMs = nowMs + 3_600_000;

const facts: HostFacts = {
  hostUuid: 'b5f1',
  uri: 'qemu:///system',
  hypervisor: { type: 'QEMU', version: '8.2.0', architecture: 'x86_64' },
  acceleration: 'KVM',
  cpus: 8,
  memoryMiB: 16_384,
  capabilities: ['NatNetwork', 'DiskHotplug'],
  attachmentKinds: ['file'],
  claimedBy: 'c',
  bridges: [],
};

const reachable: HostSeen = { kind: 'reachable', host: 'h', facts };
const silent = (reason: string, known?: HostFacts): HostSeen => ({
  kind: 'unreachable',
  host: 'h',
  sinceMs: nowMs,
  reason,
  message: 'It is so.',
  facts: known,
});

const hostOf = (spec: Partial<Host['spec']> = {}, status?: HostStatus): Host =>
  ({
    apiVersion: 'ovcp.dev/v1alpha1',
    kind: 'Host',
    metadata: { name: 'p.h', uid: 'u', generation: 3, finalizers: ['ovcp.dev/protect'] },
    spec: { hostPoolRef: { name: 'p' }, hostName: 'h', unschedulable: false, ...spec },
    ...(status === undefined ? {} : { status }),
  }) as unknown as Host;

const pool = { metadata: { name: 'p' }, spec: { driver: 'libvirt' } } as unknown as HostPool;

const worldOf = (change: Partial<HostWorld> = {}): HostWorld => ({
  host: hostOf(),
  clusterId: 'c',
  pool,
  listed: { host: 'h', uri: 'qemu+ssh://root@h/system', secret: 's' },
  seen: reachable,
  duplicateOf: undefined,
  allocated: { cpus: 2, memoryMiB: 512 },
  machines: 1,
  disks: [],
  ...change,
});

const told = (world: HostWorld, fault?: Fault) => {
  const status = statusOf(world, { claim: undefined }, fault, nowMs);
  return Object.fromEntries(
    (status.conditions ?? []).map(({ type, status: it, reason }) => [type, `${it} ${reason}`]),
  );
};

const good = {
  Ready: 'True Ready',
  Reconciling: 'False Reconciled',
  Stalled: 'False NotStalled',
  Reachable: 'True Reachable',
  Claimed: 'True Claimed',
  Schedulable: 'True Schedulable',
};

describe('status of a Host', () => {
  it('reports what the host says and what is promised', () => {
    expect(statusOf(worldOf(), undefined, undefined, nowMs)).toMatchObject({
      observedGeneration: 3,
      uri: 'qemu+ssh://root@h/system',
      credentialsSecretRef: { name: 's' },
      hostUuid: 'b5f1',
      hypervisor: { driver: 'libvirt', type: 'QEMU', version: '8.2.0', architecture: 'x86_64' },
      capacity: { cpus: 8, memory: '16Gi' },
      allocated: { cpus: 2, memory: '512Mi' },
      machines: 1,
      capabilities: ['DiskHotplug', 'NatNetwork'],
      lastSeenTime: '2026-01-02T00:00:00Z',
    });
    expect(told(worldOf())).toEqual(good);
  });

  it.each([
    ['HostUnreachable', 'HostUnreachable', 'True HostUnreachable', 'False NotStalled'],
    ['HostKeyMismatch', 'HostKeyMismatch', 'False Reconciled', 'True HostKeyMismatch'],
    ['CertificateInvalid', 'CertificateInvalid', 'False Reconciled', 'True CertificateInvalid'],
    ['AuthenticationFailed', 'CredentialsRefused', 'False Reconciled', 'True CredentialsRefused'],
    ['SecretNotFound', 'SecretNotFound', 'False Reconciled', 'True SecretNotFound'],
    ['SomethingNew', 'HostUnreachable', 'True HostUnreachable', 'False NotStalled'],
  ])('says %s', (from, reason, reconciling, stalled) => {
    expect(told(worldOf({ seen: silent(from, facts) }))).toEqual({
      ...good,
      Ready: `False ${reason}`,
      Reachable: `False ${reason}`,
      Schedulable: `False ${reason}`,
      Reconciling: reconciling,
      Stalled: stalled,
    });
  });

  it.each<[string, Partial<HostWorld>, Record<string, string>]>([
    ['unschedulable', { host: hostOf({ unschedulable: true }) }, { Schedulable: 'False Unschedulable' }],
    [
      'listed twice',
      { duplicateOf: 'q.h' },
      {
        Ready: 'False DuplicateHost',
        Claimed: 'False DuplicateHost',
        Schedulable: 'False DuplicateHost',
        Stalled: 'True DuplicateHost',
      },
    ],
    [
      "another installation's",
      { seen: { ...reachable, facts: { ...facts, claimedBy: 'other' } } },
      {
        Ready: 'False ClaimedByOther',
        Claimed: 'False ClaimedByOther',
        Schedulable: 'False ClaimedByOther',
        Stalled: 'True ClaimedByOther',
      },
    ],
    [
      'declared gone',
      { host: hostOf({ declaredDown: { reason: 'burnt' } }), seen: silent('HostUnreachable', facts) },
      {
        Ready: 'False DeclaredDown',
        Reachable: 'False HostUnreachable',
        Schedulable: 'False DeclaredDown',
        Stalled: 'True DeclaredDown',
      },
    ],
    [
      'leaving',
      { listed: undefined },
      { Ready: 'True Leaving', Schedulable: 'False Leaving', Reconciling: 'True Leaving' },
    ],
    [
      'without its pool',
      { listed: undefined, pool: undefined, seen: undefined },
      {
        Ready: 'False HostPoolNotFound',
        Reachable: 'False HostPoolNotFound',
        Claimed: 'Unknown HostPoolNotFound',
        Schedulable: 'False Leaving',
        Stalled: 'True HostPoolNotFound',
      },
    ],
  ])('tells of a host that is %s', (_what, change, differing) => {
    expect(told(worldOf(change))).toEqual({ ...good, ...differing });
  });

  it('is the same the next time, whatever the clock says', () => {
    const first = statusOf(worldOf(), undefined, undefined, nowMs);
    const again = statusOf(worldOf({ host: hostOf({}, first) }), undefined, undefined, laterMs);
    expect(again).toEqual(first);
  });

  it('keeps what was known of a host that has not answered in this process', () => {
    const first = statusOf(worldOf(), undefined, undefined, nowMs);
    const down = worldOf({ host: hostOf({}, first), seen: silent('HostUnreachable') });
    const after = statusOf(down, undefined, undefined, laterMs);
    expect(after).toMatchObject({
      hostUuid: 'b5f1',
      capacity: first.capacity,
      lastSeenTime: first.lastSeenTime,
    });
    expect(after.conditions?.find(({ type }) => type === 'Claimed')).toMatchObject({ status: 'True' });
  });

  it('shows a claim that was refused', () => {
    const fault = new Fault('denied', 'The host does not let us.', { reason: 'CredentialsRefused' });
    expect(told(worldOf(), fault)).toMatchObject({ Ready: 'False CredentialsRefused' });
  });
});

describe('plan of a Host', () => {
  const free: HostSeen = { ...reachable, facts: { ...facts, claimedBy: undefined } };
  const deleting = { ...hostOf(), metadata: { ...hostOf().metadata, deletionTimestamp: 'x' } };
  const next = (change: Partial<HostWorld>, claim?: { claimedBy: string | undefined }) => {
    const answer = plan(worldOf(change), { claim });
    return answer.kind === 'step' ? answer.step.kind : answer.kind;
  };

  it.each<[string, string, Partial<HostWorld>]>([
    ['settled', 'is claimed', {}],
    ['claim', 'is free', { seen: free }],
    [
      'settled',
      'is free and does not answer',
      { seen: silent('HostUnreachable', { ...facts, claimedBy: undefined }) },
    ],
    ['settled', 'is free and the same as another', { seen: free, duplicateOf: 'q.h' }],
    ['settled', 'is free and declared gone', { seen: free, host: hostOf({ declaredDown: { reason: 'r' } }) }],
    ['settled', 'leaves with machines', { listed: undefined }],
    ['settled', 'leaves with disks', { listed: undefined, machines: 0, disks: ['n/d'] }],
    ['deleteHost', 'leaves empty', { listed: undefined, machines: 0 }],
    ['settled', 'is being deleted with machines', { host: deleting }],
    ['removeFinalizer', 'is being deleted and empty', { host: deleting, machines: 0 }],
  ])('is %s for a host that %s', (step, _what, change) => {
    expect(next(change)).toBe(step);
  });

  it('tries once to claim a host that cannot keep a claim', () => {
    expect(next({ seen: free }, { claimedBy: undefined })).toBe('settled');
  });
});
