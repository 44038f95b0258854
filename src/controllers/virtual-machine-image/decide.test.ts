import { describe, expect, it } from 'vitest';
import { FINALIZER } from '../../api/identity.ts';
import { Fault } from '../../runtime/fault.ts';
import { decide } from './decide.ts';
import type { Decision } from './decision.ts';
import {
  absent,
  complete,
  deleted,
  halfMade,
  sampleHost,
  sampleImage,
  sampleWorld,
  sightOf,
} from './sample-world.ts';
import { hostsToAsk, wantedHosts } from './wanted.ts';
import type { ImageSight, ImageWorld } from './world.ts';

const nowMs = 1_000_000;
const image = sampleImage();
const nowhere = sightOf([absent('kvm.n1'), absent('kvm.n2')]);
const world = (change: Partial<ImageWorld> = {}): ImageWorld => sampleWorld(image, change);

/** The step, or how long the plan waits, and the reason. */
const brief = ({ plan, health, reason }: Decision): string => {
  const what =
    plan.kind === 'step'
      ? `${plan.step.kind}${'hosts' in plan.step ? ` ${plan.step.hosts.join()}` : ''}`
      : plan.kind;
  return `${what}: ${health} ${reason}`;
};
const failed = (host: string, fault: Fault, dueMs = nowMs + 5_000) => ({
  kind: 'failed' as const,
  host,
  fault,
  dueMs,
  maxImageBytes: 100 * 1024 ** 3,
});
const broken = new Fault('unreachable', 'the download broke off', { reason: 'ImageTruncated' });
const mismatch = new Fault('invalid', 'the image has another checksum', { reason: 'ImageChecksumMismatch' });
const running = (host: string) => ({ kind: 'running' as const, host, percent: 10 });
const stalled = (reason: string) => ({
  conditions: [
    {
      type: 'Stalled',
      status: 'True' as const,
      reason,
      message: 'No.',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    },
  ],
  copies: [{ host: 'kvm.n1', state: 'Failed' as const, message: 'No.' }],
});
const recorded = (...hosts: string[]) =>
  sampleImage({ status: { copies: hosts.map((host) => ({ host, state: 'Ready' as const })) } });
const imports = (...entries: [string, ReturnType<typeof failed> | ReturnType<typeof running>][]) =>
  new Map(entries);

describe('an image whose server refused its credentials', () => {
  const refused = new Fault('denied', 'answered with status 401', { reason: 'CredentialsRefused' });
  const source = { ...image.spec.source, credentialsSecretRef: { name: 's' } };
  const entry = { ...failed('kvm.n2', refused, nowMs + 500_000), secretVersion: 'u/1' };
  const withSecret = sampleWorld(
    { ...image, spec: { ...image.spec, source } },
    { imports: imports(['kvm.n2', entry]) },
  );
  const at = (secretVersion?: string) =>
    decide(withSecret, { ...nowhere, ...(secretVersion === undefined ? {} : { secretVersion }) });

  it('looks at its Secret now and then, and leaves the server alone while that is the same or unknown', () => {
    for (const decision of [at('u/1'), at()]) {
      expect(brief(decision)).toBe('wait: trouble CredentialsRefused');
      expect(decision.plan).toEqual({ kind: 'wait', afterMs: 10_000 });
    }
  });

  it('is fetched at once when the Secret is another, or gone', () => {
    for (const version of ['u/2', 'absent']) expect(brief(at(version))).toMatch(/^import kvm.n2: /);
  });

  it('waits long when it names no Secret', () => {
    const without = world({ imports: imports(['kvm.n2', failed('kvm.n2', refused, nowMs + 500_000)]) });
    expect(decide(without, nowhere).plan).toEqual({ kind: 'wait', afterMs: 500_000 });
  });
});

describe('an image', () => {
  const demanded = new Set(['kvm.n1']);
  const table: readonly (readonly [string, ImageWorld, ImageSight, string])[] = [
    [
      'gets our finalizer before anything is fetched',
      sampleWorld(sampleImage({ metadata: { finalizers: [] } })),
      nowhere,
      'addFinalizer: progress Importing',
    ],
    ['is left alone while paused', world({ pausedBy: 'me' }), nowhere, 'settled: progress Paused'],
    [
      'waits for a pool it may use',
      world({ poolLack: { reason: 'StoragePoolNotFound', message: 'No pool.' } }),
      nowhere,
      'wait: invalid StoragePoolNotFound',
    ],
    ['is fetched to the roomiest host', world(), nowhere, 'import kvm.n2: progress Importing'],
    [
      'is remade where it is half made',
      world(),
      sightOf([halfMade('kvm.n2')]),
      'import kvm.n2: progress Importing',
    ],
    ['is there', world(), sightOf([complete('kvm.n1')]), 'settled: ok Ready'],
    [
      'is fetched where it is needed and nowhere else',
      world({ demanded }),
      nowhere,
      'import kvm.n1: progress Importing',
    ],
    [
      'is ready while a further copy begins',
      world({ demanded }),
      sightOf([absent('kvm.n1'), complete('kvm.n2')]),
      'import kvm.n1: ok Ready',
    ],
    [
      'is ready while a further copy is made',
      world({ demanded, imports: imports(['kvm.n1', running('kvm.n1')]) }),
      sightOf([absent('kvm.n1'), complete('kvm.n2')]),
      'wait: ok Ready',
    ],
    [
      'tells of a further copy that cannot be made',
      world({ demanded, imports: imports(['kvm.n1', failed('kvm.n1', broken)]) }),
      sightOf([absent('kvm.n1'), complete('kvm.n2')]),
      'wait: trouble ImageTruncated',
    ],
    [
      'waits for its import',
      world({ imports: imports(['kvm.n1', running('kvm.n1')]) }),
      nowhere,
      'wait: progress Importing',
    ],
    [
      'is not tried again before its time',
      world({ imports: imports(['kvm.n1', failed('kvm.n1', broken)]) }),
      nowhere,
      'wait: trouble ImageTruncated',
    ],
    [
      'is tried again where it was begun',
      world({ imports: imports(['kvm.n1', failed('kvm.n1', broken, nowMs)]) }),
      nowhere,
      'import kvm.n1: progress Importing',
    ],
    [
      'is tried again at once when the pool takes larger ones',
      world({ maxImageBytes: 200 * 1024 ** 3, imports: imports(['kvm.n1', failed('kvm.n1', broken)]) }),
      nowhere,
      'import kvm.n1: progress Importing',
    ],
    [
      'is never tried again when the bytes are wrong',
      world({ imports: imports(['kvm.n1', failed('kvm.n1', mismatch, 0)]) }),
      nowhere,
      'settled: invalid ImageChecksumMismatch',
    ],
    [
      'is not fetched once more by the next operator when the bytes are wrong',
      sampleWorld(sampleImage({ status: stalled('ImageFormatRefused') })),
      nowhere,
      'settled: invalid ImageFormatRefused',
    ],
    [
      'is looked for once more by the next operator when it was missing',
      sampleWorld(sampleImage({ status: stalled('ImageUrlNotFound') })),
      nowhere,
      'import kvm.n1: progress Importing',
    ],
    [
      'waits for hosts',
      world({ hosts: [sampleHost('kvm.n1', { usable: false })] }),
      sightOf([], ['kvm.n1']),
      'wait: trouble NoHostsReady',
    ],
    [
      'is not fetched elsewhere because its host is away',
      sampleWorld(recorded('kvm.n1'), {
        hosts: [sampleHost('kvm.n1', { usable: false }), sampleHost('kvm.n2')],
      }),
      sightOf([absent('kvm.n2')], ['kvm.n1']),
      'wait: unknown HostUnreachable',
    ],
    [
      'is fetched elsewhere when its host is gone for good',
      sampleWorld(recorded('kvm.n1'), {
        hosts: [sampleHost('kvm.n1', { usable: false, declaredDown: 'burnt' }), sampleHost('kvm.n2')],
      }),
      sightOf([absent('kvm.n2')]),
      'import kvm.n2: progress Importing',
    ],
    [
      'is fetched again when its file was removed',
      sampleWorld(recorded('kvm.n1')),
      sightOf([absent('kvm.n1')]),
      'import kvm.n1: progress Importing',
    ],
  ];
  it.each(table)('%s', (_what, given, seen, expected) => {
    expect(brief(decide(given, seen))).toBe(expected);
  });

  it('of a shared pool is made once, through a host that can', () => {
    const shared = world({
      shared: true,
      demanded: new Set(['kvm.n1', 'kvm.n2']),
      hosts: [sampleHost('kvm.n1', { usable: false }), sampleHost('kvm.n2')],
    });
    expect(hostsToAsk(shared).map(({ name }) => name)).toEqual(['kvm.n2']);
    expect(brief(decide(shared, sightOf([absent('kvm.n2')])))).toBe('import kvm.n2: progress Importing');
    expect(brief(decide(shared, sightOf([complete('kvm.n2')])))).toBe('settled: ok Ready');
  });

  it('is chosen a host for by name when all are equal, and stays where it lies', () => {
    const equal = world({ hosts: [sampleHost('kvm.n1'), sampleHost('kvm.n2'), sampleHost('kvm.n3')] });
    const names = (seen: ImageSight) => wantedHosts(equal, seen).map(({ name }) => name);
    expect(names(nowhere)).toEqual(['kvm.n1']);
    expect(names(sightOf([complete('kvm.n3')]))).toEqual(['kvm.n3']);
  });

  it('is looked for on every host when no copy is recorded, and else only where one is or shall be', () => {
    const hosts = ['kvm.n1', 'kvm.n2', 'kvm.n3'].map((name) => sampleHost(name));
    const asked = (given: ImageWorld) => hostsToAsk(given).map(({ name }) => name);
    expect(asked(world({ hosts }))).toEqual(['kvm.n1', 'kvm.n2', 'kvm.n3']);
    expect(asked(sampleWorld(recorded('kvm.n2'), { hosts, demanded: new Set(['kvm.n3']) }))).toEqual([
      'kvm.n2',
      'kvm.n3',
    ]);
  });
});

describe('an image that is deleted', () => {
  const going = sampleImage(deleted);
  const doomed = (change: Partial<ImageWorld> = {}): ImageWorld => sampleWorld(going, change);
  const known = sampleImage({ ...deleted, status: { copies: [{ host: 'kvm.n1', state: 'Ready' }] } });
  const there = sightOf([complete('kvm.n1'), absent('kvm.n2')]);
  const swept = (...hosts: string[]): ImageSight =>
    sightOf(hosts.map((host) => ({ ...absent(host), swept: true })));
  const dependents = ['machine web-1'];
  const table: readonly (readonly [string, ImageWorld, ImageSight, string])[] = [
    ['waits for who uses it', doomed({ dependents }), there, 'wait: progress WaitingForDependents'],
    [
      'still goes where a disk waits for it',
      doomed({ dependents, demanded: new Set(['kvm.n2']) }),
      there,
      'import kvm.n2: progress WaitingForDependents',
    ],
    [
      'waits for nobody when nobody could use it',
      doomed({ dependents }),
      swept('kvm.n1', 'kvm.n2'),
      'removeFinalizer: progress Deleting',
    ],
    [
      'ends its imports first',
      doomed({ imports: imports(['kvm.n2', running('kvm.n2')]) }),
      nowhere,
      'cancelImports: progress Deleting',
    ],
    ['loses its file', doomed(), there, 'remove kvm.n1,kvm.n2: progress Deleting'],
    ['loses what was half made', doomed(), sightOf([halfMade('kvm.n2')]), 'remove kvm.n2: progress Deleting'],
    [
      'leaves nothing of an import that was cut off, which shows as no volume',
      sampleWorld(known),
      sightOf([absent('kvm.n1'), absent('kvm.n2')]),
      'remove kvm.n1: progress Deleting',
    ],
    [
      'leaves a file under clones',
      doomed(),
      sightOf([complete('kvm.n1', true)]),
      'removeFinalizer: progress Deleting',
    ],
    [
      'waits for clones that are going',
      doomed({ leavingClones: ['root'] }),
      sightOf([complete('kvm.n1', true)]),
      'wait: progress WaitingForDependents',
    ],
    [
      'waits for every host when nothing is recorded',
      doomed(),
      sightOf(swept('kvm.n1').copies, ['kvm.n2']),
      'wait: unknown HostUnreachable',
    ],
    [
      'waits for no host that has no copy',
      sampleWorld(known),
      sightOf(swept('kvm.n1').copies, ['kvm.n2']),
      'removeFinalizer: progress Deleting',
    ],
    [
      'goes although its pool is gone',
      doomed({ place: undefined, hosts: [] }),
      sightOf([]),
      'removeFinalizer: progress Deleting',
    ],
    [
      'is not touched once our finalizer is off',
      sampleWorld(sampleImage({ metadata: { ...deleted.metadata, finalizers: ['other'] } })),
      there,
      'settled: progress Deleting',
    ],
  ];
  it.each(table)('%s', (_what, given, seen, expected) => {
    expect(going.metadata.finalizers).toContain(FINALIZER);
    expect(brief(decide(given, seen))).toBe(expected);
  });
});
