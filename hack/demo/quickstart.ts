/** The quickstart samples with the hosts and the image of this demo put in. Pure but for `readSamples`. */
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

export interface Sample {
  readonly file: string;
  readonly text: string;
}

export interface Manifest extends Sample {
  /** Lines that differ from the sample, as `- old` and `+ new`. */
  readonly changes: readonly string[];
}

/** Where the samples are, as a user sees them. */
export const samplesFolder = 'deploy/samples/quickstart';

export const readSamples = (): readonly Sample[] => {
  const folder = join(repositoryRoot, samplesFolder);
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .toSorted()
    .map((file) => ({ file, text: readFileSync(join(folder, file), 'utf8') }));
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

const isSimulated = (hosts: DemoHosts): boolean =>
  hosts.kind === 'simulated' || (hosts.kind === 'own' && hosts.simulated);

const fill = (document: Document, hosts: DemoHosts, image: DemoImage): void => {
  const kind = document.get('kind');
  if (kind === 'HostPool') setHosts(document, hosts);
  if (kind === 'StoragePool' && isSimulated(hosts)) {
    document.setIn(['spec', 'driver'], 'simulated');
    document.deleteIn(['spec', 'dir']);
  }
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
export const fillSamples = (
  samples: readonly Sample[],
  hosts: DemoHosts,
  image: DemoImage,
): readonly Manifest[] =>
  samples.flatMap(({ file, text }) => {
    const documents: readonly Document[] = [...parseAllDocuments(text)];
    if (hosts.kind === 'own' && documents.some((document) => document.get('kind') === 'HostPool')) return [];
    const before = documents.map(written).join('');
    for (const document of documents) fill(document, hosts, image);
    const after = documents.map(written).join('');
    // What the YAML writer alone would change is no change.
    return [{ file, text: before === after ? text : after, changes: changedLines(before, after) }];
  });
