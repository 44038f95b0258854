import ipaddr from 'ipaddr.js';
import { Fault } from '../runtime/fault.ts';

/** A network card of the machine as cloud-init should set it up. */
export interface SeedInterface {
  /** Lower or upper case, with colons; what the card is found by. */
  readonly mac: string;
  /** The API's name of the card; the guest's too when it is a valid one there (at most 15 characters). */
  readonly name: string;
  /** Take addresses by DHCPv4 (IPv6 comes by router advertisement on its own). */
  readonly dhcp: boolean;
  /** Static addresses with prefix length, `192.0.2.5/24` or `2001:db8::5/64`. */
  readonly addresses?: readonly string[];
  readonly gateway4?: string;
  readonly gateway6?: string;
  readonly nameservers?: readonly string[];
}

const invalid = (message: string): Fault => new Fault('invalid', message, { reason: 'CloudInitInvalid' });

/** IFNAMSIZ of Linux counts the final NUL. */
const maxLinuxNameLength = 15;

const checkInterface = (card: SeedInterface): void => {
  const { name, mac, addresses = [], gateway4, gateway6, nameservers = [] } = card;
  if (!/^[a-z0-9](?:[a-z0-9-]{0,62})$/.test(name)) throw invalid('the name of a network card is malformed');
  if (!/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i.test(mac))
    throw invalid(`the MAC of network card ${name} is malformed`);
  const sound =
    addresses.every((address) => ipaddr.isValidCIDR(address)) &&
    nameservers.every((server) => ipaddr.isValid(server)) &&
    (gateway4 === undefined || ipaddr.IPv4.isValidFourPartDecimal(gateway4)) &&
    (gateway6 === undefined || ipaddr.IPv6.isValid(gateway6));
  if (!sound) throw invalid(`an address, gateway or name server of network card ${name} is malformed`);
};

/** `0.0.0.0/0` and not `default`, which only the netplan renderer of cloud-init knows. */
const routesOf = ({ gateway4, gateway6 }: SeedInterface): { to: string; via: string }[] => [
  ...(gateway4 === undefined ? [] : [{ to: '0.0.0.0/0', via: gateway4 }]),
  ...(gateway6 === undefined ? [] : [{ to: '::/0', via: gateway6 }]),
];

const ethernet = (card: SeedInterface): object => {
  const { mac, name, dhcp, addresses = [], nameservers = [] } = card;
  const routes = routesOf(card);
  return {
    match: { macaddress: mac.toLowerCase() },
    // Without it the renderers other than netplan take the key for the name and look for such a card.
    ...(name.length <= maxLinuxNameLength ? { 'set-name': name } : {}),
    dhcp4: dhcp,
    ...(addresses.length > 0 ? { addresses: [...addresses] } : {}),
    ...(routes.length > 0 ? { routes } : {}),
    ...(nameservers.length > 0 ? { nameservers: { addresses: [...nameservers] } } : {}),
  };
};

/**
 * Network configuration version 2, cards found by MAC
 * (cloudinit.readthedocs.io, "Networking config version 2").
 * @throws Fault `invalid` with reason CloudInitInvalid
 */
export const networkDocument = (interfaces: readonly SeedInterface[]): object => {
  for (const card of interfaces) checkInterface(card);
  const macs = new Set(interfaces.map(({ mac }) => mac.toLowerCase()));
  const names = new Set(interfaces.map(({ name }) => name));
  if (macs.size !== interfaces.length || names.size !== interfaces.length)
    throw invalid('two network cards have the same name or MAC');
  return { version: 2, ethernets: Object.fromEntries(interfaces.map((card) => [card.name, ethernet(card)])) };
};

/** True when the API sets something about a card that a network-config of the user's own would silently undo. */
export const hasStaticSettings = ({
  addresses = [],
  gateway4,
  gateway6,
  nameservers = [],
}: SeedInterface): boolean =>
  addresses.length > 0 || nameservers.length > 0 || gateway4 !== undefined || gateway6 !== undefined;
