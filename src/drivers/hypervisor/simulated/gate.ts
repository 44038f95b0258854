/** Every call on a simulated host goes through here: latency, failures, counters and the log of what changed it. */
import type { Clock } from '../../../runtime/clock.ts';
import { Fault, type FaultKind } from '../../../runtime/fault.ts';
import type { HostId } from '../contract.ts';
import type { SimulatedHost } from './state.ts';

export interface SimulatedCall {
  readonly host: HostId;
  /** `see`, `survey`, `claim`, `start`, `storage.see`, `storage.createBlank`, `network.define`, … */
  readonly method: string;
  readonly mutating: boolean;
  /** uuid of the machine or network, or name of the volume. */
  readonly subject?: string | undefined;
  /** Folder of the volume, of a step on one. */
  readonly path?: string | undefined;
}

/** Where a call stands: not yet carried out, or carried out and not yet answered (F7). */
export type CallPhase = 'before' | 'after';

export interface FailureRule {
  readonly host?: HostId | undefined;
  readonly method?: string | undefined;
  readonly subject?: string | undefined;
  /** `before` the effect when absent; `after`: it happened and the reply is lost. */
  readonly when?: CallPhase | undefined;
  /** `unreachable` when absent. */
  readonly fault?: FaultKind | (() => Fault) | undefined;
  /** How many calls it meets; 1 when absent. */
  readonly times?: number | undefined;
}

/** May throw a Fault, or hold the call for as long as it likes. */
export type CallHook = (call: SimulatedCall, phase: CallPhase) => void | Promise<void>;

export interface Gate {
  /** `effect` runs once the call arrived; what it throws is the answer. */
  readonly run: <T>(
    host: SimulatedHost,
    call: Omit<SimulatedCall, 'host'>,
    effect: () => T,
    signal: AbortSignal,
  ) => Promise<T>;
  /** Fails the calls to come that the rule meets; returns how to take it back. */
  readonly fail: (rule: FailureRule) => () => void;
  /** Sees every call before and after its effect; returns how to take it back. */
  readonly hook: (hook: CallHook) => () => void;
  /** Mutating calls that were carried out, oldest first. */
  readonly log: () => readonly SimulatedCall[];
  readonly clearLog: () => void;
  /** Calls per method since the begin, failed ones too. */
  readonly counts: () => ReadonlyMap<string, number>;
}

const maxLog = 200_000;

export const unreachable = (host: HostId): Fault =>
  new Fault('unreachable', `The host ${host} does not answer.`, { reason: 'HostUnreachable', where: host });

const givenUp = (host: HostId, signal: AbortSignal): Fault =>
  signal.reason instanceof Fault
    ? signal.reason
    : new Fault('unreachable', `The call to ${host} was given up.`, { cause: signal.reason, where: host });

const faultOf = (rule: FailureRule, call: SimulatedCall): Fault => {
  const kind = rule.fault ?? 'unreachable';
  return typeof kind === 'function'
    ? kind()
    : new Fault(kind, `The simulated call ${call.method} failed.`, { where: call.host });
};

const meets = (rule: FailureRule, call: SimulatedCall, phase: CallPhase): boolean =>
  (rule.when ?? 'before') === phase &&
  (rule.host === undefined || rule.host === call.host) &&
  (rule.method === undefined || rule.method === call.method) &&
  (rule.subject === undefined || rule.subject === call.subject);

interface Trouble {
  readonly meet: (call: SimulatedCall, phase: CallPhase) => Promise<void> | undefined;
  readonly fail: (rule: FailureRule) => () => void;
  readonly hook: (hook: CallHook) => () => void;
}

const createTrouble = (): Trouble => {
  const rules = new Map<FailureRule, number>();
  const hooks = new Set<CallHook>();

  const failByRule = (call: SimulatedCall, phase: CallPhase): void => {
    for (const [rule, left] of rules) {
      if (meets(rule, call, phase)) {
        if (left <= 1) {
          rules.delete(rule);
        } else {
          rules.set(rule, left - 1);
        }
        throw faultOf(rule, call);
      }
    }
  };

  const runHooks = async (call: SimulatedCall, phase: CallPhase): Promise<void> => {
    for (const hook of hooks) {
      await hook(call, phase);
    }
    failByRule(call, phase);
  };

  return {
    meet: (call, phase) => {
      if (hooks.size > 0) {
        return runHooks(call, phase);
      }
      failByRule(call, phase);
      return undefined;
    },
    fail: (rule) => {
      rules.set(rule, rule.times ?? 1);
      return () => {
        rules.delete(rule);
      };
    },
    hook: (hook) => {
      hooks.add(hook);
      return () => {
        hooks.delete(hook);
      };
    },
  };
};

const createLog = (): Pick<Gate, 'log' | 'clearLog' | 'counts'> & {
  readonly note: (call: SimulatedCall) => void;
} & {
  readonly count: (method: string) => void;
} => {
  let entries: SimulatedCall[] = [];
  const counts = new Map<string, number>();
  return {
    note: (call) => {
      // A demo may run for months; tests never come near the limit.
      if (entries.length >= maxLog) {
        entries = entries.slice(maxLog / 2);
      }
      entries.push(call);
    },
    count: (method) => {
      counts.set(method, (counts.get(method) ?? 0) + 1);
    },
    log: () => entries,
    clearLog: () => {
      entries = [];
    },
    counts: () => counts,
  };
};

/** A host that hangs answers nobody: the call ends with the caller's patience. */
const hang = (host: HostId, signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    const end = (): void => reject(givenUp(host, signal));
    if (signal.aborted) {
      end();
    } else {
      signal.addEventListener('abort', end, { once: true });
    }
  });

export const createGate = (clock: Clock): Gate => {
  const trouble = createTrouble();
  const { note, count, log, clearLog, counts } = createLog();

  const arrive = (host: SimulatedHost, signal: AbortSignal): Promise<void> | undefined => {
    if (signal.aborted) {
      throw givenUp(host.name, signal);
    }
    if (host.link.kind === 'down') {
      if (host.link.hang) {
        return hang(host.name, signal);
      }
      throw unreachable(host.name);
    }
    const latencyMs = host.settings.latencyMs ?? 0;
    return latencyMs <= 0
      ? undefined
      : clock.sleep(latencyMs, signal).catch(() => {
          throw givenUp(host.name, signal);
        });
  };

  const run: Gate['run'] = async (host, what, effect, signal) => {
    const call = { ...what, host: host.name };
    count(call.method);
    const { epoch } = host;
    // Awaiting costs a turn of the queue each; without trouble and latency a call is over at once.
    const arriving = arrive(host, signal);
    if (arriving !== undefined) await arriving;
    const before = trouble.meet(call, 'before');
    if (before !== undefined) await before;
    if (host.epoch !== epoch) {
      throw unreachable(host.name);
    }
    const answer = effect();
    if (call.mutating) {
      note(call);
    }
    const after = trouble.meet(call, 'after');
    if (after !== undefined) await after;
    if (host.epoch !== epoch) {
      throw unreachable(host.name);
    }
    return answer;
  };

  return { run, fail: trouble.fail, hook: trouble.hook, log, clearLog, counts };
};
