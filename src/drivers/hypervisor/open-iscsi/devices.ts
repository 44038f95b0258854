/** Block devices on the host: what they call themselves, and how large they are. Read from sysfs, which hides nothing. */
import { Fault } from '../../../runtime/fault.ts';
import { safeText } from '../../../runtime/text.ts';
import type { LoginWish } from '../host-logins.ts';
import type { Shell } from './shell.ts';

export interface DeviceSeen {
  /** Kernel name: `sda`, `dm-0`. */
  readonly name: string;
  /** `naa.6001405…` as the device says; empty for a map. */
  readonly wwid: string;
  /** SCSI unit serial, page 0x80; empty for a map. */
  readonly serial: string;
  /** `mpath-3…` of a map; empty for a disk. */
  readonly mapUuid: string;
  readonly sizeBytes: number;
}

const SECTOR = 512;
const NAME = /^(sd[a-z]+|dm-\d+)$/;
const FILES = { wwid: 'device/wwid', page: 'device/vpd_pg80', size: 'size', map: 'dm/uuid' } as const;

const base = (name: string): string => `/sys/class/block/${name}`;

/** All of them in one call; one that is gone meanwhile is left out. */
export const readDevices = async (
  shell: Shell,
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly DeviceSeen[]> => {
  const known = names.filter((name) => NAME.test(name));
  if (known.length === 0) return [];
  const files = known.flatMap((name) => Object.values(FILES).map((file) => `${base(name)}/${file}`));
  // Files that are not there are no matter: -s.
  const { stdout } = await shell.run(['grep', '-aHs', '-e', '', '--', ...files], { plain: true }, signal);
  const lines = stdout.split('\n');
  const valueOf = (name: string, file: string): string => {
    const head = `${base(name)}/${file}:`;
    return (lines.find((line) => line.startsWith(head))?.slice(head.length) ?? '').trim();
  };
  return known.flatMap((name) => {
    const size = valueOf(name, FILES.size);
    if (!/^\d+$/.test(size)) return [];
    return [
      {
        name,
        wwid: valueOf(name, FILES.wwid).toLowerCase(),
        // Four bytes of head before it, and whatever ends it.
        serial: valueOf(name, FILES.page).replaceAll(/[^0-9A-Za-z]/g, ''),
        mapUuid: valueOf(name, FILES.map),
        sizeBytes: Number(size) * SECTOR,
      },
    ];
  });
};

/** The same LUN on another target, or the same target with another disk behind it: never another tenant's data. */
export const checkIdentity = (
  host: string,
  { wwn, serial, targetIqn }: Pick<LoginWish, 'wwn' | 'serial' | 'targetIqn'>,
  device: DeviceSeen,
): void => {
  if (device.wwid === `naa.${wwn}` && device.serial.endsWith(serial)) return;
  const shown = safeText(`${device.wwid} ${device.serial}`, 120);
  const message = `What ${targetIqn} shows to ${host} is another disk (${shown}); it is not used.`;
  throw new Fault('denied', message, { reason: 'DeviceMismatch', where: host });
};

/** Kernel name behind a link; undefined when there is no such link. */
export const deviceBehind = async (
  shell: Shell,
  link: string,
  signal: AbortSignal,
): Promise<string | undefined> => {
  const { code, stdout } = await shell.run(['readlink', '-e', '--', link], { plain: true }, signal);
  const name = /^\/dev\/([a-z0-9-]+)$/.exec(stdout.trim())?.[1];
  return code === 0 && name !== undefined && NAME.test(name) ? name : undefined;
};
