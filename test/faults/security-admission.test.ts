/** What the API server refuses a tenant, and what the operator's own account may not do (reliability.md C4). */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type ControlPlane, startControlPlane } from '../../hack/lab/control-plane.ts';
import { untilCrdsEstablished } from '../../hack/lab/crds.ts';
import { waitUntil } from '../../hack/lab/process.ts';
import { disk, image, machine, storagePool } from './objects.ts';

const root = join(import.meta.dirname, '..', '..');
const namespaced = ['virtualdisks', 'virtualmachineimages', 'virtualmachines'];
let plane: ControlPlane;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ovcp-admission-'));
  // Its controller manager joins the tenants' roles to those of the cluster.
  plane = await startControlPlane({ dir });
  await plane.mustKubectl(['apply', '--server-side', '-f', join(root, 'crds')]);
  await untilCrdsEstablished((args) => plane.mustKubectl(args));
  await plane.mustKubectl(['apply', '-k', join(root, 'deploy', 'base')]);
});
afterAll(async () => {
  await plane.stop();
  await rm(dir, { recursive: true, force: true });
});

const create = (text: string) => plane.kubectl(['create', '-f', '-'], { stdin: text });
const refusal = async (manifest: object | string): Promise<string> => {
  const text = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
  const { code, stderr } = await create(text);
  expect(code, `${text.slice(0, 400)} was accepted`).not.toBe(0);
  return stderr;
};
const vm = (spec: object) => machine('attack', 'default', 'kvm', spec);

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly additionalProperties?: Node | boolean;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
}
const fieldsOf = (node: Node | undefined, at: string): readonly string[] =>
  node === undefined
    ? []
    : [
        at,
        ...fieldsOf(node.items, `${at}[]`),
        ...Object.entries(node.properties ?? {}).flatMap(([name, it]) => fieldsOf(it, `${at}.${name}`)),
      ];
const specs = (): readonly { readonly plural: string; readonly spec: Node; readonly whole: string }[] =>
  readdirSync(join(root, 'crds')).flatMap((file) =>
    parseAllDocuments(readFileSync(join(root, 'crds', file), 'utf8')).flatMap((document) => {
      const crd = document.toJS() as {
        spec: {
          names: { plural: string };
          versions: { schema: { openAPIV3Schema: { properties: { spec: Node } } } }[];
        };
      };
      const { plural } = crd.spec.names;
      const whole = JSON.stringify(crd);
      return crd.spec.versions.map(({ schema }) => ({
        plural,
        spec: schema.openAPIV3Schema.properties.spec,
        whole,
      }));
    }),
  );

describe('S1, S3, S20: what a tenant writes', () => {
  it('has no field for a path, a device, an emulator or XML', () => {
    const words =
      /path|file|device(?!s)|emulator|kernel|nvram|xml|commandline|hook|passthrough|hostdev|pci|usb|hugepage/i;
    const fields = specs()
      .filter(({ plural }) => namespaced.includes(plural))
      .flatMap(({ plural, spec }) => fieldsOf(spec, plural));
    expect(fields.length).toBeGreaterThan(60);
    expect(fields.filter((field) => words.test(field))).toEqual([]);
  });

  it('has no field for a target, a LUN, an initiator or a secret of a storage server', () => {
    const words = /iqn|lun\b|target|initiator|portal|chap|brick|server(?!s\b)|glusterVolume/i;
    const fields = specs()
      .filter(({ plural }) => namespaced.includes(plural))
      .flatMap(({ plural, spec }) => fieldsOf(spec, plural));
    expect(fields.filter((field) => words.test(field))).toEqual([]);
  });

  it('is known field by field: nothing unknown is kept in any kind', () => {
    for (const { plural, whole } of specs()) {
      expect(whole.includes('preserve-unknown-fields":true'), plural).toBe(false);
      expect(whole.includes('x-kubernetes-embedded-resource'), plural).toBe(false);
    }
  });

  it.each([
    ['a path for a name of an image', vm({ cdroms: [{ name: 'a', imageRef: { name: '/dev/sda' } }] })],
    ['a path out of a folder', vm({ disks: [{ name: 'a', diskRef: { name: '../../etc/shadow' } }] })],
    ['an XML passthrough', vm({ domainXml: '<qemu:commandline/>' })],
    ['a host path of a disk', disk('attack', 'default', 'local', { path: '/etc/shadow' })],
  ])('%s is refused', async (_what, manifest) => {
    expect(await refusal(manifest)).toMatch(/must be a DNS name|unknown field/);
  });
});

describe('S2, S4: characters that mean something to XML or a shell', () => {
  const nasty = [
    '"><script>',
    ']]>',
    '&lt;!ENTITY x SYSTEM "file:///etc/passwd"&gt;',
    'a\u0000b',
    'a\nb',
    '\u202e',
    '$(reboot)',
    '`id`',
    '; rm -rf /',
    'a'.repeat(1_000_000),
  ];
  it.each(nasty.map((text) => [JSON.stringify(text).slice(0, 40), text] as const))(
    '%s is refused in every name',
    async (_shown, text) => {
      const places = [
        vm({ hostPoolRef: { name: text } }),
        vm({ disks: [{ name: text, diskRef: { name: 'a' } }] }),
        vm({ networks: [{ name: text, networkRef: { name: 'a' } }] }),
        vm({ cpu: { cores: 1, model: text } }),
        vm({ cloudInit: { hostname: text } }),
        vm({ networks: [{ name: 'a', networkRef: { name: 'a' }, macAddress: text }] }),
      ];
      const list = places.map((place, at) => ({
        ...place,
        metadata: { ...place.metadata, name: `attack-${at}` },
      }));
      const { stdout } = await create(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: list }));
      expect(stdout).toBe('');
    },
  );

  const san = (change: object) =>
    storagePool('attack', ['kvm'], {
      driver: 'iscsi',
      topology: undefined,
      roles: ['Disks'],
      iscsi: {
        target: {
          software: 'TGT',
          address: '192.0.2.31',
          portals: ['192.0.2.31:3260'],
          credentialsSecretRef: { name: 'a' },
        },
        backing: { type: 'Files', files: { path: '/srv/san' } },
        attach: 'QEMU',
        ...change,
      },
    });
  it('nor in what the administrator says of a storage server', async () => {
    expect((await create(JSON.stringify({ ...san({}), metadata: { name: 'sound' } }))).code).toBe(0);
    const chap = { credentialsSecretRef: { name: 'a' } };
    for (const text of nasty) {
      const places = [
        san({ backing: { type: 'Files', files: { path: `/srv/${text}` } } }),
        san({ backing: { type: 'LVM', lvm: { volumeGroup: text } } }),
        san({ backing: { type: 'LVMThin', lvmThin: { volumeGroup: 'vg0', thinPool: text } } }),
        san({ chap: { ...chap, user: text } }),
        san({
          target: { software: 'TGT', address: text, portals: [text], credentialsSecretRef: { name: 'a' } },
        }),
      ];
      const list = places.map((place, at) => ({ ...place, metadata: { name: `attack-${at}` } }));
      const { stdout } = await create(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: list }));
      expect(stdout, text.slice(0, 40)).toBe('');
    }
    for (const path of ['/srv/../etc', '/srv/./x', 'srv'])
      expect(await refusal(san({ backing: { type: 'Files', files: { path } } }))).toContain(
        'must be absolute',
      );
  });

  it.each([
    'file:///etc/shadow',
    'gopher://x',
    'http://user:password@example.org/a',
    'https://example.org/a b',
    "https://example.org/'$(id)\u0000",
    'https://exa\u202emple.org/',
  ])('%j is no URL of an image', async (url) => {
    const message = await refusal(image('attack', 'default', 'local', url, `sha256:${'0'.repeat(64)}`));
    expect(message).toContain('must be an http or https URL');
  });
});

describe('S18: what breaks parsers', () => {
  it.each(['__proto__', 'constructor', 'prototype', 'toString'])('%s is no field', async (key) => {
    const text = JSON.stringify(vm({})).replace('"spec":{', `"spec":{"${key}":{"polluted":true},`);
    expect(await refusal(text)).toContain(`unknown field "spec.${key}"`);
  });

  it('deep nesting, long lists and numbers out of range are refused', async () => {
    const deep = JSON.stringify(vm({})).replace(
      '"spec":{',
      `"spec":{"cpu":${'{"a":'.repeat(12_000)}1${'}'.repeat(12_000)},`,
    );
    await refusal(deep);
    const many = Array.from({ length: 1_000 }, (_, at) => ({ name: `d${at}`, diskRef: { name: `d${at}` } }));
    expect(await refusal(vm({ disks: many }))).toMatch(/at most 16/);
    for (const memory of ['1e999', 'NaN', '-1Gi', '9223372036854775808', '0x10'])
      expect(await refusal(vm({ memory })), memory).toMatch(/memory must be a quantity|spec\.memory/);
    for (const cores of ['1e999', '2147483648', '0.5', '-1'])
      await refusal(JSON.stringify(vm({})).replace('"cores":1', `"cores":${cores}`));
  });

  it('patterns are answered in linear time', async () => {
    // Nested repetition makes backtracking engines run for ever; RE2 and the bound on length do not.
    const name = `${'a-'.repeat(30)}${'a.'.repeat(90)}!`;
    expect(await refusal(vm({ hostPoolRef: { name } }))).toContain('must be a DNS name');
  });
});

describe('S12: a tenant of whom the cluster knows view, edit or admin', () => {
  const at = ['-n', 'tenants'];
  const manifests = [
    machine('hers', 'tenants', 'kvm'),
    disk('hers', 'tenants', 'local'),
    image('hers', 'tenants', 'local', 'https://example.org/a', `sha256:${'0'.repeat(64)}`),
  ];
  /** A raw PUT: kubectl's own commands read the status first, which is refused as well. */
  const putStatus = (plural: string, manifest: object, kubeconfig: string) => {
    const path = `/apis/ovcp.dev/v1alpha1/namespaces/tenants/${plural}/hers/status`;
    const stdin = JSON.stringify({ ...manifest, status: { observedGeneration: 7 } });
    return plane.kubectl(['replace', '--raw', path, '-f', '-'], { stdin, kubeconfig });
  };

  beforeAll(async () => {
    await plane.mustKubectl(['create', 'namespace', 'tenants']);
    for (const role of ['view', 'edit', 'admin']) {
      await plane.mustKubectl([
        'create',
        'rolebinding',
        role,
        ...at,
        `--clusterrole=${role}`,
        `--user=${role}er`,
      ]);
      const joined = async (): Promise<boolean> => {
        const rules = await plane.mustKubectl(['get', 'clusterrole', role, '-o', 'jsonpath={.rules}']);
        return rules.includes('ovcp.dev');
      };
      await waitUntil(`${role} with ours`, joined, { limitMs: 180_000 });
    }
  });

  it.each(['edit', 'admin'])(
    '%s: makes, changes and deletes machines, and writes no status',
    async (role) => {
      const kubeconfig = await plane.userKubeconfig(`${role}er`);
      for (const manifest of manifests) {
        const stdin = JSON.stringify(manifest);
        const what = [`${manifest.kind}.ovcp.dev`, 'hers', ...at];
        await plane.mustKubectl(['create', '-f', '-'], { stdin, kubeconfig });
        await plane.mustKubectl(['annotate', ...what, 'example.org/mine=1'], { kubeconfig });
        const plural = `${manifest.kind.toLowerCase()}s`;
        const { code, stderr } = await putStatus(plural, manifest, kubeconfig);
        expect(code).not.toBe(0);
        expect(stderr).toContain(`cannot update resource "${plural}/status"`);
        const ask = ['auth', 'can-i', 'patch', `${plural}.ovcp.dev`, '--subresource=status', ...at];
        const mayPatch = await plane.kubectl(ask, { kubeconfig });
        expect(mayPatch.stdout.trim()).toBe('no');
        await plane.mustKubectl(['delete', ...what], { kubeconfig });
      }
    },
  );

  it('view: looks, and changes nothing', async () => {
    const kubeconfig = await plane.userKubeconfig('viewer');
    for (const kind of namespaced) {
      await plane.mustKubectl(['get', `${kind}.ovcp.dev`, ...at], { kubeconfig });
    }
    const stdin = JSON.stringify(machine('hers', 'tenants', 'kvm'));
    const { code, stderr } = await plane.kubectl(['create', '-f', '-'], { stdin, kubeconfig });
    expect(code).not.toBe(0);
    expect(stderr).toContain('cannot create resource "virtualmachines"');
  });

  it('and none of them sees or makes what is the administrator’s', async () => {
    const kubeconfig = await plane.userKubeconfig('adminer');
    for (const kind of ['hostpools', 'hosts', 'storagepools', 'virtualnetworks', 'virtualmachinesizes']) {
      const { code } = await plane.kubectl(['get', `${kind}.ovcp.dev`], { kubeconfig });
      expect(code, kind).not.toBe(0);
    }
  });
});

describe('S26: the operator’s own account', () => {
  const as = '--as=system:serviceaccount:ovcp-system:ovcp';
  const may = async (...what: readonly string[]): Promise<boolean> =>
    (await plane.kubectl(['auth', 'can-i', ...what, as])).stdout.trim().startsWith('yes');

  it('has no wildcard, and reads Secrets by name alone', async () => {
    const list = await plane.mustKubectl(['auth', 'can-i', '--list', '-n', 'ovcp-system', as]);
    const rows = list.split('\n').slice(1);
    expect(rows.filter((row) => row.includes('*') && !row.includes('[/'))).toEqual([]);
    const secrets = rows
      .filter((row) => row.startsWith('secrets'))
      .map((row) => /\[([a-z ]*)\]$/.exec(row)?.[1]);
    expect(secrets).toEqual(['get']);
  });

  it.each([
    ['list', 'secrets', '-A'],
    ['watch', 'secrets', '-A'],
    ['create', 'pods', '-A'],
    ['create', 'pods/exec', '-A'],
    ['patch', 'nodes'],
    ['impersonate', 'users'],
    ['escalate', 'clusterroles'],
    ['bind', 'clusterroles'],
    ['create', 'clusterrolebindings'],
    ['create', 'serviceaccounts/token', '-n', 'ovcp-system'],
    ['update', 'customresourcedefinitions'],
    ['create', 'virtualmachines.ovcp.dev', '-A'],
    ['delete', 'virtualmachines.ovcp.dev', '-A'],
    ['deletecollection', 'virtualdisks.ovcp.dev', '-A'],
    ['patch', 'secrets', '-A'],
    ['patch', 'virtualmachinesizes.ovcp.dev'],
  ])('may not %s %s %s', async (...what) => {
    expect(await may(...what)).toBe(false);
  });

  it('may do what it is there for', async () => {
    expect(await may('patch', 'virtualmachines.ovcp.dev', '--subresource=status', '-n', 'default')).toBe(
      true,
    );
    expect(await may('get', 'secrets/any', '-n', 'default')).toBe(true);
  });
});
