/** The quickstart samples with the hosts, the image and the storage servers of this demo put in. Pure but for `readSamples`. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, parseAllDocuments } from 'yaml';
import { repositoryRoot } from '../lab/operator.ts';

export interface DemoImage {
  readonly url: string;
  /** sha256:… or sha512:… */
  readonly checksum: string;
  readonly format: 'qcow2' | 'raw';
}

export type DemoHosts =
  | {
      readonly kind: 'libvirt';
      readonly hosts: readonly { readonly name: string; readonly uri: string; readonly secret: string }[];
    }
  | {
      readonly kind: 'simulated';
      readonly hosts: readonly { readonly name: string; readonly latencyMs: number }[];
    }
  /** The user's own pool stands in a file of its own; only its name and driver are needed. */
  | { readonly kind: 'own'; readonly pool: string; readonly simulated: boolean };

/** Servers for the pools of deploy/samples/storage. */
export interface DemoStorage {
  readonly gluster: {
    readonly servers: readonly { readonly name: string; readonly address: string }[];
    /** Bricks are folders in it. */
    readonly brickFolder: string;
  };
  readonly iscsi: {
    readonly address: string;
    /** Such as 192.0.2.31:3260. */
    readonly portal: string;
    /** Where the server keeps disks. */
    readonly folder: string;
  };
}

/** What a demo puts into the samples. Without `storage`, disks are in folders of the hosts. */
export interface DemoParts {
  readonly hosts: DemoHosts;
  readonly image: DemoImage;
  readonly storage?: DemoStorage | undefined;
}

export interface Sample {
  readonly folder: string;
  readonly file: string;
  readonly text: string;
}

export interface Manifest extends Sample {
  /** Lines that differ from the sample, as `- old` and `+ new`. */
  readonly changes: readonly string[];
}

const readFolder = (folder: string): readonly Sample[] =>
  readdirSync(join(repositoryRoot, folder))
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => ({ folder, file, text: readFileSync(join(repositoryRoot, folder, file), 'utf8') }));

/** The quickstart; with storage servers, what deploy/samples/storage has of the same name stands in its place. */
export const readSamples = (withStorage = false): readonly Sample[] => {
  const storage = withStorage ? readFolder('deploy/samples/storage') : [];
  const quickstart = readFolder('deploy/samples/quickstart').filter(
    ({ file }) => !storage.some((other) => other.file === file),
  );
  return [...quickstart, ...storage].toSorted((a, b) => (a.file < b.file ? -1 : 1));
};

const setHosts = (document: Document, hosts: DemoHosts): void => {
  switch (hosts.kind) {
    case 'libvirt':
      document.setIn(
        ['spec', 'libvirt', 'hosts'],
        document.createNode(
          hosts.hosts.map(({ name, uri, secret }) => ({ name, uri, credentialsSecretRef: { name: secret } })),
        ),
      );
      return;
    case 'simulated':
      document.setIn(['spec', 'driver'], 'simulated');
      document.deleteIn(['spec', 'libvirt']);
      document.setIn(
        ['spec', 'simulated'],
        document.createNode({
          hosts: hosts.hosts.map(({ name, latencyMs }) => ({ name, cpus: 16, memory: '64Gi', latencyMs })),
        }),
      );
      return;
    case 'own':
      return;
    default:
      hosts satisfies never;
  }
};

const setPoolName = (document: Document, kind: unknown, pool: string): void => {
  if (kind === 'VirtualMachine') document.setIn(['spec', 'hostPoolRef', 'name'], pool);
  if (kind === 'StoragePool') document.setIn(['spec', 'hostPoolRefs', 0, 'name'], pool);
  if (kind === 'VirtualNetwork') document.setIn(['spec', 'backends', 0, 'hostPoolRef', 'name'], pool);
};

/** With servers of their own, pools are looked at as often as it goes: a server's death shall not be waited for. */
const auditPeriodSeconds = 30;

const setGluster = (document: Document, { servers, brickFolder }: DemoStorage['gluster']): void => {
  for (const [index, { name, address }] of servers.entries()) {
    document.setIn(['spec', 'gluster', 'servers', index, 'name'], name);
    document.setIn(['spec', 'gluster', 'servers', index, 'address'], address);
    const brick = ['spec', 'gluster', 'replicaSets', 0, 'bricks', index];
    document.setIn([...brick, 'server'], name);
    document.setIn(
      [...brick, 'path'],
      `${brickFolder}/${String(document.getIn(['spec', 'gluster', 'volume']))}`,
    );
  }
};

const setIscsi = (document: Document, { address, portal, folder }: DemoStorage['iscsi']): void => {
  document.setIn(['spec', 'iscsi', 'target', 'address'], address);
  document.setIn(['spec', 'iscsi', 'target', 'portals', 0], portal);
  document.setIn(['spec', 'iscsi', 'backing', 'files', 'path'], folder);
};

const setStorage = (document: Document, storage: DemoStorage): void => {
  if (document.get('kind') === 'HostPool') {
    document.setIn(['spec', 'auditPeriodSeconds'], auditPeriodSeconds);
  }
  const driver = document.getIn(['spec', 'driver']);
  if (driver === 'gluster') setGluster(document, storage.gluster);
  if (driver === 'iscsi') setIscsi(document, storage.iscsi);
};

const isSimulated = (hosts: DemoHosts): boolean =>
  hosts.kind === 'simulated' || (hosts.kind === 'own' && hosts.simulated);

const fill = (document: Document, { hosts, image, storage }: DemoParts): void => {
  const kind = document.get('kind');
  if (kind === 'HostPool') setHosts(document, hosts);
  if (kind === 'StoragePool' && isSimulated(hosts)) {
    document.setIn(['spec', 'driver'], 'simulated');
    document.deleteIn(['spec', 'dir']);
  }
  if (storage !== undefined) setStorage(document, storage);
  if (kind === 'VirtualMachineImage') {
    document.setIn(['spec', 'source', 'url'], image.url);
    document.setIn(['spec', 'source', 'checksum'], image.checksum);
    document.setIn(['spec', 'format'], image.format);
  }
  if (hosts.kind === 'own' && hosts.pool !== 'kvm') setPoolName(document, kind, hosts.pool);
};

/** The lines only one side has, in the order of the files. Enough where few lines change. */
export const changedLines = (before: string, after: string): readonly string[] => {
  const [old, now] = [before.trimEnd().split('\n'), after.trimEnd().split('\n')];
  const only = (lines: readonly string[], others: readonly string[], sign: string): string[] => {
    const left = [...others];
    return lines.flatMap((line) => {
      const found = left.indexOf(line);
      if (found >= 0) left.splice(found, 1);
      return found >= 0 ? [] : [`${sign} ${line}`];
    });
  };
  return [...only(old, now, '-'), ...only(now, old, '+')];
};

const written = (document: Document): string =>
  document.toString({ flowCollectionPadding: false, lineWidth: 0 });

/** What the demo applies. A sample that needs no change is applied as it is; the sample HostPool is left out for `own`. */
export const fillSamples = (samples: readonly Sample[], parts: DemoParts): readonly Manifest[] =>
  samples.flatMap(({ folder, file, text }) => {
    const { hosts } = parts;
    const documents: readonly Document[] = [...parseAllDocuments(text)];
    if (hosts.kind === 'own' && documents.some((document) => document.get('kind') === 'HostPool')) return [];
    const before = documents.map(written).join('');
    for (const document of documents) fill(document, parts);
    const after = documents.map(written).join('');
    // What the YAML writer alone would change is no change.
    return [{ folder, file, text: before === after ? text : after, changes: changedLines(before, after) }];
  });
