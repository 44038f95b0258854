/** kubectl as the administrator and as a tenant. */
import type { ControlPlane } from '../../../hack/lab/control-plane.ts';
import { type Kind, type Mirror, plurals } from './mirror.ts';
import { team, tenantRights } from './objects.ts';
import type { Pulse } from './pulse.ts';

const tenant = 'ann';

const kindNames: ReadonlyMap<string, Kind> = new Map([
  ['HostPool', 'pool'],
  ['Host', 'host'],
  ['StoragePool', 'storage'],
  ['VirtualNetwork', 'network'],
  ['VirtualMachineImage', 'image'],
  ['VirtualDisk', 'disk'],
  ['VirtualMachine', 'machine'],
]);
/** Kinds that are the tenant's. */
export const namespaced: ReadonlySet<Kind> = new Set(['image', 'disk', 'machine']);

/** An object as kubectl prints it. */
interface Printed {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly generation?: number };
}

/**
 * Waits until the watches have seen what was just written: a wait for a state that was there before the write would
 * otherwise end at once.
 */
export const createCatchUp = (mirror: Mirror, pulse: Pulse) => async (text: string) => {
  const printed = JSON.parse(text) as Printed & { readonly items?: readonly Printed[] };
  for (const { kind, metadata } of printed.items ?? [printed]) {
    const ours = kindNames.get(kind);
    if (ours === undefined) continue;
    const { name, namespace, generation = 0 } = metadata;
    await pulse.until(`the watch has seen ${kind} ${name}`, () =>
      (mirror.get(ours, name, namespace)?.metadata.generation ?? -1) >= generation ? true : undefined,
    );
  }
};

export const createTalk = async (plane: ControlPlane, caughtUp: (text: string) => Promise<void>) => {
  const kubeconfig = await plane.userKubeconfig(tenant);
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: team, labels: { team: 'a' } } };
  const list = (items: readonly object[]): string =>
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  const applyAsAdmin = async (...objects: object[]): Promise<void> => {
    await caughtUp(await plane.mustKubectl(['apply', '-o', 'json', '-f', '-'], { stdin: list(objects) }));
  };
  await applyAsAdmin(namespace);
  await applyAsAdmin(...tenantRights(tenant));
  const kubectl = (...args: string[]) => plane.mustKubectl(['-n', team, ...args], { kubeconfig });
  const as = (kind: Kind) => (namespaced.has(kind) ? { kubeconfig } : {});
  const named = (kind: Kind): string => `${plurals[kind]}.ovcp.dev`;
  return {
    kubectl,
    applyAsAdmin,
    apply: async (...objects: object[]) => {
      const argv = ['-n', team, 'apply', '-o', 'json', '-f', '-'];
      await caughtUp(await plane.mustKubectl(argv, { stdin: list(objects), kubeconfig }));
    },
    patch: async (kind: Kind, name: string, spec: object) => {
      const patch = JSON.stringify({ spec });
      const argv = ['-n', team, 'patch', named(kind), name, '--type=merge', '-o', 'json', '-p', patch];
      await caughtUp(await plane.mustKubectl(argv, as(kind)));
    },
    remove: async (kind: Kind, ...names: string[]) => {
      if (names.length === 0) return;
      await plane.mustKubectl(
        ['-n', team, 'delete', named(kind), ...names, '--wait=false', '--ignore-not-found'],
        as(kind),
      );
    },
  };
};
