import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Arbitrary, assert, constant, constantFrom, oneof, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import type { KindDefinition } from '../../../src/api/kind.ts';
import { kinds } from '../../../src/api/kinds.ts';
import type { StructuralSchema } from '../../../src/api/structural.ts';
import {
  beyondBounds,
  changeAt,
  FOREIGN,
  isObject,
  type Json,
  type Path,
  pathsOf,
  schemaAt,
} from './mutate.ts';
import { createWitness, type Witness } from './witness.ts';

const root = join(import.meta.dirname, '..', '..', '..');

interface Reader {
  readonly kind: KindDefinition;
  readonly schema: StructuralSchema;
  readonly witness: Witness;
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: Json;
}

const schemaOf = (kind: KindDefinition): StructuralSchema => {
  const crd = parse(readFileSync(join(root, 'crds', `${kind.group}_${kind.plural}.yaml`), 'utf8')) as {
    spec: { versions: [{ schema: { openAPIV3Schema: StructuralSchema } }] };
  };
  return crd.spec.versions[0].schema.openAPIV3Schema;
};

const readers = new Map<string, Reader>(
  kinds.map((kind) => {
    const schema = schemaOf(kind);
    return [kind.kind, { kind, schema, witness: createWitness(schema) }];
  }),
);

const readerOf = (kind: string): Reader => {
  const reader = readers.get(kind);
  if (reader === undefined) throw new Error(`no kind ${kind}`);
  return reader;
};

const manifestsIn = (folder: string): { name: string; text: string; object: Manifest }[] =>
  readdirSync(join(root, 'deploy', 'samples', folder))
    .sort()
    .flatMap((name) => {
      const text = readFileSync(join(root, 'deploy', 'samples', folder, name), 'utf8');
      return parseAllDocuments(text)
        .map((document) => document.toJS() as Manifest)
        .filter((object) => object.apiVersion.startsWith('ovcp.dev/'))
        .map((object) => ({ name: `${folder}/${name}`, text, object }));
    });

/** What the zod side says: undefined when it accepts. */
const zodSays = ({ kind }: Reader, object: Manifest): string | undefined => {
  const parsed = kind.spec.safeParse(object.spec);
  if (!parsed.success) return parsed.error.message;
  return kind.rules.find((rule) => rule.js?.(object) === false)?.message;
};

const good = ['quickstart', 'storage', 'kinds'].flatMap(manifestsIn);
const bad = manifestsIn('bad');
/** Refused by what only the API server does: strict decoding of unknown fields. */
const STRICT_DECODING = 'unknown field';

describe('samples', () => {
  it('has one of every kind', () => {
    expect(new Set(good.map(({ object }) => object.kind))).toEqual(new Set(kinds.map((kind) => kind.kind)));
  });

  it.each(good)('$name is accepted by zod and by the emitted CRD', ({ object }) => {
    const reader = readerOf(object.kind);
    expect(zodSays(reader, object)).toBeUndefined();
    expect(reader.witness(object)).toBeUndefined();
  });

  it.each(bad.filter(({ text }) => !text.includes(STRICT_DECODING)))(
    '$name is refused by both',
    ({ object }) => {
      const reader = readerOf(object.kind);
      expect(zodSays(reader, object)).toBeTypeOf('string');
      expect(reader.witness(object)).toBeTypeOf('string');
    },
  );
});

const valueAt = (document: Json, path: Path): Json | undefined => {
  let found: Json | undefined;
  changeAt(document, path, (value) => {
    found = value;
    return value;
  });
  return found;
};

const withField = (old: Json | undefined, name: string, value: Json): Json | undefined =>
  isObject(old) ? { ...old, [name]: value } : old;

/** One random change of a spec: taken away, of another type, out of bounds, twice, or with a field too many. */
const mutation = ({ schema }: Reader, spec: Json): Arbitrary<Json> =>
  constantFrom(...pathsOf(spec)).chain((path) => {
    const at = schemaAt(schema, ['spec', ...path]);
    const old = valueAt(spec, path);
    const known = constantFrom(...Object.keys(at?.properties ?? { name: 0 }));
    return oneof(
      constant(undefined),
      constantFrom(...FOREIGN, ...(at === undefined ? [] : beyondBounds(at, old))),
      constant(Array.isArray(old) ? [...(old as readonly Json[]), ...(old as readonly Json[])] : old),
      constant(withField(old, 'nobodyKnows', 1)),
      known.chain((name) => constantFrom(...FOREIGN).map((value) => withField(old, name, value))),
    ).map((value) => changeAt(spec, path, () => value) ?? null);
  });

describe('mutated samples', () => {
  it.each(good)('$name: zod and the emitted CRD agree', ({ object }) => {
    const reader = readerOf(object.kind);
    const mutated = mutation(reader, object.spec ?? null);
    assert(
      property(
        mutated.chain((once) => oneof(constant(once), mutation(reader, once))),
        (spec) => {
          const candidate = { ...object, spec };
          const [zod, crd] = [zodSays(reader, candidate), reader.witness(candidate)];
          if ((zod === undefined) !== (crd === undefined)) {
            throw new Error(`zod: ${zod ?? 'accepts'}\nCRD: ${crd ?? 'accepts'}`);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
