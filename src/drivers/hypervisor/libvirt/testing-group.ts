/** For tests: a volume group as libvirt's `logical` backend shows it, with old data in whatever LVM hands out. */
import { errorCodes, LibvirtError } from '../../../wire/libvirt/errors.ts';
import type { Chunk } from '../host-storage.ts';
import type { Remote } from './remote.ts';
import { at, parseXml, textAt, wholeNumber } from './xml.ts';

export const EXTENT = 4096;
/** What somebody's data looked like. */
export const OLD = 0xee;

export interface FakeGroup {
  readonly volumes: Map<string, Buffer>;
  /** Names of volumes that a machine has open. */
  readonly open: Set<string>;
  /** Calls so far that changed something; each of them may be the last one. */
  readonly changes: string[];
  /** After so many changes the connection is gone. */
  failAfter: number;
  exists: boolean;
  readonly remote: Remote;
  /** What libvirt was never to be asked. */
  readonly forbidden: string[];
  free(): number;
}

const no = (procedure: string, code: number, message: string): LibvirtError =>
  new LibvirtError(procedure, { code, domain: 18, level: 2, message, strings: [], numbers: [] });

const rounded = (bytes: number): number => Math.ceil(bytes / EXTENT) * EXTENT;

type Named = { readonly vol: { readonly name: string } };

export const createFakeGroup = (extents: number): FakeGroup => {
  const pools = new Set<string>();
  const allocated = (): number => [...group.volumes.values()].reduce((sum, it) => sum + it.byteLength, 0);
  const found = (procedure: string, name: string): Buffer => {
    const volume = group.volumes.get(name);
    if (volume === undefined) throw no(procedure, errorCodes.noStorageVol, 'Storage volume not found');
    return volume;
  };
  const change = (what: string): void => {
    if (group.changes.length >= group.failAfter) throw new Error('cut off');
    group.changes.push(what);
  };
  const create = (procedure: string, xml: string): Buffer => {
    const root = parseXml(xml, 'volume');
    const name = textAt(root, 'name') ?? '';
    const capacity = wholeNumber(textAt(root, 'capacity')) ?? 0;
    if (wholeNumber(textAt(root, 'allocation')) !== capacity) throw new Error('that would make a snapshot');
    if (at(root, 'backingStore') !== undefined) throw new Error('that would make a snapshot');
    if (group.volumes.has(name))
      throw no(procedure, errorCodes.storageVolExists, 'storage volume exists already');
    const bytes = rounded(capacity);
    if (bytes > group.free())
      throw no(procedure, errorCodes.internalError, 'Volume group "vg0" has insufficient free space');
    change(`create ${name}`);
    const volume = Buffer.alloc(bytes, OLD);
    group.volumes.set(name, volume);
    return volume;
  };
  const answers: Readonly<Record<string, (args: never) => unknown>> = {
    STORAGE_POOL_LOOKUP_BY_UUID: ({ uuid }: { uuid: string }) => {
      if (!pools.has(uuid)) throw no('lookup', errorCodes.noStoragePool, 'no storage pool');
      return { pool: { name: 'p', uuid } };
    },
    STORAGE_POOL_CREATE_XML: ({ xml }: { xml: string }) => {
      const root = parseXml(xml, 'pool');
      if (!group.exists)
        throw no('create', errorCodes.configUnsupported, "cannot find logical volume group name 'vg0'");
      const uuid = textAt(root, 'uuid') ?? '';
      pools.add(uuid);
      return { pool: { name: textAt(root, 'name') ?? '', uuid } };
    },
    STORAGE_POOL_IS_ACTIVE: () => ({ active: 1 }),
    STORAGE_POOL_REFRESH: () => {
      if (!group.exists) pools.clear();
      return {};
    },
    STORAGE_POOL_GET_INFO: () => ({
      capacity: BigInt(extents * EXTENT),
      allocation: BigInt(allocated()),
      available: BigInt(group.free()),
    }),
    STORAGE_POOL_DESTROY: ({ pool }: { pool: { uuid: string } }) => {
      if (allocated() > 0) group.forbidden.push('stopped with volumes in the group');
      pools.delete(pool.uuid);
      return {};
    },
    STORAGE_POOL_LIST_ALL_VOLUMES: () => ({ vols: [...group.volumes.keys()].map((name) => ({ name })) }),
    STORAGE_VOL_LOOKUP_BY_NAME: ({ name }: { name: string }) => {
      if (pools.size === 0) throw no('lookup', errorCodes.noStoragePool, 'no storage pool');
      return { vol: { name: found('lookup', name) && name } };
    },
    STORAGE_VOL_GET_XML_DESC: ({ vol: { name } }: Named) => {
      const bytes = found('describe', name).byteLength;
      const size = `<capacity>${bytes}</capacity><allocation>${bytes}</allocation>`;
      return {
        xml: `<volume><name>${name}</name>${size}<target><path>/dev/vg0/${name}</path></target></volume>`,
      };
    },
    STORAGE_VOL_GET_INFO: ({ vol: { name } }: Named) => ({
      capacity: BigInt(found('info', name).byteLength),
    }),
    STORAGE_VOL_CREATE_XML: ({ xml }: { xml: string }) => {
      create('create', xml);
      return {};
    },
    STORAGE_VOL_CREATE_XML_FROM: ({ xml, clonevol }: { xml: string; clonevol: { name: string } }) => {
      const source = found('clone', clonevol.name);
      source.copy(create('clone', xml));
      change('copied');
      return {};
    },
    STORAGE_VOL_WIPE: ({ vol: { name } }: Named) => {
      change(`wipe ${name}`);
      found('wipe', name).fill(0);
      return {};
    },
    STORAGE_VOL_DELETE: ({ vol: { name } }: Named) => {
      found('delete', name);
      if (group.open.has(name))
        throw no('delete', errorCodes.internalError, `Logical volume vg0/${name} in use.`);
      change(`delete ${name}`);
      group.volumes.delete(name);
      return {};
    },
  };
  const upload = async (
    _name: unknown,
    { vol, offset }: { readonly vol: { readonly name: string }; readonly offset: bigint },
    chunks: AsyncIterable<Chunk>,
  ): Promise<void> => {
    const volume = found('upload', vol.name);
    let to = Number(offset);
    for await (const chunk of chunks) {
      change('write');
      const bytes = chunk instanceof Uint8Array ? chunk : Buffer.alloc(chunk.hole);
      volume.set(bytes, to);
      to += bytes.byteLength;
    }
  };
  const call = async (name: string, args: unknown): Promise<unknown> => {
    const answer = answers[name];
    if (answer === undefined) throw new Error(`nobody should ask for ${name}`);
    return answer(args as never);
  };
  const group: FakeGroup = {
    volumes: new Map(),
    open: new Set(),
    changes: [],
    failAfter: Number.POSITIVE_INFINITY,
    exists: true,
    forbidden: [],
    free: () => extents * EXTENT - allocated(),
    remote: {
      call: call as Remote['call'],
      events: { subscribe: async () => () => undefined },
      streams: {
        upload: upload as unknown as Remote['streams']['upload'],
        download: async function* () {},
        open: () => Promise.reject(new Error('nothing is opened here')),
      },
      closed: new Promise(() => undefined),
      close: async () => undefined,
    },
  };
  return group;
};
