/** What each step does to a domain: it looks again, acts only where the effect is missing, and only on what is ours. */
import { Fault } from '../../../runtime/fault.ts';
import { errorCodes, LibvirtError } from '../../../wire/libvirt/errors.ts';
import type { VmIdentity, VmRecord, VmStep } from '../contract.ts';
import type { VmShape } from '../shape.ts';
import { type DeviceContext, type DeviceStep, deviceStep } from './device-steps.ts';
import { domainXml, type Setup } from './domain-xml.ts';
import { type DomainRead, handle, METADATA_ELEMENT } from './domains.ts';
import { keptOf, NOTHING_KEPT } from './kept.ts';
import { isActive } from './power.ts';
import type { Remote } from './remote.ts';
import {
  bareMachineTag,
  HARDWARE_NAMESPACE,
  MACHINE_NAMESPACE,
  MACHINE_PREFIX,
  ownershipFor,
} from './tag.ts';
import { saidNo } from './to-fault.ts';
import { toXml } from './xml.ts';

export interface StepContext {
  readonly remote: Remote;
  readonly setup: Setup;
  readonly vm: VmIdentity;
}

/** virDomainModificationImpact. */
export const AFFECT = { live: 1, config: 2 } as const;
/** virDomainUndefineFlagsValues: what libvirt keeps of a machine goes with its definition. */
const UNDEFINE = { managedSave: 1, snapshotsMetadata: 2, checkpointsMetadata: 16 } as const;
/** virDomainShutdownFlagValues. */
const SHUTDOWN = { acpi: 1, agent: 2 } as const;
/** How long the agent may take to say that it heard; ACPI has been asked before. */
const AGENT_LIMIT_MS = 3_000;

export type Progress = 'done' | 'started';

const conflict = (where: string, message: string): Fault => new Fault('conflict', message, { where });

/** Throws Fault `denied` for a domain under our uuid that does not carry our tag. */
const checkOurs = (read: DomainRead, vm: VmIdentity, where: string): void => {
  const { kind } = ownershipFor(read.record, vm);
  if (kind === 'ours') return;
  throw new Fault('denied', `The machine ${read.name} on ${where} is not this one and is left alone.`, {
    reason: kind === 'none' ? 'NameTaken' : 'IdentityConflict',
    where,
  });
};

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

const recordsAgree = (a: VmRecord | undefined, b: VmRecord): boolean =>
  a !== undefined &&
  same(
    [a.clusterId, a.uid, a.namespace, a.name, a.restartHandledAt ?? '', a.startDue],
    [b.clusterId, b.uid, b.namespace, b.name, b.restartHandledAt ?? '', b.startDue],
  );

/** Where a change goes: to what runs, to what is stored, or both. */
export const affected = (read: DomainRead): number =>
  (isActive(read.power) ? AFFECT.live : 0) | (read.persistent ? AFFECT.config : 0);

const setAutostart = async (
  context: StepContext,
  wanted: boolean,
  read: DomainRead | undefined,
  signal: AbortSignal,
) => {
  if ((read?.autostart ?? false) === wanted || read?.persistent === false) return;
  const dom = handle(context.vm.uuid);
  await context.remote.call('DOMAIN_SET_AUTOSTART', { dom, autostart: wanted ? 1 : 0 }, signal);
};

/** Throws Fault `denied` when another machine has the name. */
const checkNameFree = async (
  { remote, vm }: StepContext,
  where: string,
  signal: AbortSignal,
): Promise<void> => {
  try {
    const { dom } = await remote.call('DOMAIN_LOOKUP_BY_NAME', { name: vm.domainName }, signal);
    if (dom.uuid.toLowerCase() === vm.uuid) return;
  } catch (error) {
    if (saidNo(error, errorCodes.noDomain)) return;
    throw error;
  }
  throw new Fault('denied', `The host ${where} has another machine named ${vm.domainName}.`, {
    reason: 'NameTaken',
    where,
  });
};

/** The wish in the words that the stored definition would read back as. */
const asRead = (shape: VmShape, seen: VmShape): VmShape => ({
  ...shape,
  hardware: {
    machineType: sameMachine(shape.hardware.machineType, seen.hardware.machineType),
    cpuModel: shape.hardware.cpuModel ?? seen.hardware.cpuModel,
  },
});

/** `q35` and `pc` are names for the newest of their kind, which the host writes out. */
const sameMachine = (wanted: string | undefined, seen: string | undefined): string | undefined => {
  if (wanted === undefined) return seen;
  const newest = { q35: 'pc-q35-', pc: 'pc-i440fx-' }[wanted];
  return newest !== undefined && seen?.startsWith(newest) === true ? seen : wanted;
};

const canonical = (shape: VmShape): unknown =>
  JSON.parse(JSON.stringify(shape), (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );

const isWritten = (read: DomainRead, shape: VmShape, record: VmRecord): boolean =>
  read.next !== undefined &&
  recordsAgree(read.next.record, record) &&
  same(
    canonical({ ...read.next.shape, autostart: shape.autostart }),
    canonical(asRead(shape, read.next.shape)),
  );

type DefineStep = Extract<VmStep, { kind: 'define' | 'redefine' }>;

const write = async (
  context: StepContext,
  step: DefineStep,
  read: DomainRead | undefined,
  signal: AbortSignal,
) => {
  if (read === undefined || !isWritten(read, step.shape, step.record)) {
    const described = read?.next ?? read?.running;
    const kept = described === undefined ? NOTHING_KEPT : keptOf(described.root);
    const vm = { ...context.vm, domainName: read?.name ?? context.vm.domainName };
    const xml = domainXml(vm, step.record, step.shape, context.setup, kept);
    try {
      await context.remote.call('DOMAIN_DEFINE_XML_FLAGS', { xml, flags: 0 }, signal);
    } catch (error) {
      // libvirt gives a name to one uuid alone (virDomainObjListAddLocked), and says so in words only.
      if (read === undefined && error instanceof LibvirtError)
        await checkNameFree(context, step.host, signal);
      throw error;
    }
  }
  const stored = read?.persistent === true ? read : undefined;
  await setAutostart(context, step.shape.autostart, stored, signal);
};

const start = async ({ remote, vm }: StepContext, read: DomainRead, where: string, signal: AbortSignal) => {
  if (read.power.kind === 'running') return;
  if (read.power.kind !== 'off') throw conflict(where, `The machine ${vm.domainName} is ${read.power.kind}.`);
  await remote.call('DOMAIN_CREATE_WITH_FLAGS', { dom: handle(vm.uuid), flags: 0 }, signal);
};

/** ACPI first, which needs nobody's answer; the agent too when it is there, because a guest may have no ACPI. */
const shutdown = async (
  { remote, vm }: StepContext,
  read: DomainRead,
  signal: AbortSignal,
): Promise<Progress> => {
  if (!isActive(read.power)) return 'done';
  const dom = handle(vm.uuid);
  if (read.power.kind !== 'stopping') {
    await remote.call('DOMAIN_SHUTDOWN_FLAGS', { dom, flags: SHUTDOWN.acpi }, signal);
    if (read.running?.agentConnected === true) {
      await remote
        .call('DOMAIN_SHUTDOWN_FLAGS', { dom, flags: SHUTDOWN.agent }, signal, { timeoutMs: AGENT_LIMIT_MS })
        .catch(() => undefined);
    }
  }
  return 'started';
};

const resume = async ({ remote, vm }: StepContext, read: DomainRead, where: string, signal: AbortSignal) => {
  if (read.power.kind === 'off') throw conflict(where, `The machine ${vm.domainName} is off.`);
  if (read.power.kind === 'paused') await remote.call('DOMAIN_RESUME', { dom: handle(vm.uuid) }, signal);
};

const undefineAll = async ({ remote, vm, setup }: StepContext, read: DomainRead, signal: AbortSignal) => {
  if (!read.persistent) return;
  const common = UNDEFINE.managedSave | UNDEFINE.snapshotsMetadata;
  const flags = setup.domainType === 'test' ? common : common | UNDEFINE.checkpointsMetadata;
  await remote.call('DOMAIN_UNDEFINE_FLAGS', { dom: handle(vm.uuid), flags }, signal);
};

const setTag = async (context: StepContext, read: DomainRead, record: VmRecord, signal: AbortSignal) => {
  const agree = [read.running, read.next].every(
    (each) => each === undefined || recordsAgree(each.record, record),
  );
  if (agree) return;
  await context.remote.call(
    'DOMAIN_SET_METADATA',
    {
      dom: handle(context.vm.uuid),
      type: METADATA_ELEMENT,
      metadata: toXml(bareMachineTag(record)),
      key: MACHINE_PREFIX,
      uri: MACHINE_NAMESPACE,
      flags: affected(read),
    },
    signal,
  );
};

const release = async ({ remote, vm }: StepContext, read: DomainRead, signal: AbortSignal): Promise<void> => {
  for (const uri of [HARDWARE_NAMESPACE, MACHINE_NAMESPACE]) {
    const dom = handle(vm.uuid);
    const flags = affected(read);
    try {
      await remote.call(
        'DOMAIN_SET_METADATA',
        { dom, type: METADATA_ELEMENT, metadata: null, key: null, uri, flags },
        signal,
      );
    } catch (error) {
      if (!saidNo(error, errorCodes.noDomainMetadata)) throw error;
    }
  }
};

const onPresent = async (
  context: StepContext,
  step: VmStep,
  read: DomainRead,
  signal: AbortSignal,
): Promise<Progress> => {
  switch (step.kind) {
    case 'define':
    case 'redefine':
      await write(context, step, read, signal);
      return 'done';
    case 'start':
      await start(context, read, step.host, signal);
      return 'done';
    case 'shutdown':
      return shutdown(context, read, signal);
    case 'destroy':
      if (isActive(read.power)) {
        await context.remote.call('DOMAIN_DESTROY_FLAGS', { dom: handle(context.vm.uuid), flags: 0 }, signal);
      }
      return 'done';
    case 'resume':
      await resume(context, read, step.host, signal);
      return 'done';
    case 'undefine':
      await undefineAll(context, read, signal);
      return 'done';
    case 'release':
      await release(context, read, signal);
      return 'done';
    case 'setRecord':
      await setTag(context, read, step.record, signal);
      return 'done';
    case 'setAutostart':
      await setAutostart(context, step.autostart, read, signal);
      return 'done';
    default:
      return deviceStep(deviceContext(context, read), step satisfies DeviceStep, signal);
  }
};

const deviceContext = (context: StepContext, read: DomainRead): DeviceContext => ({ ...context, read });

const onAbsent = async (context: StepContext, step: VmStep, signal: AbortSignal): Promise<Progress> => {
  switch (step.kind) {
    case 'define':
      await write(context, step, undefined, signal);
      return 'done';
    case 'destroy':
    case 'undefine':
    case 'release':
      return 'done';
    default:
      throw conflict(step.host, `The machine ${context.vm.domainName} is not on ${step.host}.`);
  }
};

/**
 * Takes one step on the domain as it was read a moment ago. Throws Fault `denied` for a domain that is not ours,
 * `conflict` for one that is not as the step needs it; wire errors pass through.
 */
export const takeStep = async (
  context: StepContext,
  step: VmStep,
  read: DomainRead | undefined,
  signal: AbortSignal,
): Promise<Progress> => {
  if (read === undefined) return onAbsent(context, step, signal);
  if (step.kind === 'release' && read.record === undefined) return 'done';
  checkOurs(read, context.vm, step.host);
  return onPresent(context, step, read, signal);
};
