import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlPlane, startControlPlane } from '../../../hack/lab/control-plane.ts';
import { untilCrdsEstablished } from '../../../hack/lab/crds.ts';

/** Root of the repository. */
export const root = join(import.meta.dirname, '..', '..', '..');

/** A manifest of deploy/samples; `says` is its first comment line. */
export interface Sample {
  readonly name: string;
  readonly path: string;
  readonly says: string;
}

/** The files of one folder of deploy/samples, by name. */
export const samples = (folder: string): Sample[] =>
  readdirSync(join(root, 'deploy', 'samples', folder))
    .sort()
    .map((name) => {
      const path = join(root, 'deploy', 'samples', folder, name);
      const [first = ''] = readFileSync(path, 'utf8').split('\n');
      return { name: `${folder}/${name}`, path, says: first.replace(/^# /, '') };
    });

/** A control plane with our CRDs and, when asked, our admission policies in force. */
export interface ApiCluster extends ControlPlane {
  /** Applies one manifest; throws when it is refused. */
  apply(manifest: object): Promise<string>;
  /** Applies one manifest that has to be refused; gives standard error. */
  refused(manifest: object, kubeconfig?: string): Promise<string>;
  /** Stops everything and removes its folder. */
  remove(): Promise<void>;
}

const expectRefusal = (what: string, result: { code: number; stdout: string; stderr: string }): string => {
  if (result.code === 0) throw new Error(`${what} was accepted: ${result.stdout}`);
  return result.stderr;
};

export const startApiCluster = async (): Promise<ApiCluster> => {
  const dir = mkdtempSync(join(tmpdir(), 'ovcp-api-'));
  const plane = await startControlPlane({ dir });
  const remove = async (): Promise<void> => {
    await plane.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await plane.mustKubectl(['apply', '--server-side', '-f', join(root, 'crds')]);
    await untilCrdsEstablished((args) => plane.mustKubectl(args));
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    ...plane,
    apply: (manifest) => plane.mustKubectl(['apply', '-f', '-'], { stdin: JSON.stringify(manifest) }),
    refused: async (manifest, kubeconfig) => {
      const stdin = JSON.stringify(manifest);
      const options = kubeconfig === undefined ? { stdin } : { stdin, kubeconfig };
      return expectRefusal('the manifest', await plane.kubectl(['apply', '-f', '-'], options));
    },
    remove,
  };
};

/** kubectl has to fail; gives standard error. */
export const mustFail = async (cluster: ApiCluster, args: readonly string[]): Promise<string> =>
  expectRefusal(args.join(' '), await cluster.kubectl(args));

interface Metadata {
  readonly name: string;
  readonly namespace?: string;
}

/** A manifest of one of our kinds. */
export const manifest = (kind: string, metadata: Metadata, spec: object): object => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind,
  metadata,
  spec,
});
