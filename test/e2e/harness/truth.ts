/** What hosts say of themselves: virsh, qemu-img, the files. */
import { readdirSync } from 'node:fs';
import { DOMParser, type Element } from '@xmldom/xmldom';
import type { KvmHost } from '../../../hack/lab/kvm-host.ts';

export interface Truth {
  readonly domains: readonly string[];
  readonly pools: readonly string[];
  readonly networks: readonly string[];
  readonly filters: readonly string[];
  readonly files: readonly string[];
}

const lines = (text: string): readonly string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .toSorted();

/** Names of all there is on a host that somebody could leave behind. */
export const truthOf = async (host: KvmHost): Promise<Truth> => {
  const [domains, pools, networks, filters] = await Promise.all([
    host.virsh('list', '--all', '--name'),
    host.virsh('pool-list', '--all', '--name'),
    host.virsh('net-list', '--all', '--name'),
    host.virsh('nwfilter-list'),
  ]);
  return {
    domains: lines(domains),
    pools: lines(pools),
    networks: lines(networks),
    filters: lines(filters)
      .map((line) => line.split(/\s+/).at(-1) ?? '')
      .toSorted(),
    files: readdirSync(host.outside(host.diskDir)).toSorted(),
  };
};

const parse = (xml: string): Element => {
  const root = new DOMParser().parseFromString(xml, 'text/xml').documentElement;
  if (root === null) throw new Error('virsh printed no XML');
  return root;
};

export interface Xml {
  readonly text: string;
  /** Value of an attribute of the first element at this path below the root; undefined when there is none. */
  attribute(path: string, name: string): string | undefined;
  /** All elements at this path. */
  all(path: string): readonly Element[];
  /** Text of the first element at this path. */
  textAt(path: string): string | undefined;
}

const childrenNamed = (element: Element, name: string): readonly Element[] =>
  [...element.childNodes].filter(
    (node): node is Element => node.nodeType === 1 && (node as Element).localName === name,
  );

const xmlOf = (text: string): Xml => {
  const root = parse(text);
  const all = (path: string): readonly Element[] =>
    path
      .split('/')
      .reduce<readonly Element[]>((found, name) => found.flatMap((it) => childrenNamed(it, name)), [root]);
  return {
    text,
    all,
    attribute: (path, name) => all(path)[0]?.getAttribute(name) ?? undefined,
    textAt: (path) => all(path)[0]?.textContent ?? undefined,
  };
};

/** `virsh dumpxml`: of the running machine, or (`inactive`) of what it will be at its next start. */
export const dumpXml = async (host: KvmHost, domain: string, inactive = false): Promise<Xml> =>
  xmlOf(await host.virsh('dumpxml', domain, ...(inactive ? ['--inactive'] : [])));

/** First child of an element by this name. */
export const child = (element: Element | undefined, name: string): Element | undefined =>
  element === undefined ? undefined : childrenNamed(element, name)[0];

/** `<disk>` elements by the name of the disk or drive in the machine's spec. */
export const diskNamed = (xml: Xml, name: string): Element | undefined =>
  xml
    .all('devices/disk')
    .find((it) =>
      [`ua-disk-${name}`, `ua-cdrom-${name}`].includes(child(it, 'alias')?.getAttribute('name') ?? ''),
    );

export const nicNamed = (xml: Xml, name: string): Element | undefined =>
  xml.all('devices/interface').find((it) => child(it, 'alias')?.getAttribute('name') === `ua-nic-${name}`);

/** Process id of a machine's QEMU on the host (as the host counts); undefined while it is off. */
export const qemuPid = async (host: KvmHost, domain: string): Promise<number | undefined> => {
  const { stdout, code } = await host.exec(['cat', `/run/libvirt/qemu/${domain}.pid`], {
    allowFailure: true,
  });
  return code === 0 ? Number(stdout) : undefined;
};

export interface ImageInfo {
  readonly format: string;
  readonly 'virtual-size': number;
  readonly 'backing-filename'?: string;
  readonly 'full-backing-filename'?: string;
}

/** `qemu-img info` of a file as the host sees it; `-U` because a running machine holds its lock. */
export const qemuImgInfo = async (host: KvmHost, path: string): Promise<ImageInfo> =>
  JSON.parse((await host.exec(['qemu-img', 'info', '-U', '--output=json', path])).stdout) as ImageInfo;
