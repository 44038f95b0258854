import type { LibvirtCall } from './connection.ts';
import type { Domain, DomainInterface } from './protocol.gen.ts';
import type { Console, LibvirtStreams } from './streams.ts';
import { readTypedParams, type TypedValues } from './typed-params.ts';

/** virDomainInterfaceAddressesSource. */
export const addressSources = { lease: 0, agent: 1, arp: 2 } as const;
/** virDomainGuestInfoTypes. */
export const guestInfoTypes = { users: 1, os: 2, timezone: 4, hostname: 8, filesystem: 16 } as const;

/** What is asked of the inside of a guest. A guest may lie, and its agent may be silent (LibvirtError 86). */
export const createGuests = (call: LibvirtCall, streams: LibvirtStreams) => ({
  interfaceAddresses: async (
    dom: Domain,
    source: keyof typeof addressSources,
    signal: AbortSignal,
  ): Promise<readonly DomainInterface[]> => {
    const args = { dom, source: addressSources[source], flags: 0 };
    return (await call('DOMAIN_INTERFACE_ADDRESSES', args, signal)).ifaces;
  },
  /** `types` is a sum of guestInfoTypes; keys such as os.name, hostname (docs of virDomainGetGuestInfo). */
  guestInfo: async (dom: Domain, types: number, signal: AbortSignal): Promise<TypedValues> =>
    readTypedParams((await call('DOMAIN_GET_GUEST_INFO', { dom, types, flags: 0 }, signal)).params),
  hostname: async (dom: Domain, flags: number, signal: AbortSignal): Promise<string> =>
    (await call('DOMAIN_GET_HOSTNAME', { dom, flags }, signal)).hostname,
  /** Limit of every later request to this guest's agent; seconds, 0 is libvirt's default of not waiting. */
  setAgentTimeout: (dom: Domain, timeout: number, signal: AbortSignal) =>
    call('DOMAIN_AGENT_SET_RESPONSE_TIMEOUT', { dom, timeout, flags: 0 }, signal),
  /** A JSON command to the agent and its JSON answer. */
  agentCommand: async (
    dom: Domain,
    cmd: string,
    timeout: number,
    signal: AbortSignal,
  ): Promise<string | null> =>
    (await call('QEMU_DOMAIN_AGENT_COMMAND', { dom, cmd, timeout, flags: 0 }, signal)).result,
  /** The first serial console, or the device of that alias; 1 takes it over from another reader. */
  openConsole: (dom: Domain, alias: string | null, flags: number, signal: AbortSignal): Promise<Console> =>
    streams.open('DOMAIN_OPEN_CONSOLE', { dom, dev_name: alias, flags }, signal),
});

export type Guests = ReturnType<typeof createGuests>;
