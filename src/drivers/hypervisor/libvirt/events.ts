/** Which events a connection listens to, and what each says about where to look. */

import { LibvirtError } from '../../../wire/libvirt/errors.ts';
import type { LibvirtEvent, LibvirtEventKind } from '../../../wire/libvirt/events.ts';
import type { Remote } from './remote.ts';

/** What an event points at; the news itself is read from the host. */
export interface EventSink {
  /** `redefined`: its definition changed, so its metadata may have too. */
  machine(uuid: string, name: string, event: { readonly redefined: boolean }): void;
  /** The guest agent came or went, or the guest started. */
  guest(uuid: string): void;
  network(): void;
  storage(): void;
}

/** virDomainEventType. */
const LIFECYCLE = { defined: 0, started: 2, resumed: 4 } as const;

const tellMachine = (event: Extract<LibvirtEvent, { domain: unknown }>, sink: EventSink): void => {
  const uuid = event.domain.uuid.toLowerCase();
  const lifecycle = event.kind === 'domainLifecycle' ? event.event : undefined;
  const redefined = lifecycle === LIFECYCLE.defined || event.kind === 'domainMetadataChange';
  sink.machine(uuid, event.domain.name, { redefined });
  const woke = lifecycle === LIFECYCLE.started || lifecycle === LIFECYCLE.resumed;
  if (woke || event.kind === 'domainReboot' || event.kind === 'domainAgentLifecycle') sink.guest(uuid);
};

const tell = (event: LibvirtEvent, sink: EventSink): void => {
  switch (event.kind) {
    case 'networkLifecycle':
      return sink.network();
    case 'storagePoolLifecycle':
    case 'storagePoolRefresh':
      return sink.storage();
    case 'nodeDeviceLifecycle':
    case 'nodeDeviceUpdate':
      return;
    default:
      return tellMachine(event, sink);
  }
};

const NEEDED: readonly LibvirtEventKind[] = ['domainLifecycle'];
/** Each on its own: the test driver and the split daemons lack some of them and are of use without. */
const WANTED: readonly LibvirtEventKind[] = [
  'domainReboot',
  'domainIoError',
  'domainTrayChange',
  'domainDeviceAdded',
  'domainDeviceRemoved',
  'domainDeviceRemovalFailed',
  'domainAgentLifecycle',
  'domainMetadataChange',
  'networkLifecycle',
  'storagePoolLifecycle',
];

const unlessRefused = async (registration: Promise<unknown>): Promise<void> => {
  try {
    await registration;
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error;
  }
};

/** Listens until the connection ends. Throws when lifecycle events cannot be had. */
export const registerEvents = async (remote: Remote, sink: EventSink, signal: AbortSignal): Promise<void> => {
  const listener = (event: LibvirtEvent): void => tell(event, sink);
  await remote.events.subscribe(NEEDED, listener, signal);
  await Promise.all(WANTED.map((kind) => unlessRefused(remote.events.subscribe([kind], listener, signal))));
};
