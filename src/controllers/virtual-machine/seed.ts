/** The cloud-init seed of a machine: rendered from its spec and Secrets, named by its content. */
import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { seedVolumeName } from '../../api/identity.ts';
import { buildSeedIso, type Seed, type SeedInterface } from '../../media/cloud-init.ts';
import { isFault } from '../../runtime/fault.ts';
import type { ControllerContext } from '../context.ts';
import { pathIn } from '../places.ts';
import { seedPrefix } from './see.ts';
import { seedPlaceOf } from './seed-place.ts';
import { hostIdOf, type Lack, type SeedSight, type VmWorld } from './world.ts';

const lackOf = (reason: Lack['reason'], message: string): SeedSight => ({
  kind: 'lack',
  lack: { condition: 'Ready', reason, message },
});

type Text =
  | { readonly kind: 'text'; readonly text: string | undefined }
  | { readonly kind: 'lack'; readonly sight: SeedSight };

/** The Secret of the machine's own namespace; its value is never shown anywhere. */
const fromSecret = async (
  { secrets }: ControllerContext,
  namespace: string,
  name: string,
  key: string,
  signal: AbortSignal,
): Promise<Text> => {
  const secret = await secrets.get({ namespace, name }, signal);
  if (secret === undefined) {
    return {
      kind: 'lack',
      sight: lackOf('SecretNotFound', `Secret ${name} does not exist in this namespace.`),
    };
  }
  const value = secret.data?.[key];
  return value === undefined
    ? { kind: 'lack', sight: lackOf('SecretInvalid', `Secret ${name} has no key ${key}.`) }
    : { kind: 'text', text: Buffer.from(value, 'base64').toString('utf8') };
};

const textOf = (
  context: ControllerContext,
  world: VmWorld,
  source: {
    readonly inline: string | undefined;
    readonly ref: { readonly name: string } | undefined;
    readonly key: string;
  },
  signal: AbortSignal,
): Promise<Text> =>
  source.ref === undefined
    ? Promise.resolve({ kind: 'text', text: source.inline })
    : fromSecret(context, world.identity.namespace, source.ref.name, source.key, signal);

/** Cards are described only when one has a static address: without, the guest's own DHCP default does. */
const interfacesOf = ({ vm, nics }: VmWorld): readonly SeedInterface[] | undefined => {
  if (!vm.spec.networks.some(({ addresses }) => (addresses ?? []).length > 0)) return undefined;
  return vm.spec.networks.map((network, index): SeedInterface => {
    const { name, addresses = [], gateway, nameservers } = network;
    return {
      name,
      mac: nics[index]?.mac ?? '',
      dhcp: addresses.length === 0,
      ...(addresses.length > 0 ? { addresses } : {}),
      ...(gateway === undefined ? {} : { [isIPv6(gateway) ? 'gateway6' : 'gateway4']: gateway }),
      ...(nameservers === undefined ? {} : { nameservers }),
    };
  });
};

const seedOf = (world: VmWorld, userData: string | undefined, networkConfig: string | undefined): Seed => {
  const { cloudInit } = world.vm.spec;
  const interfaces = interfacesOf(world);
  return {
    instanceId: world.identity.uid,
    hostname: cloudInit?.hostname ?? world.identity.name,
    sshAuthorizedKeys: cloudInit?.sshAuthorizedKeys ?? [],
    ...(userData === undefined ? {} : { userData }),
    ...(networkConfig === undefined ? {} : { networkConfig }),
    ...(networkConfig === undefined && interfaces !== undefined ? { interfaces } : {}),
  };
};

const build = (seed: Seed): Uint8Array | SeedSight => {
  try {
    return buildSeedIso(seed);
  } catch (error) {
    if (!isFault(error, 'invalid')) throw error;
    const reason = error.reason === 'CloudInitTooLarge' ? 'CloudInitTooLarge' : 'CloudInitInvalid';
    return lackOf(reason, error.message);
  }
};

/** Renders the seed and looks beside the machine's first disk whether it lies there. */
export const renderSeedSight = async (
  context: ControllerContext,
  world: VmWorld,
  signal: AbortSignal,
): Promise<SeedSight> => {
  const { cloudInit } = world.vm.spec;
  const place = seedPlaceOf(world);
  const home = hostIdOf(world, world.vm.status?.host);
  const session = context.fleet.session(world.vm.spec.hostPoolRef.name);
  if (cloudInit === undefined) return { kind: 'none' };
  if (place === undefined)
    return lackOf(
      'CloudInitInvalid',
      'cloudInit needs a machine with a disk in a pool of files, or one that was made from an image.',
    );
  if (home === undefined || session === undefined) return { kind: 'keep' };
  const user = { inline: cloudInit.userData, ref: cloudInit.userDataSecretRef, key: 'userData' };
  const net = { inline: cloudInit.networkData, ref: cloudInit.networkDataSecretRef, key: 'networkData' };
  const [userData, networkData] = await Promise.all([
    textOf(context, world, user, signal),
    textOf(context, world, net, signal),
  ]);
  if (userData.kind === 'lack') return userData.sight;
  if (networkData.kind === 'lack') return networkData.sight;
  const bytes = build(seedOf(world, userData.text, networkData.text));
  if (!(bytes instanceof Uint8Array)) return bytes;
  const volume = seedVolumeName(world.identity.uid, createHash('sha256').update(bytes).digest('hex'));
  const there = (await session.pool.hostStorage(home).list(place, signal)).map(({ name }) => name);
  const prefix = seedPrefix(world.identity.uid);
  return {
    kind: 'wanted',
    place,
    volume,
    path: pathIn(place, volume),
    bytes,
    present: there.includes(volume),
    stale: there.filter((name) => name.startsWith(prefix) && name !== volume),
  };
};
