/** Changes of machines in the simulated world, by steps and by hands alike; each keeps the indexes and tells of it. */
import { Fault } from '../../../runtime/fault.ts';
import type { Change, VmRecord } from '../contract.ts';
import {
  type Attachment,
  type BlockAttachment,
  type DiskShape,
  filesOf,
  type NetworkAttachment,
  type NicShape,
  type VmShape,
} from '../shape.ts';
import {
  recordKey,
  type SimulatedHost,
  type SimulatedMachine,
  type SimulatedPower,
  type SimulatedVolume,
} from './state.ts';

type Emit = (change: Change) => void;

/** What every change of a machine ends with. Events of a host that nobody reaches are lost. */
export const changed = (host: SimulatedHost, machine: SimulatedMachine, emit: Emit): void => {
  machine.summary = undefined;
  if (host.link.kind === 'up') {
    emit({ kind: 'vm', uuid: machine.uuid, uid: machine.record?.uid });
  }
};

const unindexRecord = (host: SimulatedHost, machine: SimulatedMachine): void => {
  if (machine.record === undefined) {
    return;
  }
  const key = recordKey(machine.record);
  const uuids = host.byRecord.get(key);
  uuids?.delete(machine.uuid);
  if (uuids?.size === 0) {
    host.byRecord.delete(key);
  }
};

export const setRecord = (
  host: SimulatedHost,
  machine: SimulatedMachine,
  record: VmRecord | undefined,
): void => {
  unindexRecord(host, machine);
  machine.record = record;
  if (record !== undefined) {
    const key = recordKey(record);
    const uuids = host.byRecord.get(key);
    if (uuids === undefined) {
      host.byRecord.set(key, new Set([machine.uuid]));
    } else {
      uuids.add(machine.uuid);
    }
  }
};

export interface NewMachine {
  readonly uuid: string;
  readonly domainName: string;
  readonly record: VmRecord | undefined;
  readonly shape: VmShape;
}

/** Throws Fault denied, reason NameTaken, when the domain name is another machine's. */
export const addMachine = (host: SimulatedHost, made: NewMachine): SimulatedMachine => {
  const owner = host.byDomainName.get(made.domainName);
  if (owner !== undefined && owner !== made.uuid) {
    const message = `The host ${host.name} has another machine named ${made.domainName}.`;
    throw new Fault('denied', message, { reason: 'NameTaken', where: host.name });
  }
  const machine: SimulatedMachine = {
    uuid: made.uuid,
    domainName: made.domainName,
    record: undefined,
    running: undefined,
    next: made.shape,
    power: { kind: 'off', why: 'Forgotten' },
    startedMs: 0,
    vncPort: undefined,
    summary: undefined,
  };
  host.machines.set(made.uuid, machine);
  host.byDomainName.set(made.domainName, made.uuid);
  setRecord(host, machine, made.record);
  return machine;
};

export const removeMachine = (host: SimulatedHost, machine: SimulatedMachine): void => {
  unindexRecord(host, machine);
  host.machines.delete(machine.uuid);
  host.byDomainName.delete(machine.domainName);
};

/** A machine without a stored definition is gone once it is off. */
export const powerOff = (
  host: SimulatedHost,
  machine: SimulatedMachine,
  why: Extract<SimulatedPower, { kind: 'off' }>['why'],
): void => {
  machine.running = undefined;
  machine.vncPort = undefined;
  machine.power = { kind: 'off', why };
  if (machine.next === undefined) {
    removeMachine(host, machine);
  }
};

/** The volume behind a path, when the path lies in a folder that this world knows. */
export const volumeAt = (
  host: SimulatedHost,
  path: string,
): { readonly known: boolean; readonly volume?: SimulatedVolume } => {
  const cut = path.lastIndexOf('/');
  const place = host.places.get(path.slice(0, cut));
  const volume = place?.directory.volumes.get(path.slice(cut + 1));
  return volume === undefined ? { known: place !== undefined } : { known: true, volume };
};

const checkFile = (host: SimulatedHost, path: string): void => {
  const { known, volume } = volumeAt(host, path);
  if (known && volume === undefined) {
    const message = `The file of a disk is not there: ${path.slice(path.lastIndexOf('/') + 1)}.`;
    throw new Fault('invalid', message, { reason: 'DiskLost', where: host.name });
  }
};

/** As a target refuses: it does not tell a LUN that is not there from one that this initiator may not see. */
const checkTarget = (host: SimulatedHost, attachment: NetworkAttachment): void => {
  const target = host.fabric.targets.get(attachment.targetIqn);
  if (target?.admitted.has(attachment.initiator) === true && target.lun === attachment.lun) {
    return;
  }
  const message = `The target refuses ${host.name} the disk, or does not have it.`;
  throw new Fault('unreachable', message, { reason: 'StorageNotReady', where: host.name });
};

const checkSecret = (host: SimulatedHost, { auth }: NetworkAttachment): void => {
  if (auth !== undefined && !host.secrets.has(auth.secretUuid)) {
    const message = `The host ${host.name} has no secret for the disk.`;
    throw new Fault('unreachable', message, { reason: 'StorageNotReady', where: host.name });
  }
};

const checkLogin = (host: SimulatedHost, { path }: BlockAttachment): void => {
  if (host.logins.get(path)?.cut === false) return;
  const message = `The host ${host.name} is not logged in to the disk.`;
  throw new Fault('unreachable', message, { reason: 'StorageNotReady', where: host.name });
};

export const checkAttachment = (host: SimulatedHost, attachment: Attachment): void => {
  switch (attachment.kind) {
    case 'file':
      for (const { path } of filesOf(attachment)) {
        checkFile(host, path);
      }
      return;
    case 'network':
      checkSecret(host, attachment);
      checkTarget(host, attachment);
      return;
    case 'block':
      // Links by what a disk calls itself are of disks that the host has logged in to; others are volumes of its own.
      if (attachment.path.startsWith('/dev/disk/by-id/')) checkLogin(host, attachment);
      else checkFile(host, attachment.path);
      return;
    default:
      attachment satisfies never;
  }
};

/** Size behind an attachment; undefined where this world knows nothing of it. */
export const sizeBehind = (host: SimulatedHost, attachment: Attachment): number | undefined => {
  switch (attachment.kind) {
    case 'file':
      return volumeAt(host, attachment.path).volume?.sizeBytes;
    case 'network':
      return host.fabric.targets.get(attachment.targetIqn)?.sizeBytes;
    case 'block':
      return host.logins.get(attachment.path)?.sizeBytes ?? volumeAt(host, attachment.path).volume?.sizeBytes;
    default:
      return attachment satisfies never;
  }
};

/** Throws a Fault when the host has not got what the card plugs into. */
export const checkNic = (host: SimulatedHost, { backend }: NicShape): void => {
  switch (backend.kind) {
    case 'bridge':
      if (!(host.settings.bridges ?? ['br0']).includes(backend.bridge)) {
        const message = `The host ${host.name} has no bridge ${backend.bridge}.`;
        throw new Fault('invalid', message, { reason: 'BridgeNotFound', where: host.name });
      }
      return;
    case 'network': {
      const found = [...host.networks.values()].find(({ name }) => name === backend.network);
      if (found?.active !== true) {
        const message = `The network ${backend.network} is not active on the host ${host.name}.`;
        throw new Fault('unreachable', message, { reason: 'NetworkNotReady', where: host.name });
      }
      return;
    }
    default:
      backend satisfies never;
  }
};

/** The size is the file's own: it may have grown since the machine was defined. */
const withTrueSize = (host: SimulatedHost, disk: DiskShape): DiskShape => {
  const size = sizeBehind(host, disk.attachment);
  return size === undefined || size === disk.sizeBytes ? disk : { ...disk, sizeBytes: size };
};

/** Throws a Fault when a disk, medium or network is missing; nothing has changed then. */
export const powerOn = (host: SimulatedHost, machine: SimulatedMachine, nowMs: number): void => {
  const shape = machine.next;
  if (shape === undefined || machine.running !== undefined) {
    return;
  }
  for (const disk of shape.disks) {
    checkAttachment(host, disk.attachment);
  }
  for (const { path } of shape.cdroms) {
    if (path !== undefined) {
      checkFile(host, path);
    }
  }
  for (const nic of shape.nics) {
    checkNic(host, nic);
  }
  const disks = shape.disks.map((disk) => withTrueSize(host, disk));
  const grown = disks.some((disk, at) => disk !== shape.disks[at]);
  machine.running = grown ? { ...shape, disks } : shape;
  machine.power = { kind: 'running' };
  machine.startedMs = nowMs;
  machine.vncPort = host.nextVncPort;
  host.nextVncPort += 1;
};

/** Changes the live hardware and the stored definition alike, as far as there is one. */
export const edit = (machine: SimulatedMachine, change: (shape: VmShape) => VmShape): boolean => {
  const { running, next } = machine;
  machine.running = running === undefined ? undefined : change(running);
  machine.next = next === undefined ? undefined : running === next ? machine.running : change(next);
  return machine.running !== running || machine.next !== next;
};
