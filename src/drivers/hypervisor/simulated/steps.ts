/** What each step does to a machine of the simulated world. */
import { Fault } from '../../../runtime/fault.ts';
import type { Change, HostId, VmIdentity, VmStep } from '../contract.ts';
import type { VmShape } from '../shape.ts';
import type { GuestBehaviour } from './guest.ts';
import {
  addMachine,
  changed,
  checkAttachment,
  checkNic,
  edit,
  powerOff,
  powerOn,
  removeMachine,
  setRecord,
  sizeBehind,
  volumeAt,
} from './machines.ts';
import type { SimulatedHost, SimulatedMachine } from './state.ts';

export interface StepContext {
  readonly host: SimulatedHost;
  readonly vm: VmIdentity;
  readonly behaviour: GuestBehaviour;
  readonly nowMs: number;
  readonly emit: (change: Change) => void;
  /** Runs once the guest has had its time. */
  readonly later: (delayMs: number, run: () => void) => void;
}

/** Whether the effect is there already. */
type Progress = 'done' | 'started';
/** Release alone is for machines that are no longer ours as well. */
type OursStep = Exclude<VmStep, { readonly kind: 'release' }>;
type OnMachine<K extends OursStep['kind']> = (
  machine: SimulatedMachine,
  step: Extract<OursStep, { readonly kind: K }>,
  context: StepContext,
) => Progress;

const conflict = (host: HostId, message: string): Fault => new Fault('conflict', message, { where: host });

const isOurs = ({ record }: SimulatedMachine, vm: VmIdentity): boolean =>
  record?.clusterId === vm.clusterId && record.uid === vm.uid;

const notOurs = (host: HostId, machine: SimulatedMachine): Fault =>
  new Fault('denied', `The machine ${machine.domainName} on ${host} is not this one and is left alone.`, {
    reason: machine.record === undefined ? 'NameTaken' : 'IdentityConflict',
    where: host,
  });

const deepSame = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

const editing = (
  machine: SimulatedMachine,
  { host, emit }: StepContext,
  change: (shape: VmShape) => VmShape,
): Progress => {
  const same = (shape: VmShape): VmShape => {
    const after = change(shape);
    return deepSame(after, shape) ? shape : after;
  };
  if (edit(machine, same)) {
    changed(host, machine, emit);
  }
  return 'done';
};

/** With the item in place of the one of the same key, or at the end. */
const upsert = <T>(items: readonly T[], item: T, same: (other: T) => boolean): readonly T[] =>
  items.some(same) ? items.map((other) => (same(other) ? item : other)) : [...items, item];

const shutdown: OnMachine<'shutdown'> = (machine, _step, { host, behaviour, emit, later }) => {
  if (machine.power.kind === 'off') {
    return 'done';
  }
  if (behaviour.acpi === 'ignores' || machine.power.kind !== 'running') {
    return 'started';
  }
  if (behaviour.shutdownMs <= 0) {
    powerOff(host, machine, 'GuestShutdown');
    changed(host, machine, emit);
    return 'done';
  }
  const { startedMs } = machine;
  machine.power = { kind: 'stopping' };
  changed(host, machine, emit);
  later(behaviour.shutdownMs, () => {
    // It may have been destroyed and started again meanwhile.
    if (machine.power.kind === 'stopping' && machine.startedMs === startedMs) {
      powerOff(host, machine, 'GuestShutdown');
      changed(host, machine, emit);
    }
  });
  return 'started';
};

const start: OnMachine<'start'> = (machine, _step, { host, nowMs, emit, behaviour, later }) => {
  if (machine.power.kind === 'running') {
    return 'done';
  }
  if (machine.power.kind !== 'off') {
    throw conflict(host.name, `The machine ${machine.domainName} is ${machine.power.kind}.`);
  }
  powerOn(host, machine, nowMs);
  changed(host, machine, emit);
  if (behaviour.bootMs > 0) {
    later(behaviour.bootMs, () => changed(host, machine, emit));
  }
  return 'done';
};

const destroy: OnMachine<'destroy'> = (machine, _step, { host, emit }) => {
  if (machine.power.kind !== 'off') {
    powerOff(host, machine, 'Destroyed');
    changed(host, machine, emit);
  }
  return 'done';
};

const resume: OnMachine<'resume'> = (machine, _step, { host, emit }) => {
  if (machine.power.kind === 'paused') {
    machine.power = { kind: 'running' };
    changed(host, machine, emit);
  } else if (machine.power.kind === 'off') {
    throw conflict(host.name, `The machine ${machine.domainName} is off.`);
  }
  return 'done';
};

/** A machine that runs goes on without a definition, as libvirt's transient domains do. */
const undefine: OnMachine<'undefine'> = (machine, _step, { host, emit }) => {
  machine.next = undefined;
  if (machine.running === undefined) {
    removeMachine(host, machine);
  }
  changed(host, machine, emit);
  return 'done';
};

const redefine = (
  machine: SimulatedMachine,
  { shape, record }: Extract<VmStep, { readonly kind: 'define' } | { readonly kind: 'redefine' }>,
  { host, emit }: StepContext,
): Progress => {
  if (deepSame(machine.next, shape) && deepSame(machine.record, record)) {
    return 'done';
  }
  machine.next = shape;
  setRecord(host, machine, record);
  changed(host, machine, emit);
  return 'done';
};

const detach = (
  machine: SimulatedMachine,
  context: StepContext,
  change: (shape: VmShape) => VmShape,
): Progress => {
  if (machine.running !== undefined && context.behaviour.unplug === 'holds') {
    return deepSame(change(machine.running), machine.running) ? 'done' : 'started';
  }
  return editing(machine, context, change);
};

const growDisk: OnMachine<'growDisk'> = (machine, { serial, sizeBytes }, context) => {
  const disk = (machine.running ?? machine.next)?.disks.find((disk) => disk.serial === serial);
  if (disk === undefined) {
    throw conflict(context.host.name, 'The machine has no disk of that serial.');
  }
  const { attachment } = disk;
  const volume = attachment.kind === 'file' ? volumeAt(context.host, attachment.path).volume : undefined;
  if (attachment.kind === 'block' && (sizeBehind(context.host, attachment) ?? 0) < sizeBytes) {
    throw conflict(context.host.name, 'The host does not see yet that the disk has grown.');
  }
  if (volume !== undefined) {
    volume.sizeBytes = Math.max(volume.sizeBytes, sizeBytes);
  }
  return editing(machine, context, (shape) => ({
    ...shape,
    disks: shape.disks.map((disk) =>
      disk.serial === serial ? { ...disk, sizeBytes: Math.max(disk.sizeBytes, sizeBytes) } : disk,
    ),
  }));
};

const onMachine: { readonly [K in OursStep['kind']]: OnMachine<K> } = {
  define: redefine,
  redefine,
  start,
  shutdown,
  destroy,
  resume,
  undefine,
  setRecord: (machine, { record }, { host, emit }) => {
    if (!deepSame(machine.record, record)) {
      setRecord(host, machine, record);
      changed(host, machine, emit);
    }
    return 'done';
  },
  setAutostart: (machine, { autostart }, context) =>
    editing(machine, context, (shape) => ({ ...shape, autostart })),
  attachDisk: (machine, { disk }, context) => {
    checkAttachment(context.host, disk.attachment);
    return editing(machine, context, (shape) => ({
      ...shape,
      disks: upsert(shape.disks, disk, ({ serial }) => serial === disk.serial),
    }));
  },
  detachDisk: (machine, { serial }, context) =>
    detach(machine, context, (shape) => ({
      ...shape,
      disks: shape.disks.filter((disk) => disk.serial !== serial),
    })),
  growDisk,
  attachNic: (machine, { nic }, context) => {
    checkNic(context.host, nic);
    return editing(machine, context, (shape) => ({
      ...shape,
      nics: upsert(shape.nics, nic, ({ mac }) => mac === nic.mac),
    }));
  },
  detachNic: (machine, { mac }, context) =>
    detach(machine, context, (shape) => ({ ...shape, nics: shape.nics.filter((nic) => nic.mac !== mac) })),
  updateNic: (machine, { nic }, context) => {
    checkNic(context.host, nic);
    if (!(machine.running ?? machine.next)?.nics.some(({ mac }) => mac === nic.mac)) {
      throw conflict(context.host.name, `The machine has no card ${nic.mac}.`);
    }
    return editing(machine, context, (shape) => ({
      ...shape,
      nics: shape.nics.map((other) => (other.mac === nic.mac ? nic : other)),
    }));
  },
  changeMedia: (machine, { cdrom }, context) => {
    if (!(machine.running ?? machine.next)?.cdroms.some(({ name }) => name === cdrom.name)) {
      throw conflict(context.host.name, `The machine has no drive ${cdrom.name}.`);
    }
    return editing(machine, context, (shape) => ({
      ...shape,
      cdroms: shape.cdroms.map((other) => (other.name === cdrom.name ? cdrom : other)),
    }));
  },
};

const release = (machine: SimulatedMachine, { host, vm, emit }: StepContext): Progress => {
  if (machine.record === undefined) {
    return 'done';
  }
  if (!isOurs(machine, vm)) {
    throw notOurs(host.name, machine);
  }
  setRecord(host, machine, undefined);
  changed(host, machine, emit);
  return 'done';
};

const onAbsent = (step: VmStep, { host, vm, emit }: StepContext): Progress => {
  switch (step.kind) {
    case 'define': {
      const { uuid, domainName } = vm;
      changed(host, addMachine(host, { uuid, domainName, record: step.record, shape: step.shape }), emit);
      return 'done';
    }
    case 'destroy':
    case 'undefine':
    case 'release':
      return 'done';
    default:
      throw conflict(host.name, `The machine ${vm.domainName} is not on ${host.name}.`);
  }
};

const carryOut = <K extends OursStep['kind']>(
  machine: SimulatedMachine,
  step: Extract<OursStep, { readonly kind: K }>,
  context: StepContext,
): Progress => onMachine[step.kind](machine, step, context);

/** Throws Fault denied on a machine that is not ours, conflict on one that is not as the step needs it. */
export const takeStep = (step: VmStep, context: StepContext): Progress => {
  const machine = context.host.machines.get(context.vm.uuid);
  if (machine === undefined) {
    return onAbsent(step, context);
  }
  if (step.kind === 'release') {
    return release(machine, context);
  }
  if (!isOurs(machine, context.vm)) {
    throw notOurs(context.host.name, machine);
  }
  return carryOut(machine, step, context);
};
