import type { Driver } from './fixture.ts';
import { libvirtQemu, libvirtTest } from './fixtures/libvirt.ts';
import { simulated } from './fixtures/simulated.ts';

/** Every driver the laws run over; `OVCP_DRIVERS` names those wanted, separated by commas. */
const all: readonly Driver[] = [simulated, libvirtTest, libvirtQemu];

const wanted = process.env['OVCP_DRIVERS']?.split(',').map((name) => name.trim());

export const DRIVERS: readonly Driver[] = all.filter(({ name }) => wanted?.includes(name) ?? true);
