import type { ServerDriver } from './fixture.ts';
import { simulated } from './simulated.ts';

/** Every driver of storage servers the laws run over; `OVCP_DRIVERS` names those wanted, separated by commas. */
const all: readonly ServerDriver[] = [simulated];

const wanted = process.env['OVCP_DRIVERS']?.split(',').map((name) => name.trim());

export const SERVER_DRIVERS: readonly ServerDriver[] = all.filter(
  ({ name }) => wanted?.includes(name) ?? true,
);
