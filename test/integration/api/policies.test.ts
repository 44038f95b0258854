import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiCluster, manifest, mustFail, root, startApiCluster } from './api-cluster.ts';

let cluster: ApiCluster;
/** May do everything with our kinds in team-a, and read one Secret. */
let alice: string;

const disk = (name: string, spec: object = {}, namespace = 'team-a'): object =>
  manifest('VirtualDisk', { name, namespace }, { size: '1Gi', storagePoolRef: { name: 'p' }, ...spec });

const machine = (name: string, spec: object = {}): object =>
  manifest(
    'VirtualMachine',
    { name, namespace: 'team-a' },
    {
      hostPoolRef: { name: 'p' },
      sizeRef: { name: 's' },
      ...spec,
    },
  );

const image = (name: string, secret: string): object =>
  manifest(
    'VirtualMachineImage',
    { name, namespace: 'team-a' },
    {
      storagePoolRef: { name: 'p' },
      source: {
        url: 'https://images.example.org/a',
        checksum: `sha256:${'0'.repeat(64)}`,
        credentialsSecretRef: { name: secret },
      },
      format: 'raw',
    },
  );

const claim = (name: string, purpose: string, namespace = 'team-a') =>
  cluster.mustKubectl([
    'patch',
    'odisk',
    name,
    '-n',
    namespace,
    '--subresource=status',
    '--type=merge',
    '-p',
    JSON.stringify({ status: { claim: { purpose, vmName: 'web-1', vmUid: 'u' } } }),
  ]);

const asAlice = (it: object) =>
  cluster.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(it), kubeconfig: alice });

/** By a policy, and not because alice's rights are not known yet either. */
const refusedByPolicy = async (args: readonly string[], stdin?: string): Promise<boolean> => {
  const input = stdin === undefined ? {} : { stdin };
  const { code, stderr } = await cluster.kubectl(args, { kubeconfig: alice, ...input });
  return code !== 0 && stderr.includes('ValidatingAdmissionPolicy');
};

/** The API server takes up new policies a moment after they were stored; a dry run tells when. */
const untilInForce = async (): Promise<void> => {
  const probes: [object, string[]][] = [
    [disk('probe-protected', { deletionProtection: true }), ['odisk', 'probe-protected']],
    [disk('probe-claimed'), ['odisk', 'probe-claimed']],
  ];
  for (const [probe] of probes) await cluster.apply(probe);
  await claim('probe-claimed', 'run');
  for (const [, args] of probes) {
    const probe = ['delete', '-n', 'team-a', '--dry-run=server', ...args];
    while (!(await refusedByPolicy(probe))) await sleep(100);
  }
  const secrets = [
    machine('probe', { cloudInit: { userDataSecretRef: { name: 'hers-not' } } }),
    image('probe', 'hers-not'),
  ];
  for (const probe of secrets) {
    const stdin = JSON.stringify(probe);
    const args = ['create', '--dry-run=server', '-f', '-'];
    while (!(await refusedByPolicy(args, stdin))) await sleep(100);
  }
};

beforeAll(async () => {
  cluster = await startApiCluster();
  const kubectl = (...args: string[]) => cluster.mustKubectl(args);
  await kubectl('create', 'namespace', 'team-a');
  await kubectl(
    'create',
    'role',
    'ours',
    '-n',
    'team-a',
    '--verb=*',
    '--resource=virtualmachines.ovcp.dev,virtualdisks.ovcp.dev,virtualmachineimages.ovcp.dev',
  );
  await kubectl(
    'create',
    'role',
    'secret',
    '-n',
    'team-a',
    '--verb=get',
    '--resource=secrets',
    '--resource-name=hers',
  );
  await kubectl('create', 'rolebinding', 'ours', '-n', 'team-a', '--role=ours', '--user=alice');
  await kubectl('create', 'rolebinding', 'secret', '-n', 'team-a', '--role=secret', '--user=alice');
  alice = await cluster.userKubeconfig('alice');
  await kubectl('apply', '--server-side', '-f', join(root, 'deploy', 'policies'));
  await untilInForce();
});

afterAll(async () => {
  await cluster.remove();
});

describe('policies', () => {
  it('are free of type errors', async () => {
    const warnings = await cluster.mustKubectl([
      'get',
      'validatingadmissionpolicies',
      '-o',
      'jsonpath={.items[*].status.typeChecking.expressionWarnings}',
    ]);
    expect(warnings).toBe('');
  });
});

describe('deletion protection', () => {
  it('holds for a disk and a machine until it is taken off, for an administrator too', async () => {
    await cluster.apply(disk('kept', { deletionProtection: true }));
    await cluster.apply(machine('kept', { deletionProtection: true }));
    for (const [kind, resource] of [
      ['VirtualDisk', 'odisk'],
      ['VirtualMachine', 'ovm'],
    ] as const) {
      expect(await mustFail(cluster, ['delete', resource, 'kept', '-n', 'team-a'])).toContain(
        `${kind} team-a/kept is protected: set spec.deletionProtection to false before deleting it`,
      );
      const patch = JSON.stringify({ spec: { deletionProtection: false } });
      await cluster.mustKubectl(['patch', resource, 'kept', '-n', 'team-a', '--type=merge', '-p', patch]);
      await cluster.mustKubectl(['delete', resource, 'kept', '-n', 'team-a']);
    }
  });

  it('holds back one object of a collection', async () => {
    await cluster.apply(disk('kept', { deletionProtection: true }));
    await mustFail(cluster, ['delete', 'odisk', '-n', 'team-a', '--field-selector=metadata.name=kept']);
    expect(await cluster.mustKubectl(['get', 'odisk', 'kept', '-n', 'team-a', '-o', 'name'])).toContain(
      'kept',
    );
  });

  it('keeps a namespace that is being deleted, which says why, and goes once the protection is off', async () => {
    await cluster.mustKubectl(['create', 'namespace', 'team-b']);
    await cluster.apply(disk('kept', { deletionProtection: true }, 'team-b'));
    await cluster.mustKubectl(['delete', 'namespace', 'team-b', '--wait=false']);
    const condition = '{.status.conditions[?(@.type=="NamespaceDeletionContentFailure")]';
    await cluster.mustKubectl([
      'wait',
      `--for=jsonpath=${condition}.status}=True`,
      'ns/team-b',
      '--timeout=300s',
    ]);
    expect(
      await cluster.mustKubectl(['get', 'ns', 'team-b', '-o', `jsonpath=${condition}.message}`]),
    ).toContain('VirtualDisk team-b/kept is protected');
    const patch = JSON.stringify({ spec: { deletionProtection: false } });
    await cluster.mustKubectl(['patch', 'odisk', 'kept', '-n', 'team-b', '--type=merge', '-p', patch]);
    await cluster.mustKubectl(['wait', '--for=delete', 'ns/team-b', '--timeout=300s']);
  });
});

describe('disks in use', () => {
  it('are not deleted while a machine has them', async () => {
    await cluster.apply(disk('used'));
    await claim('used', 'run');
    const refused = await cluster.kubectl(['delete', 'odisk', 'used', '-n', 'team-a'], { kubeconfig: alice });
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain(
      'VirtualDisk team-a/used is in use by VirtualMachine web-1: take it out of spec.disks, or delete the machine first',
    );
    const patch = JSON.stringify({ status: { claim: null } });
    await cluster.mustKubectl([
      'patch',
      'odisk',
      'used',
      '-n',
      'team-a',
      '--subresource=status',
      '--type=merge',
      '-p',
      patch,
    ]);
    await cluster.mustKubectl(['delete', 'odisk', 'used', '-n', 'team-a']);
  });

  it('are left to the finalizer when whoever may write their status deletes them, as the operator does', async () => {
    await cluster.apply(disk('held'));
    await claim('held', 'run');
    await cluster.mustKubectl(['delete', 'odisk', 'held', '-n', 'team-a']);
  });

  it('are deleted while they are being filled', async () => {
    await cluster.apply(disk('filling'));
    await claim('filling', 'populate');
    await cluster.mustKubectl(['delete', 'odisk', 'filling', '-n', 'team-a']);
  });

  it('go with their namespace', async () => {
    await cluster.mustKubectl(['create', 'namespace', 'team-c']);
    await cluster.apply(disk('used', {}, 'team-c'));
    await claim('used', 'run', 'team-c');
    await cluster.mustKubectl(['delete', 'namespace', 'team-c', '--timeout=300s']);
  });
});

describe('Secrets', () => {
  it.each(['userDataSecretRef', 'networkDataSecretRef'])(
    'of others are not handed to a machine by %s',
    async (field) => {
      const refused = await cluster.refused(
        machine('m1', { cloudInit: { [field]: { name: 'not-hers' } } }),
        alice,
      );
      expect(refused).toContain(
        'you may not read Secret team-a/not-hers, so you may not hand it to a machine',
      );
    },
  );

  it('of others are not sent to a web server', async () => {
    expect(await cluster.refused(image('i1', 'not-hers'), alice)).toContain(
      'you may not read Secret team-a/not-hers, so you may not fetch an image with it',
    );
  });

  it('that she may read are accepted, before they exist too', async () => {
    expect(
      (await asAlice(machine('m2', { cloudInit: { userDataSecretRef: { name: 'hers' } } }))).stderr,
    ).toBe('');
    expect((await asAlice(image('i2', 'hers'))).stderr).toBe('');
  });

  it('cannot be named later either', async () => {
    expect((await asAlice(machine('m3', { cloudInit: { hostname: 'm3' } }))).stderr).toBe('');
    expect(
      await cluster.refused(machine('m3', { cloudInit: { userDataSecretRef: { name: 'not-hers' } } }), alice),
    ).toContain('you may not read Secret team-a/not-hers');
  });

  it('that an administrator named do not keep her from changing the rest', async () => {
    const it = (rest: object) =>
      machine('m4', { cloudInit: { userDataSecretRef: { name: 'not-hers' } }, ...rest });
    await cluster.apply(it({}));
    expect((await asAlice(it({ powerState: 'PoweredOff' }))).code).toBe(0);
  });
});
