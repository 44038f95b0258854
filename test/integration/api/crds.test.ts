import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kinds } from '../../../src/api/kinds.ts';
import { type ApiCluster, mustFail, samples, startApiCluster } from './api-cluster.ts';

let cluster: ApiCluster;

beforeAll(async () => {
  cluster = await startApiCluster();
});

afterAll(async () => {
  await cluster.remove();
});

interface Crd {
  readonly metadata: { readonly name: string };
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
}

describe('the API server takes every CRD', () => {
  it('as structural, established and with all its names', async () => {
    const { items } = JSON.parse(await cluster.mustKubectl(['get', 'crd', '-o', 'json'])) as { items: Crd[] };
    expect(items.map((crd) => crd.metadata.name).sort()).toEqual(
      kinds.map((kind) => `${kind.plural}.${kind.group}`).sort(),
    );
    for (const crd of items) {
      const conditions = Object.fromEntries(crd.status.conditions.map((it) => [it.type, it.status]));
      expect(conditions).toMatchObject({ NamesAccepted: 'True', Established: 'True' });
      expect(conditions['NonStructuralSchema'] ?? 'False').toBe('False');
    }
  });
});

describe('samples', () => {
  it('accepts the quickstart, file by file in its order', async () => {
    for (const { path } of samples('quickstart')) await cluster.mustKubectl(['create', '-f', path]);
  });

  it('accepts what stands beside it where there are storage servers', async () => {
    for (const { path } of samples('storage')) {
      // Its image and machine have the names of those of the quickstart: another namespace.
      const stdin = readFileSync(path, 'utf8').replace('namespace: team-a', 'namespace: default');
      await cluster.mustKubectl(['create', '--dry-run=server', '-f', '-'], { stdin });
    }
  });

  it('accepts one of every kind', async () => {
    for (const { path } of samples('kinds')) {
      await cluster.mustKubectl(['apply', '--server-side', '--force-conflicts', '-f', path]);
    }
  });

  it.each(samples('bad'))('refuses $name: $says', async ({ path, says }) => {
    expect(await mustFail(cluster, ['create', '-f', path])).toContain(says);
  });

  it('gives every new object that has a status a Reconciling condition', async () => {
    const stored = await cluster.mustKubectl(['get', 'ovm', 'web-1', '-n', 'team-a', '-o', 'json']);
    const { status } = JSON.parse(stored) as { status: unknown };
    expect(status).toEqual({
      conditions: [expect.objectContaining({ type: 'Reconciling', status: 'True', reason: 'Pending' })],
    });
  });
});

describe('kubectl', () => {
  it.each(
    kinds.map((kind) => ({
      kind: kind.kind,
      names: [kind.plural, kind.singular, ...kind.shortNames],
      kind_: kind,
    })),
  )('prints the columns of $kind under each of its names', async ({ names, kind_ }) => {
    const columns = kind_.printerColumns.map((column) => column.name.toUpperCase());
    for (const name of names) {
      const wide = await cluster.mustKubectl(['get', name, '-A', '-o', 'wide']);
      const expected =
        kind_.scope === 'Namespaced' ? ['NAMESPACE', 'NAME', ...columns] : ['NAME', ...columns];
      expect(wide.split('\n')[0]?.split(/\s+/)).toEqual(expected);
    }
  });

  it('leaves our objects alone on delete all --all', async () => {
    await cluster.mustKubectl(['delete', 'all', '--all', '-n', 'team-a']);
    expect(await cluster.mustKubectl(['get', 'ovm', '-n', 'team-a', '-o', 'name'])).toContain('web-1');
  });

  it('shows them under the category ovcp', async () => {
    const shown = await cluster.mustKubectl(['get', 'ovcp', '-A', '-o', 'name']);
    for (const kind of kinds) expect(shown).toContain(`${kind.singular}.ovcp.dev/`);
  });

  it('explains fields', async () => {
    expect(await cluster.mustKubectl(['explain', 'ovm.spec.deletionProtection'])).toContain(
      'While true, deleting the object is refused',
    );
  });
});
