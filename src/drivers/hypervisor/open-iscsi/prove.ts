/** From sessions to a device that has proved what it is, in its full size, under its own name. */
import { Fault } from '../../../runtime/fault.ts';
import { devicePathOf, type LoginWish } from '../host-logins.ts';
import { checkIdentity, type DeviceSeen, deviceBehind, readDevices } from './devices.ts';
import { checked, type Host } from './host.ts';
import { type Look, look, of } from './look.ts';
import { checkMultipath, joinPaths, mapUuid, resizeMap } from './multipath.ts';
import { IFACE } from './records.ts';

const DEVICE_LIMIT_MS = 20_000;

const notReady = ({ shell: { host } }: Host, message: string): Fault =>
  new Fault('unreachable', message, { reason: 'StorageNotReady', where: host });

/** Disks of the sessions that are up; undefined while one of them has none yet. */
const disksOf = ({ sessions }: Look, { lun }: LoginWish): readonly string[] | undefined => {
  const up = sessions.filter((session) => session.up);
  const disks = up.flatMap(({ disks }) => disks.get(lun) ?? []);
  return up.length > 0 && disks.length === up.length ? disks : undefined;
};

/** The disk of every path, each asked for its name; one that is another disk's is not looked at again. */
const provenDisks = async (
  host: Host,
  wish: LoginWish,
  seen: Look,
  signal: AbortSignal,
): Promise<readonly DeviceSeen[]> => {
  const again = async (): Promise<readonly string[] | undefined> =>
    disksOf(of(await look(host, signal), wish.targetIqn), wish);
  const names = disksOf(seen, wish) ?? (await host.poll(DEVICE_LIMIT_MS, again, signal));
  const devices = await readDevices(host.shell, names ?? [], signal);
  for (const device of devices) checkIdentity(host.shell.host, wish, device);
  if (names === undefined || devices.length !== names.length)
    throw notReady(host, `The disk of ${wish.targetIqn} did not appear on ${host.shell.host}.`);
  return devices;
};

/** A disk that grew on its server is asked for its size on every path. */
const rescan = async (host: Host, { targetIqn }: LoginWish, signal: AbortSignal): Promise<void> => {
  const argv = ['iscsiadm', '-m', 'node', '-T', targetIqn, '-I', IFACE, '-R'];
  checked(host.shell.host)(await host.shell.run(argv, {}, signal), `rescan ${targetIqn}`);
};

const isSmall = ({ sizeBytes }: LoginWish, devices: readonly DeviceSeen[]): boolean =>
  devices.some((device) => device.sizeBytes < sizeBytes);

const fullSized = async (
  host: Host,
  wish: LoginWish,
  disks: readonly DeviceSeen[],
  signal: AbortSignal,
): Promise<readonly string[]> => {
  const names = disks.map(({ name }) => name);
  if (!isSmall(wish, disks)) return names;
  await rescan(host, wish, signal);
  const grown = async (): Promise<true | undefined> =>
    isSmall(wish, await readDevices(host.shell, names, signal)) ? undefined : true;
  if ((await host.poll(DEVICE_LIMIT_MS, grown, signal)) === undefined)
    throw notReady(
      host,
      `The disk of ${wish.targetIqn} is smaller on ${host.shell.host} than on its server.`,
    );
  return names;
};

/** The device behind the link that machines open, if it is made of the disks that were proved. */
const linked = async (
  host: Host,
  wish: LoginWish,
  names: readonly string[],
  signal: AbortSignal,
): Promise<DeviceSeen | undefined> => {
  const name = await deviceBehind(host.shell, devicePathOf(wish), signal);
  if (name === undefined) return undefined;
  const [device] = await readDevices(host.shell, [name], signal);
  // A single path may be in a map too, where multipathd makes one of every disk.
  const isMap = device?.mapUuid === mapUuid(wish.wwn);
  return isMap || (wish.portals.length === 1 && names.includes(name)) ? device : undefined;
};

const settle = async (
  host: Host,
  wish: LoginWish,
  names: readonly string[],
  signal: AbortSignal,
): Promise<DeviceSeen> => {
  const find = (): Promise<DeviceSeen | undefined> => linked(host, wish, names, signal);
  const there = await find();
  if (there !== undefined) return there;
  if (wish.portals.length > 1) {
    await checkMultipath(host, wish, signal);
    await joinPaths(host, names, signal);
  }
  const late = await host.poll(DEVICE_LIMIT_MS, find, signal);
  if (late !== undefined) return late;
  throw notReady(host, `${devicePathOf(wish)} did not appear on ${host.shell.host}.`);
};

/** Throws Fault `denied` (`DeviceMismatch`) when it is another disk, `unreachable` when it does not appear. */
export const prove = async (host: Host, wish: LoginWish, seen: Look, signal: AbortSignal): Promise<void> => {
  const disks = await provenDisks(host, wish, seen, signal);
  const names = await fullSized(host, wish, disks, signal);
  const device = await settle(host, wish, names, signal);
  if (device.sizeBytes >= wish.sizeBytes) return;
  const grown = async (): Promise<true | undefined> => {
    if (device.mapUuid !== '') await resizeMap(host, wish.wwn, signal);
    return isSmall(wish, await readDevices(host.shell, [device.name], signal)) ? undefined : true;
  };
  if ((await host.poll(DEVICE_LIMIT_MS, grown, signal)) === undefined)
    throw notReady(host, `${devicePathOf(wish)} does not grow on ${host.shell.host}.`);
};
