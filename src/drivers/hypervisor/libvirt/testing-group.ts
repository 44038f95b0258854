/** For tests: a volume group as libvirt's `logical` backend shows it, with old data in whatever LVM hands out. */
import { errorCodes, LibvirtError } from '../../../wire/libvirt/errors.ts';
import type { Chunk } from '../host-storage.ts';
import type { Remote } from './remote.ts';
import { at, parseXml, textAt, wholeNumber } from './xml.ts';

export const EXTENT = 4096;
/** What somebody's data looked like. */
export const OLD = 0xee;

/** What stands in the group, and how it goes. */
interface State {
  readonly extents: number;
  readonly volumes: Map<string, Buffer>;
  /** Names of volumes that a machine has open. */
  readonly open: Set<string>;
  /** Calls so far that changed something. */
  readonly changes: string[];
  /** What libvirt was never to be asked. */
  readonly forbidden: string[];
  /** After so many changes the connection is gone. */
  failAfter: number;
  exists: boolean;
}

export interface FakeGroup extends State {
  readonly remote: Remote;
  /** Bytes. */
  free(): number;
}

const no = (procedure: string, code: number, message: string): LibvirtError =>
  new LibvirtError(procedure, { code, domain: 18, level: 2, message, strings: [], numbers: [] });

const rounded = (bytes: number): number => Math.ceil(bytes / EXTENT) * EXTENT;

type Named = { readonly vol: { readonly name: string } };

const allocated = ({ volumes }: State): number =>
  [...volumes.values()].reduce((sum, it) => sum + it.byteLength, 0);

const freeOf = (state: State): number => state.extents * EXTENT - allocated(state);

const found = ({ volumes }: State, procedure: string, name: string): Buffer => {
  const volume = volumes.get(name);
  if (volume === undefined) throw no(procedure, errorCodes.noStorageVol, 'Storage volume not found');
  return volume;
};

const change = ({ changes, failAfter }: State, what: string): void => {
  if (changes.length >= failAfter) throw new Error('cut off');
  changes.push(what);
};

const create = (state: State, procedure: string, xml: string): Buffer => {
  const root = parseXml(xml, 'volume');
  const name = textAt(root, 'name') ?? '';
  const capacity = wholeNumber(textAt(root, 'capacity')) ?? 0;
  const plain = wholeNumber(textAt(root, 'allocation')) === capacity && !at(root, 'backingStore');
  if (!plain) throw new Error('that would make a snapshot');
  if (state.volumes.has(name))
    throw no(procedure, errorCodes.storageVolExists, 'storage volume exists already');
  const bytes = rounded(capacity);
  if (bytes > freeOf(state))
    throw no(procedure, errorCodes.internalError, 'Volume group "vg0" has insufficient free space');
  change(state, `create ${name}`);
  const volume = Buffer.alloc(bytes, OLD);
  state.volumes.set(name, volume);
  return volume;
};

type Answers = Readonly<Record<string, (args: never) => unknown>>;

const poolAnswers = (state: State, pools: Set<string>): Answers => ({
  STORAGE_POOL_LOOKUP_BY_UUID: ({ uuid }: { uuid: string }) => {
    if (!pools.has(uuid)) throw no('lookup', errorCodes.noStoragePool, 'no storage pool');
    return { pool: { name: 'p', uuid } };
  },
  STORAGE_POOL_CREATE_XML: ({ xml }: { xml: string }) => {
    const root = parseXml(xml, 'pool');
    if (!state.exists)
      throw no('create', errorCodes.configUnsupported, "cannot find logical volume group name 'vg0'");
    const uuid = textAt(root, 'uuid') ?? '';
    pools.add(uuid);
    return { pool: { name: textAt(root, 'name') ?? '', uuid } };
  },
  STORAGE_POOL_IS_ACTIVE: () => ({ active: 1 }),
  STORAGE_POOL_REFRESH: () => {
    if (!state.exists) pools.clear();
    return {};
  },
  STORAGE_POOL_GET_INFO: () => ({
    capacity: BigInt(state.extents * EXTENT),
    allocation: BigInt(allocated(state)),
    available: BigInt(freeOf(state)),
  }),
  STORAGE_POOL_DESTROY: ({ pool }: { pool: { uuid: string } }) => {
    if (allocated(state) > 0) state.forbidden.push('stopped with volumes in the group');
    pools.delete(pool.uuid);
    return {};
  },
  STORAGE_POOL_LIST_ALL_VOLUMES: () => ({ vols: [...state.volumes.keys()].map((name) => ({ name })) }),
  STORAGE_VOL_LOOKUP_BY_NAME: ({ name }: { name: string }) => {
    if (pools.size === 0) throw no('lookup', errorCodes.noStoragePool, 'no storage pool');
    return { vol: { name: found(state, 'lookup', name) && name } };
  },
});

const volumeAnswers = (state: State): Answers => ({
  STORAGE_VOL_GET_XML_DESC: ({ vol: { name } }: Named) => {
    const bytes = found(state, 'describe', name).byteLength;
    const size = `<capacity>${bytes}</capacity><allocation>${bytes}</allocation>`;
    return {
      xml: `<volume><name>${name}</name>${size}<target><path>/dev/vg0/${name}</path></target></volume>`,
    };
  },
  STORAGE_VOL_GET_INFO: ({ vol: { name } }: Named) => ({
    capacity: BigInt(found(state, 'info', name).byteLength),
  }),
  STORAGE_VOL_CREATE_XML: ({ xml }: { xml: string }) => {
    create(state, 'create', xml);
    return {};
  },
  STORAGE_VOL_CREATE_XML_FROM: ({ xml, clonevol }: { xml: string; clonevol: { name: string } }) => {
    const source = found(state, 'clone', clonevol.name);
    source.copy(create(state, 'clone', xml));
    change(state, 'copied');
    return {};
  },
  STORAGE_VOL_WIPE: ({ vol: { name } }: Named) => {
    change(state, `wipe ${name}`);
    found(state, 'wipe', name).fill(0);
    return {};
  },
  STORAGE_VOL_DELETE: ({ vol: { name } }: Named) => {
    found(state, 'delete', name);
    if (state.open.has(name))
      throw no('delete', errorCodes.internalError, `Logical volume vg0/${name} in use.`);
    change(state, `delete ${name}`);
    state.volumes.delete(name);
    return {};
  },
});

const uploadTo =
  (state: State) =>
  async (
    _name: unknown,
    { vol, offset }: Named & { readonly offset: bigint },
    chunks: AsyncIterable<Chunk>,
  ): Promise<void> => {
    const volume = found(state, 'upload', vol.name);
    let to = Number(offset);
    for await (const chunk of chunks) {
      change(state, 'write');
      const bytes = chunk instanceof Uint8Array ? chunk : Buffer.alloc(chunk.hole);
      volume.set(bytes, to);
      to += bytes.byteLength;
    }
  };

export const createFakeGroup = (extents: number): FakeGroup => {
  const state: State = {
    extents,
    volumes: new Map(),
    open: new Set(),
    changes: [],
    forbidden: [],
    failAfter: Number.POSITIVE_INFINITY,
    exists: true,
  };
  const answersOf = (): Answers => ({ ...poolAnswers(state, pools), ...volumeAnswers(state) });
  const pools = new Set<string>();
  const call = async (name: string, args: unknown): Promise<unknown> => {
    const answer = answersOf()[name];
    if (answer === undefined) throw new Error(`nobody should ask for ${name}`);
    return answer(args as never);
  };
  return Object.assign(state, {
    free: () => freeOf(state),
    remote: {
      call: call as Remote['call'],
      events: { subscribe: async () => () => undefined },
      streams: {
        upload: uploadTo(state) as unknown as Remote['streams']['upload'],
        download: async function* () {},
        open: () => Promise.reject(new Error('nothing is opened here')),
      },
      closed: new Promise<never>(() => undefined),
      close: async () => undefined,
    },
  });
};
