import { accessSync, constants } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cached } from './cache.ts';
import { ensureGo } from './go-toolchain.ts';
import { run } from './process.ts';

export const etcdVersion = '3.7.3';
export const kubernetesVersion = '1.36.3';
export const helmVersion = '4.3.1';

export type ControlPlaneBinaries = {
  etcd: string;
  kubeApiserver: string;
  kubeControllerManager: string;
  kubectl: string;
};

type Family = {
  tool: 'etcd' | 'kubernetes' | 'helm';
  version: string;
  /** Main package by the name its binary gets. */
  packages: Record<string, string>;
  /** Variables set by the linker, without the leading -X. */
  variables: string[];
};

const kubernetesVariables = (version: string): string[] => {
  const [major = '', minor = ''] = version.split('.');
  return ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((path) => [
    `${path}.gitVersion=v${version}`,
    `${path}.gitMajor=${major}`,
    `${path}.gitMinor=${minor}`,
    `${path}.gitTreeState=clean`,
  ]);
};

const families = {
  etcd: {
    tool: 'etcd',
    version: etcdVersion,
    packages: { etcd: 'go.etcd.io/etcd/server/v3' },
    variables: [],
  },
  kubernetes: {
    tool: 'kubernetes',
    version: kubernetesVersion,
    packages: {
      'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
      'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
      kubectl: 'k8s.io/kubernetes/cmd/kubectl',
    },
    variables: kubernetesVariables(kubernetesVersion),
  },
  helm: {
    tool: 'helm',
    version: helmVersion,
    packages: { helm: 'helm.sh/helm/v4/cmd/helm' },
    variables: [`helm.sh/helm/v4/internal/version.version=v${helmVersion}`],
  },
} satisfies Record<string, Family>;

const toolsFolder = join(dirname(fileURLToPath(import.meta.url)), '..', 'tools');

/** Builds every program of a family into the cache (once per version) and returns the folder that holds them. */
const familyFolder = (family: Family, say: (line: string) => void): Promise<string> =>
  cached(`${family.tool}-${family.version}`, async (directory) => {
    const go = await ensureGo(say);
    const variables = family.variables.map((variable) => `-X ${variable}`);
    for (const [name, path] of Object.entries(family.packages)) {
      say(`building ${name} ${family.version} (only this once; a few minutes)`);
      const flags = [
        '-mod=readonly',
        '-trimpath',
        '-buildvcs=false',
        '-ldflags',
        ['-s', '-w', ...variables].join(' '),
      ];
      const options = {
        cwd: join(toolsFolder, family.tool),
        env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off' },
      };
      const build = ['nice', '-n', '10', go, 'build', ...flags, '-o', join(directory, name), path];
      const first = await run(build, { ...options, allowFailure: true });
      if (first.code === 0) continue;
      // Go asks its module proxy once for each module, and hundreds are needed; what came is kept.
      say(`that failed, and is tried once more: ${first.stderr.trim().slice(-300)}`);
      await run(build, options);
    }
  });

const executable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** A binary from `KUBEBUILDER_ASSETS` where that folder has it, else from the cache, which is filled on demand. */
const lookUp = async (family: Family, name: string, say: (line: string) => void): Promise<string> => {
  const assets = process.env['KUBEBUILDER_ASSETS'];
  if (assets !== undefined && executable(join(assets, name))) return join(assets, name);
  return join(await familyFolder(family, say), name);
};

const toStderr = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** Absolute paths of the control plane's programs; builds what is missing (4-5 minutes cold on 2 cores). */
export const ensureControlPlaneBinaries = async (
  say: (line: string) => void = toStderr,
): Promise<ControlPlaneBinaries> => ({
  etcd: await lookUp(families.etcd, 'etcd', say),
  kubeApiserver: await lookUp(families.kubernetes, 'kube-apiserver', say),
  kubeControllerManager: await lookUp(families.kubernetes, 'kube-controller-manager', say),
  kubectl: await lookUp(families.kubernetes, 'kubectl', say),
});

/** Absolute path of helm; built when missing. */
export const ensureHelm = (say: (line: string) => void = toStderr): Promise<string> =>
  lookUp(families.helm, 'helm', say);

if (import.meta.main) {
  const binaries = await ensureControlPlaneBinaries();
  const helm = process.argv.includes('--helm') ? { helm: await ensureHelm() } : {};
  process.stdout.write(`${JSON.stringify({ ...binaries, ...helm }, null, 2)}\n`);
}
