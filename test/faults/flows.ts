/** The life of a machine in stages, as its user drives it. */
import type { Api } from './api.ts';
import type { Lab } from './lab.ts';
import { blank, card, disk, image, machine, namespace } from './objects.ts';

/** Hosts, storage and networks that the flows find ready. */
export const POOL = 'pool';
export const STORE = 'store';
/** Single disks of a storage server; images of `STORE` go there. */
export const SAN = 'san';
/** The same; hosts log in to them. */
export const LOGINS = 'logins';
/** A volume group of each host; images of `STORE` are streamed there. */
export const GROUP = 'group';
export const LAN = 'lan';

export interface Stage {
  readonly name: 'create' | 'change' | 'move' | 'restart' | 'off' | 'on' | 'delete';
  act(lab: Lab, at: string): Promise<void>;
}

const patchMachine = (api: Api, at: string, spec: object): Promise<unknown> =>
  api.patch('VirtualMachine', 'm', at, { spec });

const rootOn = (pool: string) => ({
  name: 'root',
  bootOrder: 1,
  template: { size: '1Gi', storagePoolRef: { name: pool }, imageRef: { name: 'tiny' } },
});

const lifeOn = (pool: string): readonly Stage[] => [
  {
    name: 'create',
    act: async ({ api, image: { url, checksum } }, at) => {
      await api.apply(
        namespace(at),
        image('tiny', at, STORE, url, checksum),
        image('unused', at, STORE, url, checksum),
        disk('data', at, pool),
        machine('m', at, POOL, {
          disks: [rootOn(pool), { name: 'data', diskRef: { name: 'data' } }],
          networks: [card('eth0', LAN)],
          cloudInit: { hostname: 'first' },
        }),
      );
    },
  },
  {
    // A disk and a card more, one disk less, other cloud-init data; the memory has to wait.
    name: 'change',
    act: ({ api }, at) =>
      patchMachine(api, at, {
        memory: '512Mi',
        disks: [rootOn(pool), blank('extra', pool)],
        networks: [card('eth0', LAN), card('eth1', LAN)],
        cloudInit: { hostname: 'second' },
      }).then(() => undefined),
  },
  {
    // The disk that was taken out of the machine goes to the other sort of pool.
    name: 'move',
    act: async ({ api }, at) => {
      const name = pool === STORE ? SAN : STORE;
      await api.until(
        `disk ${at}/data is free`,
        () => api.get('VirtualDisk', 'data', at)?.status?.['claim'] === undefined,
      );
      await api.patch('VirtualDisk', 'data', at, { spec: { storagePoolRef: { name } } });
    },
  },
  {
    name: 'restart',
    act: async ({ api }, at) => {
      // It grows between the two runs.
      if (pool === GROUP) await api.patch('VirtualDisk', 'm.root', at, { spec: { size: '2Gi' } });
      await patchMachine(api, at, { restartRequestedAt: '2100-01-01T00:00:00Z' });
    },
  },
  {
    name: 'off',
    act: ({ api }, at) => patchMachine(api, at, { powerState: 'PoweredOff' }).then(() => undefined),
  },
  {
    name: 'on',
    act: ({ api }, at) => patchMachine(api, at, { powerState: 'PoweredOn' }).then(() => undefined),
  },
  {
    name: 'delete',
    // The image on which a disk stands goes before that disk: asked at once, either of the two may be the one that
    // deletes the copy. Beside the image of a served disk lies the machine's seed: it goes after the machine. The image
    // that nobody uses deletes its own.
    act: async ({ api }, at) => {
      await api.remove('VirtualMachineImage', 'unused', at);
      await api.remove('VirtualMachineImage', 'tiny', at);
      if (pool === STORE) {
        await api.until(
          `image ${at}/tiny is gone`,
          () => api.get('VirtualMachineImage', 'tiny', at) === undefined,
        );
      }
      await api.remove('VirtualMachine', 'm', at);
      await api.remove('VirtualDisk', 'data', at);
    },
  },
];

/** With all disks in that pool. A volume group keeps what it has: there is no way out of it. */
export const stagesOn = (pool: string): readonly Stage[] =>
  lifeOn(pool).filter(({ name }) => name !== 'move' || pool !== GROUP);
