/** Gives every disk and drive its place: the one it had, or a free one. */
import type { CdromShape, DiskBus, DiskShape, VmShape } from '../shape.ts';
import type { Seat } from './device-xml.ts';
import type { Kept } from './kept.ts';
import { aliasOf, takeTarget, targetPrefix } from './names.ts';

const BUS: Readonly<Record<DiskBus, string>> = { Virtio: 'virtio', SCSI: 'scsi', SATA: 'sata' };

const letterIndex = (target: string): number =>
  Buffer.from(target.slice(2), 'latin1').reduce((sum, letter) => sum * 26 + (letter - 96), 0) - 1;

/**
 * A free seat. SCSI units are spelled out on the one virtio-scsi controller: left alone, libvirt counts seven to a
 * controller and adds controllers of a model that guests have no driver for.
 */
export const freeSeat = (bus: DiskBus, taken: Set<string>): Seat => {
  const target = takeTarget(targetPrefix(bus), taken);
  if (bus !== 'SCSI') return { target };
  return { target, address: { type: 'drive', controller: 0, bus: 0, target: 0, unit: letterIndex(target) } };
};

export interface Seats {
  readonly disk: (disk: DiskShape) => Seat;
  readonly cdrom: (cdrom: CdromShape) => Seat;
  readonly other: (alias: string) => Seat;
}

/** Old places are handed out before new ones, so that no newcomer takes the place of one that stays. */
export const seatsFor = (shape: VmShape, kept: Kept): Seats => {
  const drives = [
    ...shape.disks.map(({ name, bus }) => ({ alias: aliasOf('disk', name), bus })),
    ...shape.cdroms.map(({ name }) => ({ alias: aliasOf('cdrom', name), bus: 'SATA' as const })),
  ];
  const seats = new Map<string, Seat>();
  for (const { alias, bus } of drives) {
    const seat = kept.seats.get(alias);
    if (seat?.target !== undefined && seat.bus === BUS[bus]) seats.set(alias, seat);
  }
  const taken = new Set([...seats.values()].flatMap((seat) => seat.target ?? []));
  for (const { alias, bus } of drives) {
    if (!seats.has(alias)) seats.set(alias, freeSeat(bus, taken));
  }
  return {
    disk: (disk) => seats.get(aliasOf('disk', disk.name)) ?? {},
    cdrom: (cdrom) => seats.get(aliasOf('cdrom', cdrom.name)) ?? {},
    other: (alias) => {
      const seat = kept.seats.get(alias);
      return seat?.address === undefined ? {} : { address: seat.address };
    },
  };
};
