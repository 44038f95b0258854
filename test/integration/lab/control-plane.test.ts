import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlane, startControlPlane } from '../../../hack/lab/control-plane.ts';
import { untilCrdsEstablished } from '../../../hack/lab/crds.ts';
import { pidAlive } from '../../../hack/lab/process.ts';

const crd = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.lab.ovcp.dev}
spec:
  group: lab.ovcp.dev
  names: {kind: Widget, plural: widgets, singular: widget}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties: {size: {type: integer, maximum: 10}}
`;

const widget = (size: number): string =>
  `{apiVersion: lab.ovcp.dev/v1, kind: Widget, metadata: {name: w, namespace: default}, spec: {size: ${size}}}`;

const rights = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: widgets}
rules: [{apiGroups: [lab.ovcp.dev], resources: [widgets], verbs: [get, list, create, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: widgets}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: widgets}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: widgeteers}]
`;

const policy = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-deletion}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules: [{apiGroups: [lab.ovcp.dev], apiVersions: ["*"], operations: [DELETE], resources: [widgets]}]
  validations: [{expression: "oldObject.spec.size < 3", message: "large widgets stay"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-deletion}
spec: {policyName: no-deletion, validationActions: [Deny]}
`;

describe('the control plane of the lab', () => {
  let dir: string;
  let plane: ControlPlane;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ovcp-cp-'));
    plane = await startControlPlane({ dir, auditLog: true });
    await plane.mustKubectl(['apply', '-f', '-'], { stdin: `${crd}---\n${rights}` });
    await untilCrdsEstablished((args) => plane.mustKubectl(args));
  });

  afterAll(async () => {
    const pids = plane.processes().map(({ pid }) => pid);
    await plane.stop();
    expect(pids.filter(pidAlive)).toEqual([]);
    await rm(dir, { recursive: true, force: true });
  });

  it('counts the writes of one user in its audit log, and no reads', async () => {
    const kubeconfig = await plane.userKubeconfig('alice', ['widgeteers']);
    await plane.mustKubectl(['apply', '--server-side', '-f', '-'], { kubeconfig, stdin: widget(4) });
    await plane.mustKubectl(['get', 'widgets.lab.ovcp.dev', '-n', 'default'], { kubeconfig });
    const entries = await plane.audit('alice');
    expect(
      entries.map(({ verb, resource, namespace, name, code }) => ({ verb, resource, namespace, name, code })),
    ).toEqual([{ verb: 'patch', resource: 'widgets', namespace: 'default', name: 'w', code: 201 }]);
  });

  it('refuses what RBAC does not grant and what the schema forbids', async () => {
    const stranger = await plane.userKubeconfig('mallory');
    const forbidden = await plane.kubectl(['get', 'widgets.lab.ovcp.dev', '-A'], { kubeconfig: stranger });
    expect(forbidden.code).not.toBe(0);
    expect(forbidden.stderr).toContain('User "mallory" cannot list resource "widgets"');
    const tooLarge = await plane.kubectl(['apply', '-f', '-'], { stdin: widget(11) });
    expect(tooLarge.stderr).toContain('should be less than or equal to 10');
  });

  it('enforces a ValidatingAdmissionPolicy on deletion', async () => {
    await plane.mustKubectl(['apply', '-f', '-'], { stdin: widget(4) });
    await plane.mustKubectl(['apply', '-f', '-'], { stdin: policy });
    await expect
      .poll(
        async () =>
          (await plane.kubectl(['delete', 'widgets.lab.ovcp.dev', 'w', '-n', 'default', '--dry-run=server']))
            .stderr,
        { timeout: 120_000 },
      )
      .toContain('large widgets stay');
  });

  it('keeps objects over a killed and a restarted API server and a compaction', async () => {
    await plane.mustKubectl(['apply', '-f', '-'], { stdin: widget(4) });
    await plane.killApiServer();
    expect((await plane.kubectl(['get', 'ns', '--request-timeout=2s'])).code).not.toBe(0);
    await plane.startApiServer();
    expect(Number(await plane.compactEtcd())).toBeGreaterThan(1);
    await plane.restartApiServer();
    expect(
      await plane.mustKubectl([
        'get',
        'widgets.lab.ovcp.dev',
        'w',
        '-n',
        'default',
        '-o',
        'jsonpath={.spec.size}',
      ]),
    ).toBe('4');
  });

  it('deletes namespaces with what is in them', async () => {
    await plane.mustKubectl(['create', 'namespace', 'gone']);
    await plane.mustKubectl(['create', 'configmap', 'c', '-n', 'gone']);
    await plane.mustKubectl(['delete', 'namespace', 'gone', '--timeout=300s']);
    expect((await plane.kubectl(['get', 'configmap', 'c', '-n', 'gone'])).stderr).toContain('not found');
  });

  it('runs beside another one', async () => {
    const second = await mkdtemp(join(tmpdir(), 'ovcp-cp-'));
    const other = await startControlPlane({ dir: second, controllerManager: false });
    try {
      expect(other.url).not.toBe(plane.url);
      expect((await other.kubectl(['get', 'crd', 'widgets.lab.ovcp.dev'])).stderr).toContain('NotFound');
      expect(await other.audit()).toEqual([]);
    } finally {
      await other.stop();
      await rm(second, { recursive: true, force: true });
    }
  });
});
