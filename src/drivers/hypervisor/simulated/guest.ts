/** Guests of the simulated world: what they do when asked, what they say of themselves, and what of it is believed. */
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import type { GuestSeen } from '../contract.ts';
import type { NicShape } from '../shape.ts';
import type { SimulatedHost, SimulatedMachine } from './state.ts';

/** What an agent may send: anything at all. */
export interface GuestClaims {
  readonly hostname?: string | undefined;
  readonly os?: string | undefined;
  readonly addresses?: readonly { readonly mac: string; readonly ips: readonly string[] }[] | undefined;
}

export interface GuestBehaviour {
  readonly acpi: 'honours' | 'ignores';
  /** From the shutdown request to off. */
  readonly shutdownMs: number;
  /** From power-on until the agent answers. */
  readonly bootMs: number;
  readonly agent: boolean;
  /** `holds`: a device it is asked to let go of stays. */
  readonly unplug: 'letsGo' | 'holds';
  /** Said instead of the truth. */
  readonly claims?: GuestClaims | undefined;
}

export const politeGuest: GuestBehaviour = {
  acpi: 'honours',
  shutdownMs: 0,
  bootMs: 0,
  agent: true,
  unplug: 'letsGo',
};

const maxNics = 16;
const maxIps = 16;
const hostnamePattern = /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/;
const osPattern = /^[\x20-\x7e]{1,128}$/;

const isOfInterest = (ip: string): boolean =>
  isIP(ip) !== 0 && !/^(?:127\.|169\.254\.|::1$|fe[89ab][0-9a-f]:)/i.test(ip);

/** Claims cut to what may be shown: known MACs, real addresses, plain text, bounded numbers. */
export const believed = (claims: GuestClaims, nics: readonly NicShape[]): GuestSeen => {
  const macs = new Set(nics.map((nic) => nic.mac.toLowerCase()));
  const addresses = (claims.addresses ?? [])
    .map(({ mac, ips }) => ({ mac: mac.toLowerCase(), ips: ips.filter(isOfInterest).slice(0, maxIps) }))
    .filter(({ mac }) => macs.has(mac))
    .slice(0, maxNics);
  return {
    agent: 'Connected',
    ...(claims.hostname !== undefined && hostnamePattern.test(claims.hostname)
      ? { hostname: claims.hostname }
      : {}),
    ...(claims.os !== undefined && osPattern.test(claims.os) ? { os: claims.os } : {}),
    addresses,
  };
};

const prefixOf = (host: SimulatedHost, nic: NicShape): string => {
  if (nic.backend.kind === 'network') {
    const { network } = nic.backend;
    const found = [...host.networks.values()].find(({ name }) => name === network);
    const base = found?.shape.cidr?.split('/')[0]?.split('.').slice(0, 3);
    if (base?.length === 3) {
      return base.join('.');
    }
  }
  return '10.0.0';
};

/** A lease by hash of the MAC: the same at every look, and nobody has to keep it. */
const leaseOf = (host: SimulatedHost, nic: NicShape): string => {
  const last = 2 + ((createHash('sha1').update(nic.mac).digest()[0] ?? 0) % 250);
  return `${prefixOf(host, nic)}.${last}`;
};

/** What a look at a running machine finds; undefined when it does not run. */
export const guestSeen = (
  host: SimulatedHost,
  machine: SimulatedMachine,
  behaviour: GuestBehaviour,
  nowMs: number,
): GuestSeen | undefined => {
  if (machine.running === undefined) {
    return undefined;
  }
  const { nics } = machine.running;
  if (nowMs - machine.startedMs < behaviour.bootMs) {
    return { agent: 'Disconnected', addresses: [] };
  }
  const addresses = nics
    .filter((nic) => nic.link === 'Up')
    .map((nic) => ({ mac: nic.mac.toLowerCase(), ips: [leaseOf(host, nic)] }));
  if (!behaviour.agent) {
    return { agent: 'Disconnected', addresses };
  }
  const truth = { hostname: machine.record?.name, os: 'Simulated Linux', addresses };
  return believed({ ...truth, ...behaviour.claims }, nics);
};
