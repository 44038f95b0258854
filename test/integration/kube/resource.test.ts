import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { untilCrdsEstablished } from '../../../hack/lab/crds.ts';
import type { Resource } from '../../../src/kube/contract.ts';
import {
  type ConfigMap,
  createConfigMaps,
  createLeases,
  createSecrets,
  readSecret,
} from '../../../src/kube/core-kinds.ts';
import { createResource } from '../../../src/kube/resource.ts';
import type { KindInfo, KubeObject } from '../../../src/kube/types.ts';
import type { Fault } from '../../../src/runtime/fault.ts';
import { connect, type Lab, startLab } from './lab.ts';

const { signal } = new AbortController();
const at = (name: string) => ({ name, namespace: 'default' });
let lab: Lab;
let maps: Resource<ConfigMap>;

const faultOf = (work: Promise<unknown>): Promise<Fault> =>
  work.then(
    () => Promise.reject(new Error('expected a fault')),
    (error: unknown) => error as Fault,
  );

beforeAll(async () => {
  lab = await startLab();
  maps = createConfigMaps(lab.transport);
});
afterAll(() => lab.stop());

const apply = (name: string, data: Record<string, string>, fieldManager: string, force = false) =>
  maps.apply({ metadata: at(name), data }, { fieldManager, force }, signal);

describe('server-side apply', () => {
  test('owns its fields, gives up those it leaves out, and takes others’ by force only', async () => {
    await apply('owned', { a: '1', b: '1' }, 'one');
    await apply('owned', { c: '1' }, 'two');
    expect((await apply('owned', { a: '1' }, 'one')).data).toEqual({ a: '1', c: '1' });
    const fault = await faultOf(apply('owned', { c: '2' }, 'one'));
    expect([fault.kind, fault.reason]).toEqual(['conflict', 'FieldManagerConflict']);
    expect(fault.message).toContain('two');
    expect((await apply('owned', { a: '1', c: '2' }, 'one', true)).data).toEqual({ a: '1', c: '2' });
  });

  test('holds to the resourceVersion and the uid it names', async () => {
    const made = await apply('held', { a: '1' }, 'one');
    await apply('held', { a: '2' }, 'one');
    const stale = { ...at('held'), resourceVersion: made.metadata.resourceVersion };
    const options = { fieldManager: 'one', force: true };
    expect(await faultOf(maps.apply({ metadata: stale, data: {} }, options, signal))).toMatchObject({
      kind: 'conflict',
      reason: 'Conflict',
    });
    const gone = { ...at('gone'), uid: made.metadata.uid };
    expect((await faultOf(maps.apply({ metadata: gone, data: {} }, options, signal))).kind).toBe('conflict');
    expect(await maps.get(at('gone'), signal)).toBeUndefined();
  });
});

describe('status of a custom kind', () => {
  const THING: KindInfo = {
    group: 'test.ovcp.dev',
    version: 'v1',
    plural: 'things',
    kind: 'Thing',
    scope: 'Namespaced',
  };
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.test.ovcp.dev' },
    spec: {
      group: THING.group,
      scope: THING.scope,
      names: { plural: THING.plural, kind: THING.kind },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: { type: 'object', properties: { size: { type: 'integer', maximum: 5 } } },
                status: { type: 'object', properties: { phase: { type: 'string' } } },
              },
            },
          },
        },
      ],
    },
  };
  let things: Resource<KubeObject>;

  beforeAll(async () => {
    things = createResource<KubeObject>(lab.transport, THING, { parse: (raw) => raw as KubeObject });
    expect(await faultOf(things.currentVersion({}, signal))).toMatchObject({
      kind: 'unsupported',
      reason: 'NotServed',
    });
    await lab.plane.mustKubectl(['apply', '-f', '-'], { stdin: JSON.stringify(definition) });
    await untilCrdsEstablished((args) => lab.plane.mustKubectl(args));
  });

  test('spec and status are written apart', async () => {
    await things.create({ metadata: at('t'), spec: { size: 1 }, status: { phase: 'Ignored' } }, signal);
    const options = { fieldManager: 'ovcp', force: true };
    const written = await things.applyStatus(
      { metadata: at('t'), spec: { size: 2 }, status: { phase: 'Ready' } },
      options,
      signal,
    );
    expect([written.spec, written.status]).toEqual([{ size: 1 }, { phase: 'Ready' }]);
    const status = { op: 'replace', path: '/status/phase', value: 'Gone' } as const;
    const patched = await things.patchJson(at('t'), [status], { subresource: 'status' }, signal);
    expect(patched.status).toEqual({ phase: 'Gone' });
  });

  test('what the schema refuses is invalid, with the field', async () => {
    const fault = await faultOf(things.create({ metadata: at('big'), spec: { size: 9 } }, signal));
    expect(fault.kind).toBe('invalid');
    expect(fault.message).toContain('spec.size');
  });

  test('a finalizer holds the deletion, and is taken away with a test on what it is', async () => {
    await things.create(
      { metadata: { ...at('held'), finalizers: ['ovcp.dev/test'] } as never, spec: {} },
      signal,
    );
    expect((await things.delete(at('held'), {}, signal)).kind).toBe('terminating');
    const take = (expected: string) =>
      things.patchJson(
        at('held'),
        [
          { op: 'test', path: '/metadata/finalizers/0', value: expected },
          { op: 'remove', path: '/metadata/finalizers/0' },
        ],
        {},
        signal,
      );
    expect(await faultOf(take('somebody/else'))).toMatchObject({
      kind: 'conflict',
      reason: 'PatchTestFailed',
    });
    await take('ovcp.dev/test');
    expect(await things.get(at('held'), signal)).toBeUndefined();
    expect((await things.delete(at('held'), {}, signal)).kind).toBe('absent');
  });
});

test('a delete holds to its preconditions', async () => {
  const made = await apply('kept', { a: '1' }, 'one');
  expect((await faultOf(maps.delete(at('kept'), { uid: 'another' }, signal))).kind).toBe('conflict');
  expect(await maps.delete(at('kept'), { uid: made.metadata.uid }, signal)).toEqual({ kind: 'deleted' });
});

test('creating twice, a name that is no name, a namespace that is not there', async () => {
  await maps.create({ metadata: at('once') }, signal);
  expect((await faultOf(maps.create({ metadata: at('once') }, signal))).reason).toBe('AlreadyExists');
  expect((await faultOf(maps.delete(at(''), {}, signal))).reason).toBe('InvalidName');
  expect((await faultOf(maps.get(at('../secrets/x'), signal))).reason).toBe('InvalidName');
  const nowhere = { metadata: { name: 'x', namespace: 'nowhere' } };
  expect((await faultOf(maps.create(nowhere, signal))).reason).toBe('NotFound');
});

test('a Secret is read by name; a Lease is replaced only in the version that was read', async () => {
  await lab.plane.mustKubectl(['create', 'secret', 'generic', 'cred', '--from-literal=password=hunter2']);
  const secret = await readSecret(createSecrets(lab.transport), at('cred'), signal);
  expect(secret?.get('password')?.toString()).toBe('hunter2');
  const leases = createLeases(lab.transport);
  const made = await leases.create({ metadata: at('lead'), spec: { holderIdentity: 'a' } }, signal);
  await leases.replace({ ...made, spec: { holderIdentity: 'b' } }, signal);
  expect((await faultOf(leases.replace({ ...made, spec: { holderIdentity: 'c' } }, signal))).reason).toBe(
    'Conflict',
  );
});

describe('credentials', () => {
  const deniedTo = async (kubeconfig: string): Promise<Fault> => {
    const transport = await connect(kubeconfig);
    const fault = await faultOf(createConfigMaps(transport).get(at('once'), signal));
    await transport.close();
    return fault;
  };

  test('a client certificate without rights is denied, by its name', async () => {
    const fault = await deniedTo(await lab.plane.userKubeconfig('nobody'));
    expect([fault.kind, fault.reason]).toEqual(['denied', 'Forbidden']);
    expect(fault.message).toContain('nobody');
  });

  test('a service account’s token works, a wrong one is denied and not repeated in the message', async () => {
    await lab.plane.mustKubectl(['create', 'serviceaccount', 'robot']);
    await lab.plane.mustKubectl([
      'create',
      'clusterrolebinding',
      'robot',
      '--clusterrole=view',
      '--serviceaccount=default:robot',
    ]);
    const token = (await lab.plane.mustKubectl(['create', 'token', 'robot'])).trim();
    const write = async (name: string, token: string): Promise<string> => {
      const config = `${lab.plane.kubeconfig}.${name}`;
      const options = { kubeconfig: config };
      await lab.plane.mustKubectl(
        [
          'config',
          'set-cluster',
          'c',
          `--server=${lab.plane.url}`,
          `--certificate-authority=${lab.plane.caPath}`,
        ],
        options,
      );
      await lab.plane.mustKubectl(['config', 'set-credentials', 'u', `--token=${token}`], options);
      await lab.plane.mustKubectl(['config', 'set-context', 'x', '--cluster=c', '--user=u'], options);
      await lab.plane.mustKubectl(['config', 'use-context', 'x'], options);
      return config;
    };
    const transport = await connect(await write('robot', token));
    expect((await createConfigMaps(transport).get(at('once'), signal))?.metadata.name).toBe('once');
    await transport.close();
    const fault = await deniedTo(await write('wrong', 'not-the-token-at-all'));
    expect([fault.kind, fault.reason]).toEqual(['denied', 'Unauthorized']);
    expect(`${fault.message}${String(fault.stack)}`).not.toContain('not-the-token');
  });
});
