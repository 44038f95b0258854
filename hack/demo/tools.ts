/** What a demo needs on this machine before it can begin: says what is missing, asks, and brings it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cacheRoot } from '../lab/cache.ts';
import { ensureControlPlaneBinaries, etcdVersion, kubernetesVersion } from '../lab/control-plane-binaries.ts';
import { ensureDebianPackages, missingPackages } from '../lab/packages.ts';
import { declined, type StageOptions } from './stage.ts';

/** Installs Debian packages that are missing. Throws `declined` when the answer is no. */
export const bringPackages = async (names: readonly string[], options: StageOptions): Promise<void> => {
  const missing = await missingPackages([...new Set(names)]);
  if (missing.length === 0) {
    options.say('all Debian packages are there');
    return;
  }
  options.say(`these Debian packages are missing: ${missing.join(' ')}`);
  if (!(await options.agrees('Install them with apt-get (no service is started)?'))) throw declined;
  await ensureDebianPackages(names, options.say, options.signal);
};

/** Builds etcd, the API server, the controller manager and kubectl from Go modules where no earlier run has. */
export const bringControlPlane = async (options: StageOptions): Promise<void> => {
  const folders = [`etcd-${etcdVersion}`, `kubernetes-${kubernetesVersion}`];
  const built = folders.every((folder) => existsSync(join(cacheRoot(), folder)));
  if (!built && process.env['KUBEBUILDER_ASSETS'] === undefined) {
    options.say(
      `Kubernetes ${kubernetesVersion} and etcd ${etcdVersion} are built from their Go modules, once: about 5 minutes on 2 cores`,
    );
    options.say(`they are kept in ${cacheRoot()}`);
  }
  await ensureControlPlaneBinaries(options.say);
  options.say(`Kubernetes ${kubernetesVersion} and etcd ${etcdVersion} are there`);
};
