/** Asks one guest who it is: its agent, else the host's DHCP leases, else the host's ARP table. */
import { LibvirtError } from '../../../wire/libvirt/errors.ts';
import type { Domain } from '../../../wire/libvirt/protocol.gen.ts';
import type { GuestSeen } from '../contract.ts';
import type { DomainParsed } from './domain-parse.ts';
import { handle, param } from './domains.ts';
import { claimedAddresses, claimedHostname, claimedOs } from './guest-claims.ts';
import type { Remote } from './remote.ts';

/** virDomainInterfaceAddressesSource. */
const SOURCE = { lease: 0, agent: 1, arp: 2 } as const;
/** virDomainGuestInfoTypes. */
const GUEST_INFO = { os: 2, hostname: 8 } as const;
/** The daemon gives up on a silent agent after this long, in seconds; without it a guest could hold a call for ever. */
const AGENT_SECONDS = 2;
const AGENT_CALL_MS = 10_000;

type Addresses = GuestSeen['addresses'];

const addressesFrom = async (
  remote: Remote,
  dom: Domain,
  macs: readonly string[],
  source: number,
  signal: AbortSignal,
): Promise<Addresses> => {
  try {
    const { ifaces } = await remote.call('DOMAIN_INTERFACE_ADDRESSES', { dom, source, flags: 0 }, signal, {
      timeoutMs: AGENT_CALL_MS,
    });
    return claimedAddresses(
      macs,
      ifaces.map(({ hwaddr, addrs }) => ({ mac: hwaddr, ips: addrs.map(({ addr }) => addr) })),
    );
  } catch (error) {
    if (error instanceof LibvirtError) return [];
    throw error;
  }
};

const fromAgent = async (
  remote: Remote,
  dom: Domain,
  macs: readonly string[],
  signal: AbortSignal,
): Promise<GuestSeen> => {
  await remote
    .call('DOMAIN_AGENT_SET_RESPONSE_TIMEOUT', { dom, timeout: AGENT_SECONDS, flags: 0 }, signal)
    .catch(() => undefined);
  const addresses = await addressesFrom(remote, dom, macs, SOURCE.agent, signal);
  try {
    const types = GUEST_INFO.os | GUEST_INFO.hostname;
    const { params } = await remote.call('DOMAIN_GET_GUEST_INFO', { dom, types, flags: 0 }, signal, {
      timeoutMs: AGENT_CALL_MS,
    });
    const hostname = claimedHostname(param.text(params, 'hostname'));
    const os = claimedOs(param.text(params, 'os.pretty-name') ?? param.text(params, 'os.name'));
    return { agent: 'Connected', hostname, os, addresses };
  } catch (error) {
    if (error instanceof LibvirtError) return { agent: 'Connected', addresses };
    throw error;
  }
};

/** Agent first, else DHCP leases, else the host's ARP table. Wire errors of the connection pass through. */
export const askGuest = async (
  remote: Remote,
  uuid: string,
  running: DomainParsed,
  signal: AbortSignal,
): Promise<GuestSeen> => {
  const dom = handle(uuid);
  const macs = running.shape.nics.map(({ mac }) => mac);
  const said = running.agentConnected ? await fromAgent(remote, dom, macs, signal) : undefined;
  if (said !== undefined && said.addresses.length > 0) return said;
  const base: Omit<GuestSeen, 'addresses'> = said ?? { agent: 'Disconnected' };
  if (macs.length === 0) return { ...base, addresses: [] };
  const leased = await addressesFrom(remote, dom, macs, SOURCE.lease, signal);
  if (leased.length > 0) return { ...base, addresses: leased };
  return { ...base, addresses: await addressesFrom(remote, dom, macs, SOURCE.arp, signal) };
};
