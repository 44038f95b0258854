import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../runtime/clock.ts';
import { Fault } from '../runtime/fault.ts';
import { fromKubeconfig } from './kubeconfig.ts';

/** TLS material of a connection, in PEM. Connections are renewed when `credentials` returns another object. */
export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized?: boolean;
  readonly servername?: string;
}

export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsOptions;
}

/** How to reach and convince one API server. */
export interface ClusterAccess {
  /** URL, perhaps with a path prefix. */
  readonly server: string;
  /** Namespace of the context or the Pod, where known. */
  readonly namespace: string | undefined;
  /** Called before every request; renews what has expired. Rejects with a `denied` fault. */
  credentials(signal: AbortSignal): Promise<Credentials>;
  /** Forgets cached credentials after a 401; false when asking again cannot bring others. */
  renew(): boolean;
}

/** Where the access comes from. `paths` are merged as kubectl merges KUBECONFIG: the first file wins per name. */
export type AccessSource =
  | { readonly kind: 'kubeconfig'; readonly paths: readonly string[]; readonly context?: string }
  | {
      readonly kind: 'inCluster';
      readonly host: string;
      readonly port: string;
      /** Where the service account is mounted; the default is Kubernetes' own. */
      readonly directory?: string;
    };

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The kubelet renews a bound token at 80 % of its hour; client-go rereads the file once a minute. */
const REREAD_MS = 60_000;

const readMounted = async (directory: string, file: string): Promise<string> => {
  try {
    return (await readFile(join(directory, file), 'utf8')).trim();
  } catch (error) {
    throw new Fault('denied', `the service account's ${file} cannot be read`, {
      reason: 'NoCredentials',
      cause: error,
    });
  }
};

const inCluster = async (
  source: Extract<AccessSource, { kind: 'inCluster' }>,
  clock: Clock,
): Promise<ClusterAccess> => {
  const directory = source.directory ?? SERVICE_ACCOUNT;
  const host = source.host.includes(':') ? `[${source.host}]` : source.host;
  let known: { readonly credentials: Credentials; readonly readMs: number } | undefined;

  const read = async (): Promise<Credentials> => {
    const [token, ca] = await Promise.all([
      readMounted(directory, 'token'),
      readMounted(directory, 'ca.crt'),
    ]);
    // The same TLS object unless the CA changed: another object means new connections.
    const tls = known?.credentials.tls.ca === ca ? known.credentials.tls : { ca };
    return { headers: { authorization: `Bearer ${token}` }, tls };
  };

  return {
    server: `https://${host}:${source.port}`,
    namespace: await readMounted(directory, 'namespace').catch(() => undefined),
    credentials: async () => {
      if (known === undefined || clock.monotonicMs() - known.readMs > REREAD_MS) {
        known = { credentials: await read(), readMs: clock.monotonicMs() };
      }
      return known.credentials;
    },
    renew: () => {
      known = known && { ...known, readMs: Number.NEGATIVE_INFINITY };
      return true;
    },
  };
};

/**
 * Loads the access to a cluster. The service account of a Pod is read here, so that the usual deployment loads
 * nothing of `@kubernetes/client-node` (whose full import costs about 90 MB of memory).
 * Rejects with a `denied` fault (reason `NoCredentials`) or an `invalid` one (`BadKubeconfig`).
 */
export const loadAccess = async (source: AccessSource, clock: Clock): Promise<ClusterAccess> => {
  switch (source.kind) {
    case 'kubeconfig':
      return fromKubeconfig(source.paths, source.context, clock);
    case 'inCluster':
      return inCluster(source, clock);
    default:
      return source satisfies never;
  }
};
