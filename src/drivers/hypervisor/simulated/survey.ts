/** The bulk call of a simulated host. */
import type { Clock } from '../../../runtime/clock.ts';
import { isFault } from '../../../runtime/fault.ts';
import type { Ownership, SurveySeen, VmRecord, VmSummary } from '../contract.ts';
import type { Gate } from './gate.ts';
import type { Inventory } from './inventory.ts';
import { powerSeen, type SimulatedHost, type SimulatedMachine } from './state.ts';

export const ownershipFor = (
  record: VmRecord | undefined,
  mine: (record: VmRecord) => boolean,
): Ownership => {
  if (record === undefined) {
    return { kind: 'none' };
  }
  return mine(record)
    ? { kind: 'ours', record }
    : { kind: 'other', clusterId: record.clusterId, uid: record.uid };
};

const summaryOf = (machine: SimulatedMachine, clusterId: string | undefined): VmSummary => ({
  uuid: machine.uuid,
  domainName: machine.domainName,
  power: powerSeen(machine),
  ownership: ownershipFor(machine.record, (record) => (clusterId ?? record.clusterId) === record.clusterId),
});

const summarize = (machine: SimulatedMachine, clusterId: string | undefined): VmSummary => {
  // The kept row is that of the machine's own installation.
  if (machine.record !== undefined && machine.record.clusterId !== (clusterId ?? machine.record.clusterId)) {
    return summaryOf(machine, clusterId);
  }
  machine.summary ??= summaryOf(machine, clusterId);
  return machine.summary;
};

export interface SurveyContext {
  readonly calls: Gate;
  readonly clock: Clock;
  readonly inventory: Inventory;
  readonly clusterId: string | undefined;
}

type Survey = (host: SimulatedHost, signal: AbortSignal) => Promise<SurveySeen>;

export const createSurvey = ({ calls, clock, inventory, clusterId }: SurveyContext): Survey => {
  return async (host, signal) => {
    const unseen = (why: string): SurveySeen => ({
      kind: 'unseen',
      host: host.name,
      sinceMs: host.link.kind === 'down' ? host.link.sinceMs : clock.nowMs(),
      why,
    });
    if (host.link.kind === 'down') {
      return unseen(`The host ${host.name} does not answer.`);
    }
    try {
      const effect = (): SurveySeen => {
        inventory.note(host);
        const machines = Array.from(host.machines.values(), (machine) => summarize(machine, clusterId));
        return { kind: 'seen', host: host.name, machines };
      };
      return await calls.run(host, { method: 'survey', mutating: false }, effect, signal);
    } catch (error) {
      if (isFault(error) && !signal.aborted) {
        return unseen(error.message);
      }
      throw error;
    }
  };
};
