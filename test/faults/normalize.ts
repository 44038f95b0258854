/** What is true of one namespace, with everything that differs from run to run put out of it. */
import {
  arrivalMark,
  diskSerial,
  diskTargetIqn,
  macAddress,
  unitWwn,
  vmUuid,
} from '../../src/api/identity.ts';
import type { Thing } from './api.ts';
import type { Facts } from './invariants.ts';

type Plain = Readonly<Record<string, unknown>>;

const cardsOf = (vm: Thing): readonly string[] => {
  const networks = vm.spec?.['networks'];
  return Array.isArray(networks) ? networks.map((it) => String((it as Plain)['name'])) : [];
};

/** Every derived string of the namespace's objects, and what stands for it. */
const substitutes = (facts: Facts, namespace: string): readonly (readonly [string, string])[] => {
  const mine = [...facts.machines, ...facts.disks, ...facts.images].filter(
    ({ metadata }) => metadata.namespace === namespace,
  );
  const derived = mine.flatMap((it): (readonly [string, string])[] => {
    const { uid, name, creationTimestamp = '-' } = it.metadata;
    const label = `${it.kind}/${name}`;
    const common: (readonly [string, string])[] = [
      [uid, `<uid of ${label}>`],
      [diskSerial(uid), `<serial of ${label}>`],
      [unitWwn(uid), `<wwn of ${label}>`],
      [uid.slice(0, 8), `<uid8 of ${label}>`],
      [creationTimestamp, '<creation>'],
    ];
    if (it.kind === 'VirtualDisk')
      return [
        ...common,
        ...facts.storagePools.map((pool): readonly [string, string] => [
          arrivalMark(pool.metadata.uid, uid),
          `<arrival of ${label}>`,
        ]),
      ];
    if (it.kind !== 'VirtualMachine') return common;
    const cards = cardsOf(it).map((card): readonly [string, string] => [
      macAddress(uid, card),
      `<mac of ${card}>`,
    ]);
    return [...common, ...cards, [vmUuid(facts.clusterId, uid), `<uuid of ${label}>`]];
  });
  const hosts = facts.hostObjects.flatMap(({ metadata }): (readonly [string, string])[] => [
    [metadata.name, '<host>'],
    [metadata.uid, '<uid of host>'],
  ]);
  const names: (readonly [string, string])[] = [
    ...hosts,
    ...facts.hosts.map(({ name }): readonly [string, string] => [name, '<host>']),
    [namespace, '<namespace>'],
  ];
  return [...derived, ...names].toSorted(([a], [b]) => b.length - a.length);
};

const scrub = (text: string, words: readonly (readonly [string, string])[]): string => {
  let scrubbed = text;
  for (const [word, label] of words) scrubbed = scrubbed.replaceAll(word, label);
  return scrubbed
    .replaceAll(/(ovcp-seed-<uid of [^>]+>)-[0-9a-f]{12}/g, '$1-<digest>')
    .replaceAll(/192\.168\.\d+\.\d+(?!\/)/g, '<ip>');
};

const withoutTimes = (thing: Thing): unknown => {
  const { conditions = [], copies, ...status } = thing.status ?? {};
  const told = conditions.map(({ type, status: is, reason, message }) => ({
    type,
    status: is,
    reason,
    message,
  }));
  const states = Array.isArray(copies)
    ? [...new Set(copies.map((it) => String((it as Plain)['state'])))]
    : undefined;
  return {
    kind: thing.kind,
    name: thing.metadata.name,
    finalizers: thing.metadata.finalizers,
    labels: thing.metadata.labels,
    annotations: thing.metadata.annotations,
    generation: thing.metadata.generation,
    deleting: thing.metadata.deletionTimestamp !== undefined,
    spec: thing.spec,
    status: { ...status, conditions: told.toSorted((a, b) => (a.type < b.type ? -1 : 1)), copies: states },
  };
};

const machinesOf = (facts: Facts, namespace: string): readonly unknown[] =>
  facts.hosts.flatMap((host) =>
    [...host.machines.values()]
      .filter(({ record }) => record?.clusterId === facts.clusterId && record.namespace === namespace)
      .map(({ uuid, domainName, record, running, next, power }) => ({
        uuid,
        domainName,
        record,
        power,
        next,
        running: running ?? null,
      })),
  );

const volumesOf = (facts: Facts, namespace: string): readonly unknown[] => {
  const uids = [...facts.machines, ...facts.disks, ...facts.images]
    .filter(({ metadata }) => metadata.namespace === namespace)
    .map(({ metadata }) => metadata.uid);
  const volumes = facts.hosts.flatMap((host) =>
    [...host.directories.values()].flatMap((directory) =>
      [...directory.volumes.values()].filter(
        // A copy of an image that was cut short lies there until the image goes, or is wanted there again.
        ({ name, complete }) =>
          uids.some((uid) => name.includes(uid)) && (complete || !name.startsWith('ovcp-image-')),
      ),
    ),
  );
  return volumes.map(({ name, format, sizeBytes, backingPath, complete, digest }) => ({
    name,
    format,
    sizeBytes,
    backingPath,
    complete,
    digest,
  }));
};

const byName = (a: Thing, b: Thing): number => (a.metadata.name < b.metadata.name ? -1 : 1);

const targetsOf = (facts: Facts, namespace: string): readonly unknown[] =>
  facts.disks
    .filter(({ metadata }) => metadata.namespace === namespace)
    // An iqn holds a uid, and uids come in any order.
    .toSorted(byName)
    .flatMap(({ metadata }) => {
      const iqn = diskTargetIqn(metadata.uid);
      const target = facts.targets.get(iqn);
      return target === undefined
        ? []
        : [
            {
              iqn,
              sizeBytes: target.sizeBytes,
              admitted: [...target.admitted].toSorted(),
              logins: facts.hosts.flatMap(({ name, logins }) =>
                [...logins.values()]
                  .filter((login) => login.targetIqn === iqn)
                  .map((login) => ({ host: name, ...login })),
              ),
            },
          ];
    });

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, it]) => [key, sorted(it)]));
};

/** Comparable by `toEqual` between namespaces, runs and hosts. */
export const normalized = (facts: Facts, namespace: string): unknown => {
  const of = (things: readonly Thing[]): unknown[] =>
    things
      .filter(({ metadata }) => metadata.namespace === namespace)
      .toSorted(byName)
      .map(withoutTimes);
  const state = {
    objects: [...of(facts.machines), ...of(facts.disks), ...of(facts.images)],
    machines: machinesOf(facts, namespace),
    volumes: volumesOf(facts, namespace),
    targets: targetsOf(facts, namespace),
  };
  const clean = JSON.parse(scrub(JSON.stringify(state), substitutes(facts, namespace))) as typeof state;
  // An image may have copies on several hosts, depending on where machines went.
  const volumes = [...new Set(clean.volumes.map((it) => JSON.stringify(sorted(it))))].toSorted();
  return sorted({ ...clean, volumes: volumes.map((row) => JSON.parse(row) as unknown) });
};

const isPlain = (value: unknown): value is Plain => typeof value === 'object' && value !== null;

/** Every path at which two states differ, one line each. */
export const differences = (wanted: unknown, got: unknown, path = ''): readonly string[] => {
  if (!isPlain(wanted) || !isPlain(got)) {
    return wanted === got ? [] : [`${path}: ${JSON.stringify(wanted)} became ${JSON.stringify(got)}`];
  }
  const keys = new Set([...Object.keys(wanted), ...Object.keys(got)]);
  return [...keys].flatMap((key) => differences(wanted[key], got[key], `${path}/${key}`));
};
