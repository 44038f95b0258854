/** What the API server says of our kinds, kept by watches of the test's own: never by the code under test. */
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** Any object of ours, as tests look at it. */
export interface Thing {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly generation: number;
    readonly finalizers?: readonly string[];
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  // biome-ignore lint/suspicious/noExplicitAny: objects of every kind, checked by what tests expect of them
  readonly spec: any; // oxlint-disable-line typescript/no-explicit-any
  // biome-ignore lint/suspicious/noExplicitAny: the same
  readonly status?: any; // oxlint-disable-line typescript/no-explicit-any
}

export const plurals = {
  pool: 'hostpools',
  host: 'hosts',
  storage: 'storagepools',
  network: 'virtualnetworks',
  image: 'virtualmachineimages',
  disk: 'virtualdisks',
  machine: 'virtualmachines',
} as const;
export type Kind = keyof typeof plurals;

export interface Mirror {
  get(kind: Kind, name: string, namespace?: string): Thing | undefined;
  list(kind: Kind): readonly Thing[];
  /** Every state of the object that was seen, oldest first. */
  history(kind: Kind, name: string, namespace?: string): readonly Thing[];
  stop(): void;
}

interface KubeconfigFile {
  readonly clusters: readonly [{ readonly cluster: Record<string, string> }];
  readonly users: readonly [{ readonly user: Record<string, string> }];
}

const accessOf = (kubeconfig: string) => {
  const file = JSON.parse(readFileSync(kubeconfig, 'utf8')) as KubeconfigFile;
  const { cluster } = file.clusters[0];
  const { user } = file.users[0];
  const pem = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64');
  return {
    server: cluster['server'] ?? '',
    agent: new Agent({
      ca: pem(cluster['certificate-authority-data']),
      cert: pem(user['client-certificate-data']),
      key: pem(user['client-key-data']),
    }),
  };
};

type Access = ReturnType<typeof accessOf>;

const open = (access: Access, path: string, signal: AbortSignal): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const call = request(`${access.server}${path}`, { agent: access.agent, signal }, (response) => {
      if (response.statusCode === 200) resolve(response);
      else {
        response.resume();
        reject(new Error(`${path}: ${response.statusCode}`));
      }
    });
    call.once('error', reject);
    call.end();
  });

const textOf = async (response: IncomingMessage): Promise<string> => {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk as string;
  return text;
};

interface Table {
  readonly now: Map<string, Thing>;
  readonly past: Map<string, Thing[]>;
}

const keyOf = (name: string, namespace: string | undefined): string => `${namespace ?? ''}/${name}`;

const take = (table: Table, thing: Thing, gone: boolean): void => {
  const key = keyOf(thing.metadata.name, thing.metadata.namespace);
  if (gone) table.now.delete(key);
  else table.now.set(key, thing);
  const past = table.past.get(key) ?? [];
  past.push(thing);
  table.past.set(key, past);
};

const listAndWatch = async (
  access: Access,
  path: string,
  table: Table,
  beat: () => void,
  signal: AbortSignal,
) => {
  const list = JSON.parse(await textOf(await open(access, path, signal))) as {
    metadata: { resourceVersion: string };
    items: Thing[];
  };
  const there = new Set(list.items.map(({ metadata }) => keyOf(metadata.name, metadata.namespace)));
  for (const key of table.now.keys()) if (!there.has(key)) table.now.delete(key);
  for (const thing of list.items) take(table, thing, false);
  beat();
  const watch = `${path}?watch=true&resourceVersion=${list.metadata.resourceVersion}`;
  const lines = createInterface({ input: await open(access, watch, signal) });
  for await (const line of lines) {
    const event = JSON.parse(line) as { type: string; object: Thing };
    if (event.type === 'ERROR') return;
    take(table, event.object, event.type === 'DELETED');
    beat();
  }
};

/** Starts the watches; a connection that ends is made again, for as long as `stop` was not called. */
export const startMirror = (kubeconfig: string, beat: () => void): Mirror => {
  const access = accessOf(kubeconfig);
  const ends = new AbortController();
  const table = (): Table => ({ now: new Map(), past: new Map() });
  const tables: Record<Kind, Table> = {
    pool: table(),
    host: table(),
    storage: table(),
    network: table(),
    image: table(),
    disk: table(),
    machine: table(),
  };
  for (const kind of Object.keys(plurals) as Kind[]) {
    const path = `/apis/ovcp.dev/v1alpha1/${plurals[kind]}`;
    void (async () => {
      while (!ends.signal.aborted) {
        await listAndWatch(access, path, tables[kind], beat, ends.signal).catch(() => undefined);
        await sleep(200);
      }
    })();
  }
  return {
    get: (kind, name, namespace) => tables[kind].now.get(keyOf(name, namespace)),
    list: (kind) => [...tables[kind].now.values()],
    history: (kind, name, namespace) => tables[kind].past.get(keyOf(name, namespace)) ?? [],
    stop: () => {
      ends.abort();
      access.agent.destroy();
    },
  };
};

/** The named condition. */
export const conditionOf = (thing: Thing | undefined, type: string): Condition | undefined =>
  (thing?.status?.conditions as readonly Condition[] | undefined)?.find((it) => it.type === type);

/** Whether the status speaks of the present spec, and the condition has this status (and reason, when given). */
export const is = (thing: Thing | undefined, type: string, status: string, reason?: string): boolean => {
  const condition = conditionOf(thing, type);
  return (
    thing?.status?.observedGeneration === thing?.metadata.generation &&
    condition?.status === status &&
    (reason === undefined || condition.reason === reason)
  );
};
