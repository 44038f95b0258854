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

/** What only a try can tell of a host. */
export interface Probed {
  readonly acceleration: 'KVM' | 'Emulation';
  readonly iscsi: boolean;
}

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

/** VIR_DOMAIN_START_PAUSED. */
const PAUSED = 1;

const iscsiProbeXml = (uuid: string, arch: string): string =>
  toXml(
    el(
      'domain',
      { type: 'qemu' },
      el('name', {}, `ovcp-probe-${uuid.slice(0, 8)}`),
      el('uuid', {}, uuid),
      el('metadata', {}, elNs(PROBE_NAMESPACE, 'ovcp:probe', {})),
      el('memory', { unit: 'MiB' }, '32'),
      el('vcpu', {}, '1'),
      el('os', {}, el('type', { arch }, 'hvm')),
      el(
        'devices',
        {},
        el(
          'disk',
          { type: 'network', device: 'disk' },
          el('driver', { name: 'qemu', type: 'raw' }),
          el(
            'source',
            { protocol: 'iscsi', name: 'iqn.2026-01.dev.ovcp:probe/1' },
            // Nothing listens on port 1 of the host itself.
            el('host', { name: '127.0.0.1', port: 1 }),
            el('initiator', {}, el('iqn', { name: 'iqn.2026-01.dev.ovcp:probe' })),
          ),
          el('target', { dev: 'vda', bus: 'virtio' }),
        ),
        el('memballoon', { model: 'none' }),
        el('controller', { type: 'usb', model: 'none' }),
      ),
    ),
  );

/**
 * Whether the emulator opens disks of iSCSI targets. No capability says so, and distributions ship its driver apart
 * (Debian: qemu-block-extra). A machine with a disk where nothing listens cannot start: the driver says why in its
 * own name, and without it QEMU says that it knows no such driver. Wire errors of the connection pass through.
 */
export const probeIscsi = async (remote: Remote, arch: string, signal: AbortSignal): Promise<boolean> => {
  const uuid = randomUUID();
  try {
    const xml = iscsiProbeXml(uuid, arch);
    await remote.call('DOMAIN_CREATE_XML', { xml_desc: xml, flags: AUTODESTROY | PAUSED }, signal);
    await remote.call('DOMAIN_DESTROY_FLAGS', { dom: handle(uuid), flags: 0 }, signal);
    return true;
  } catch (error) {
    if (error instanceof LibvirtError) return error.message.includes('iSCSI');
    throw error;
  }
};

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
