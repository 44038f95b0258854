/** Names of devices inside a domain: aliases that carry our own names, and target names that libvirt wants. */
import type { DiskBus } from '../shape.ts';

type DeviceKind = 'disk' | 'cdrom' | 'nic';

const PREFIX: Readonly<Record<DeviceKind, string>> = { disk: 'ua-disk-', cdrom: 'ua-cdrom-', nic: 'ua-nic-' };

/**
 * The alias of a device of ours. libvirt takes letters, digits, `_` and `-` after `ua-` (USER_ALIAS_CHARS in
 * src/conf/domain_conf.c); every other byte becomes `_` and two hex digits.
 */
export const aliasOf = (kind: DeviceKind, name: string): string =>
  PREFIX[kind] +
  [...Buffer.from(name, 'utf8')]
    .map((byte) => {
      const char = String.fromCodePoint(byte);
      return /[A-Za-z0-9-]/.test(char) ? char : `_${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');

/** The name inside an alias of ours; undefined for one of libvirt's or of another's. */
export const nameOf = (kind: DeviceKind, alias: string | undefined): string | undefined => {
  if (alias === undefined || !alias.startsWith(PREFIX[kind])) return undefined;
  const coded = alias.slice(PREFIX[kind].length);
  if (!/^(?:[A-Za-z0-9-]|_[0-9a-f]{2})+$/.test(coded)) return undefined;
  const bytes = [...coded.matchAll(/_([0-9a-f]{2})|./g)].map(([char, hex]) =>
    hex === undefined ? char.charCodeAt(0) : Number.parseInt(hex, 16),
  );
  return Buffer.from(bytes).toString('utf8');
};

/** Virtio disks are vda…; SCSI, SATA and CD-ROM drives share sda…. */
export const targetPrefix = (bus: DiskBus): 'vd' | 'sd' => (bus === 'Virtio' ? 'vd' : 'sd');

const letters = (index: number): string => {
  const rest = Math.floor(index / 26) - 1;
  return (rest < 0 ? '' : letters(rest)) + String.fromCodePoint(97 + (index % 26));
};

/** Takes the first free target name of a prefix and remembers it. */
export const takeTarget = (prefix: 'vd' | 'sd', taken: Set<string>): string => {
  let index = 0;
  while (taken.has(prefix + letters(index))) index += 1;
  const name = prefix + letters(index);
  taken.add(name);
  return name;
};
