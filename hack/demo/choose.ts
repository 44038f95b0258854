/** Which demo this machine and these variables ask for. Pure. */

export interface Circumstances {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isRoot: boolean;
  /** Text of /etc/os-release; undefined where there is none. */
  readonly osRelease: string | undefined;
  readonly platform: string;
}

export type Choice =
  | { readonly kind: 'lab' }
  /** Hosts in the operator's memory. `why` is one sentence; undefined when they were asked for. */
  | { readonly kind: 'simulated'; readonly why?: string }
  | { readonly kind: 'own'; readonly kubeconfig: string; readonly hostPoolFile: string }
  /** One sentence. */
  | { readonly kind: 'wrong'; readonly message: string };

const field = (osRelease: string, name: string): string =>
  new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(osRelease)?.[1] ?? '';

/** Debian 12 and 13, and what calls itself testing (no VERSION_ID). */
const isSuitableDebian = (osRelease: string | undefined): boolean =>
  osRelease !== undefined &&
  field(osRelease, 'ID') === 'debian' &&
  (field(osRelease, 'VERSION_ID') === '' || Number(field(osRelease, 'VERSION_ID')) >= 12);

const given = (value: string | undefined): value is string => value !== undefined && value !== '';

export const choose = ({ env, isRoot, osRelease, platform }: Circumstances): Choice => {
  const { HOSTS, KUBECONFIG, HOSTPOOL } = env;
  if (platform !== 'linux') return { kind: 'wrong', message: 'The demo runs on Linux.' };
  if (given(HOSTS) && HOSTS !== 'simulated') {
    return { kind: 'wrong', message: `HOSTS may be "simulated"; it is "${HOSTS}".` };
  }
  if (HOSTS === 'simulated') return { kind: 'simulated' };
  if (given(HOSTPOOL)) {
    return given(KUBECONFIG)
      ? { kind: 'own', kubeconfig: KUBECONFIG, hostPoolFile: HOSTPOOL }
      : { kind: 'wrong', message: 'HOSTPOOL needs KUBECONFIG too: the cluster in which the pool is made.' };
  }
  if (!isSuitableDebian(osRelease)) {
    return { kind: 'simulated', why: 'This is not Debian 12 or later, so the hosts are simulated.' };
  }
  if (!isRoot) {
    return { kind: 'simulated', why: 'KVM hosts on this machine need root, so the hosts are simulated.' };
  }
  return { kind: 'lab' };
};

/** `1`, `yes`, `true` and `on`, as people write them. */
export const isOn = (value: string | undefined): boolean => /^(1|y|yes|true|on)$/i.test(value ?? '');
