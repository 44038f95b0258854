/**
 * Whether hardware virtualization really runs guests. `/dev/kvm` may be there and not work (nested or paravirtual
 * KVM), so a tiny transient machine without disks is started and watched: the daemon ends it with our connection at
 * the latest, and it never enters anybody's definitions.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../runtime/clock.ts';
import { LibvirtError } from '../../../wire/libvirt/errors.ts';
import { handle } from './domains.ts';
import type { Remote } from './remote.ts';
import { el, elNs, toXml } from './xml.ts';

const PROBE_NAMESPACE = 'https://ovcp.dev/xmlns/probe/1';
/** VIR_DOMAIN_START_AUTODESTROY. */
const AUTODESTROY = 2;
const RUNNING = 1;
/** The firmware runs for that long: where KVM cannot execute it, QEMU stops within milliseconds. */
const WATCH_MS = 400;

const probeXml = (uuid: string, arch: string): string =>
  toXml(
    el(
      'domain',
      { type: 'kvm' },
      el('name', {}, `ovcp-probe-${uuid.slice(0, 8)}`),
      el('uuid', {}, uuid),
      el('metadata', {}, elNs(PROBE_NAMESPACE, 'ovcp:probe', {})),
      el('memory', { unit: 'MiB' }, '32'),
      el('vcpu', {}, '1'),
      el('os', {}, el('type', { arch }, 'hvm')),
      // The CPU that machines get: paravirtual KVM takes a plain one and refuses this one.
      el('cpu', { mode: 'host-model' }),
      el(
        'devices',
        {},
        el('memballoon', { model: 'none' }),
        el('controller', { type: 'usb', model: 'none' }),
      ),
    ),
  );

/** Wire errors of the connection pass through; a refusal to run the guest is the answer "Emulation". */
export const probeAcceleration = async (
  remote: Remote,
  host: { readonly domainTypes: ReadonlySet<string>; readonly arch: string },
  clock: Clock,
  signal: AbortSignal,
): Promise<'KVM' | 'Emulation'> => {
  if (!host.domainTypes.has('kvm')) return 'Emulation';
  const dom = handle(randomUUID());
  try {
    await remote.call(
      'DOMAIN_CREATE_XML',
      { xml_desc: probeXml(dom.uuid, host.arch), flags: AUTODESTROY },
      signal,
    );
    await clock.sleep(WATCH_MS, signal);
    const { state } = await remote.call('DOMAIN_GET_STATE', { dom, flags: 0 }, signal);
    const { cpuTime } = await remote.call('DOMAIN_GET_INFO', { dom }, signal);
    await remote.call('DOMAIN_DESTROY_FLAGS', { dom, flags: 0 }, signal);
    return state === RUNNING && cpuTime > 0n ? 'KVM' : 'Emulation';
  } catch (error) {
    if (error instanceof LibvirtError) return 'Emulation';
    throw error;
  }
};
