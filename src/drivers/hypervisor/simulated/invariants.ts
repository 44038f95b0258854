/** What must never be in any world, simulated or not; checked by an eye that sees all hosts at once. */
import type { Attachment } from '../shape.ts';
import type { SimulatedHost } from './state.ts';

export interface Violation {
  /** `I1`: one machine runs on two hosts. `I2`: two running machines write one file. */
  readonly invariant: 'I1' | 'I2';
  readonly message: string;
}

/** Files of a shared folder and disks of a server are one on every host; other files are the host's own. */
const dataKey = (host: SimulatedHost, attachment: Attachment): string => {
  if (attachment.kind === 'network') return `${attachment.targetIqn}/${attachment.lun}`;
  const { path } = attachment;
  // A link that names the disk itself.
  if (attachment.kind === 'block') return path;
  const place = host.places.get(path.slice(0, path.lastIndexOf('/')));
  const local =
    place === undefined || host.directories.get(path.slice(0, path.lastIndexOf('/'))) === place.directory;
  return local ? `${host.name}:${path}` : path;
};

export const violationsOf = (hosts: readonly SimulatedHost[]): readonly Violation[] => {
  const found: Violation[] = [];
  const runsOn = new Map<string, string>();
  const writtenBy = new Map<string, string>();
  for (const host of hosts) {
    for (const { uuid, running, domainName } of host.machines.values()) {
      if (running === undefined) continue;
      const other = runsOn.get(uuid);
      if (other !== undefined) {
        found.push({ invariant: 'I1', message: `${domainName} runs on ${other} and ${host.name}` });
      }
      runsOn.set(uuid, host.name);
      for (const { attachment } of running.disks) {
        const key = dataKey(host, attachment);
        const writer = writtenBy.get(key);
        if (writer !== undefined && writer !== uuid) {
          found.push({ invariant: 'I2', message: `${key} is written by ${writer} and ${uuid}` });
        }
        writtenBy.set(key, uuid);
      }
    }
  }
  return found;
};
