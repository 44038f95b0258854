/** How the driver reaches a host: an open connection of the wire client, and the function that opens one. */
import type { LibvirtConnection } from '../../../wire/libvirt/connection.ts';
import type { HostEndpoint } from '../contract.ts';

export type Remote = Pick<LibvirtConnection, 'call' | 'events' | 'streams' | 'closed' | 'close'>;

/** Opens a connection; throws LibvirtConnectionError, LibvirtError or Fault. */
export type Dial = (endpoint: HostEndpoint, signal: AbortSignal) => Promise<Remote>;
