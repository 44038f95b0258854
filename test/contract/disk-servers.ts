import type { DiskServerDriver } from './disk-server-fixture.ts';
import { lioServer } from './fixtures/lio.ts';
import { simulatedDisks } from './fixtures/simulated-disks.ts';
import { tgtServer } from './fixtures/tgt.ts';

/** Every server of disks the laws run over; `OVCP_DRIVERS` names those wanted, separated by commas. */
const all: readonly DiskServerDriver[] = [simulatedDisks, tgtServer, lioServer];

const wanted = process.env['OVCP_DRIVERS']?.split(',').map((name) => name.trim());

export const DISK_SERVERS: readonly DiskServerDriver[] = all.filter(
  ({ name }) => wanted?.includes(name) ?? true,
);
