import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Cluster, Context, User } from '@kubernetes/client-node';
import { parse } from 'yaml';
import type { Clock } from '../runtime/clock.ts';
import { Fault } from '../runtime/fault.ts';
import type { ClusterAccess, Credentials, TlsOptions } from './auth.ts';

/**
 * A kubeconfig as the access to a cluster. client-node's own modules do the reading and run exec plugins; only the
 * modules that are needed are imported: its index and its `config.js` load every generated model, about 90 MB.
 */

interface Kubeconfig {
  readonly clusters: readonly Cluster[];
  readonly users: readonly User[];
  readonly contexts: readonly Context[];
  readonly currentContext: string | undefined;
}

/** What an authenticator of client-node fills in (a part of `https.RequestOptions`). */
interface Filled {
  readonly headers: Record<string, string>;
  cert?: string;
  key?: string;
}

type Authenticate = (filled: Filled) => Promise<void>;

/** A token in a file or from a plugin is asked for again this often at most. */
const FILE_REREAD_MS = 60_000;

const bad = (message: string, cause?: unknown): Fault =>
  new Fault('invalid', message, { reason: 'BadKubeconfig', ...(cause === undefined ? {} : { cause }) });

const absolute = <K extends string>(
  directory: string,
  entry: Partial<Record<K, string | undefined>>,
  ...fields: K[]
) =>
  Object.fromEntries(
    fields.flatMap((field) => {
      const path = entry[field];
      return typeof path === 'string' && path !== '' ? [[field, resolve(directory, path)]] : [];
    }),
  );

/** As client-go resolves it: a command with a slash is relative to the kubeconfig, a bare one is found in PATH. */
const withAbsoluteCommand = (directory: string, user: User): User => {
  const command: unknown = user.exec?.command;
  return typeof command === 'string' && command.includes('/')
    ? { ...user, exec: { ...user.exec, command: resolve(directory, command) } }
    : user;
};

/** client-node knows `tokenFile` only as the configuration of its own provider. */
const withTokenFiles = (directory: string, users: readonly unknown[]): never =>
  users.map((entry) => {
    const { user, ...rest } = entry as { user?: { tokenFile?: unknown } };
    return typeof user?.tokenFile === 'string'
      ? {
          ...rest,
          user: {
            'auth-provider': { name: 'tokenFile', config: { tokenFile: resolve(directory, user.tokenFile) } },
          },
        }
      : entry;
  }) as never;

const readOne = async (path: string): Promise<Kubeconfig> => {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new Fault('denied', `the kubeconfig ${path} cannot be read`, {
      reason: 'NoCredentials',
      cause: error,
    });
  });
  const types = await import('@kubernetes/client-node/dist/config_types.js');
  const directory = dirname(path);
  try {
    const raw = parse(text) as Record<string, never> | null;
    const current: unknown = raw?.['current-context'];
    return {
      clusters: types
        .newClusters(raw?.['clusters'] ?? [])
        .map((cluster) => ({ ...cluster, ...absolute(directory, cluster, 'caFile') })),
      users: types
        .newUsers(withTokenFiles(directory, raw?.['users'] ?? []))
        .map((user) => withAbsoluteCommand(directory, user))
        .map((user) => ({ ...user, ...absolute(directory, user, 'certFile', 'keyFile') })),
      contexts: types.newContexts(raw?.['contexts'] ?? []),
      currentContext: typeof current === 'string' && current !== '' ? current : undefined,
    };
  } catch {
    // The parser's message quotes the text around the fault, which may be a credential.
    throw bad(`the kubeconfig ${path} is not a valid kubeconfig`);
  }
};

const choose = (configs: readonly Kubeconfig[], wanted: string | undefined) => {
  const name = wanted ?? configs.find((config) => config.currentContext !== undefined)?.currentContext;
  const named = <T extends { readonly name: string }>(lists: readonly (readonly T[])[], name?: string) =>
    lists.flat().find((entry) => entry.name === name);
  const context = named(
    configs.map((config) => config.contexts),
    name,
  );
  const cluster = named(
    configs.map((config) => config.clusters),
    context?.cluster,
  );
  const user = named(
    configs.map((config) => config.users),
    context?.user,
  );
  if (context === undefined || cluster === undefined || user === undefined) {
    throw bad(`the kubeconfig has no context "${name ?? ''}" with a cluster and a user`);
  }
  if (cluster.proxyUrl !== undefined && cluster.proxyUrl !== null) {
    throw new Fault('unsupported', `the cluster "${cluster.name}" wants a proxy, which is not supported`, {
      reason: 'ProxyUnsupported',
    });
  }
  return { context, cluster, user };
};

const pem = async (data: string | undefined, file: string | undefined): Promise<string | undefined> => {
  if (data !== undefined && data !== null && data !== '') {
    return Buffer.from(data, 'base64').toString('utf8');
  }
  if (file === undefined || file === null || file === '') {
    return undefined;
  }
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw new Fault('denied', `the file ${file} of the kubeconfig cannot be read`, {
      reason: 'NoCredentials',
      cause: error,
    });
  });
};

/** Only set fields, since the options of a connection are compared by their presence. */
const present = <T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;

const tlsOf = async (cluster: Cluster, user: User): Promise<TlsOptions> => ({
  ...present({
    ca: await pem(cluster.caData, cluster.caFile),
    cert: await pem(user.certData, user.certFile),
    key: await pem(user.keyData, user.keyFile),
    servername: cluster.tlsServerName ?? undefined,
  }),
  ...(cluster.skipTLSVerify ? { rejectUnauthorized: false } : {}),
});

/** client.authentication.k8s.io: some plugins refuse to run without the cluster's description. */
const withExecInfo = (cluster: Cluster, user: User): User => {
  const info = {
    apiVersion: user.exec.apiVersion ?? 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    spec: {
      interactive: false,
      ...(user.exec.provideClusterInfo === true ? { cluster: { server: cluster.server } } : {}),
    },
  };
  const env = [...(user.exec.env ?? []), { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }];
  return { ...user, exec: { ...user.exec, env } };
};

const execAuthenticator = async (cluster: Cluster, user: User): Promise<Authenticate> => {
  const { ExecAuth } = await import('@kubernetes/client-node/dist/exec_auth.js');
  const [auth, described] = [new ExecAuth(), withExecInfo(cluster, user)];
  return (filled) => auth.applyAuthentication(described, filled);
};

/** The deprecated in-tree providers (oidc, gcp, azure): rare enough to pay for the whole library. */
const providerAuthenticator = async (cluster: Cluster, user: User): Promise<Authenticate> => {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromClusterAndUser(cluster, user);
  return async (filled) => {
    await config.applyToHTTPSOptions(filled);
  };
};

const tokenFileAuthenticator =
  (path: string): Authenticate =>
  async (filled) => {
    filled.headers['Authorization'] = `Bearer ${(await pem(undefined, path))?.trim() ?? ''}`;
  };

const authenticatorOf = async (cluster: Cluster, user: User): Promise<Authenticate> => {
  const tokenFile: unknown = user.authProvider?.config?.tokenFile;
  if (typeof tokenFile === 'string') {
    return tokenFileAuthenticator(tokenFile);
  }
  if (user.exec) {
    return execAuthenticator(cluster, user);
  }
  return user.authProvider ? providerAuthenticator(cluster, user) : async () => undefined;
};

const staticHeaders = (user: User): Record<string, string> => {
  const headers: Record<string, string> = {};
  if (user.token) {
    headers['Authorization'] = `Bearer ${user.token}`;
  } else if (user.username) {
    headers['Authorization'] =
      `Basic ${Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64')}`;
  }
  if (user.impersonateUser) {
    headers['Impersonate-User'] = user.impersonateUser;
  }
  return headers;
};

/** A plugin's own words are not repeated: they are outside our control and may hold a credential. */
const authenticate = async (run: Authenticate, filled: Filled): Promise<void> => {
  try {
    await run(filled);
  } catch (error) {
    throw error instanceof Fault
      ? error
      : new Fault('denied', 'the kubeconfig’s credential plugin failed', {
          reason: 'CredentialPluginFailed',
        });
  }
};

const sameTls = (a: TlsOptions, b: TlsOptions): boolean =>
  a.ca === b.ca && a.cert === b.cert && a.key === b.key;

/** Rejects with `invalid` (`BadKubeconfig`), `denied` (`NoCredentials`) or `unsupported` (`ProxyUnsupported`). */
export const fromKubeconfig = async (
  paths: readonly string[],
  wanted: string | undefined,
  clock: Clock,
): Promise<ClusterAccess> => {
  const { context, cluster, user } = choose(await Promise.all(paths.map(readOne)), wanted);
  const dynamic = Boolean(user.exec) || Boolean(user.authProvider);
  let authenticator: Authenticate | undefined;
  let files: { readonly tls: TlsOptions; readonly readMs: number } | undefined;
  let known: Credentials | undefined;
  let pending: Promise<Credentials> | undefined;

  const tlsFromFiles = async (): Promise<TlsOptions> => {
    if (files === undefined || clock.monotonicMs() - files.readMs >= FILE_REREAD_MS) {
      files = { tls: await tlsOf(cluster, user), readMs: clock.monotonicMs() };
    }
    return files.tls;
  };

  const read = async (): Promise<Credentials> => {
    authenticator ??= await authenticatorOf(cluster, user);
    const filled: Filled = { headers: staticHeaders(user) };
    await authenticate(authenticator, filled);
    const tls = { ...(await tlsFromFiles()), ...present({ cert: filled.cert, key: filled.key }) };
    known = {
      headers: filled.headers,
      tls: known !== undefined && sameTls(known.tls, tls) ? known.tls : tls,
    };
    return known;
  };

  return {
    server: cluster.server,
    namespace: context.namespace ?? undefined,
    // One read at a time: a plugin that opens a browser must not do so once per request.
    credentials: () => {
      pending ??= read().finally(() => {
        pending = undefined;
      });
      return pending;
    },
    renew: () => {
      authenticator = undefined;
      files = undefined;
      return dynamic;
    },
  };
};
