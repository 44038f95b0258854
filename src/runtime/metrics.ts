import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { ControllerMetrics, PassResult } from './controller.ts';
import type { FaultKind } from './fault.ts';
import { policies } from './policy.ts';

/** How a driver's call ended: `ok`, or the kind of its fault. */
export type DriverOutcome = 'ok' | FaultKind;

export interface MetricsOptions {
  /** Driver names and the steps of each, so that every series is there from the start. */
  readonly drivers?: Readonly<Record<string, readonly string[]>>;
  /** Process and event loop figures (nodejs_eventloop_lag_seconds and others); default true. */
  readonly processMetrics?: boolean;
}

/** What gauges read at the moment of a scrape; a Controller is one. */
export interface Observable {
  depth(): number;
  running(): readonly { readonly ranMs: number }[];
}

export interface Metrics {
  /** For `createController`. Every label value is there from now on. */
  controller(name: string, concurrency: number): ControllerMetrics;
  /** Once the controller exists: its gauges are read from it at every scrape. */
  observe(name: string, controller: Observable): void;
  driverCall(driver: string, step: string, outcome: DriverOutcome, tookMs: number): void;
  /** `code` is the HTTP status, or `<error>` when there was no answer; `host` names the API server. */
  restRequest(code: string, method: string, host: string): void;
  leader(isLeader: () => boolean): void;
  readonly registry: Registry;
  /** Prometheus text format and its content type. */
  render(): Promise<{ readonly contentType: string; readonly body: string }>;
}

const outcomes = Object.keys({ ok: true, ...policies }) as DriverOutcome[];
const passResults: readonly PassResult[] = ['success', 'requeue_after', 'error', 'aborted'];
const latencyBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const queueBuckets = [0.0001, 0.001, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 600];

/** The families of controller-runtime (pkg/internal/controller/metrics, pkg/metrics/workqueue.go), by their names. */
const controllerFamilies = (registry: Registry) => {
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    new Counter({ name, help, labelNames, registers: [registry] });
  const histogram = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets: readonly number[],
  ): Histogram<L> => new Histogram({ name, help, labelNames, buckets: [...buckets], registers: [registry] });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L> =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  const c = ['controller'] as const;
  const q = ['name', 'controller'] as const;
  return {
    passes: counter('controller_runtime_reconcile_total', 'Passes by how they ended.', [
      'controller',
      'result',
    ]),
    errors: counter('controller_runtime_reconcile_errors_total', 'Passes that ended with a fault.', c),
    terminal: counter('controller_runtime_terminal_reconcile_errors_total', 'Faults only a change helps.', c),
    panics: counter('controller_runtime_reconcile_panics_total', 'Passes that met a defect.', c),
    timeouts: counter('controller_runtime_reconcile_timeouts_total', 'Passes aborted by their deadline.', c),
    took: histogram('controller_runtime_reconcile_time_seconds', 'Length of a pass.', c, latencyBuckets),
    limit: gauge('controller_runtime_max_concurrent_reconciles', 'Passes allowed at the same time.', c),
    active: gauge('controller_runtime_active_workers', 'Passes running now.', c),
    adds: counter('workqueue_adds_total', 'Keys added.', q),
    retries: counter('workqueue_retries_total', 'Keys added again after a fault.', q),
    depth: gauge('workqueue_depth', 'Keys ready and not taken.', q),
    waited: histogram('workqueue_queue_duration_seconds', 'Time a key was ready before.', q, queueBuckets),
    worked: histogram('workqueue_work_duration_seconds', 'Time a key was worked on.', q, queueBuckets),
    unfinished: gauge('workqueue_unfinished_work_seconds', 'Sum of the ages of running passes.', q),
    longest: gauge('workqueue_longest_running_processor_seconds', 'Age of the oldest running pass.', q),
  };
};

type Families = ReturnType<typeof controllerFamilies>;

const controllerMetrics = (families: Families, name: string, concurrency: number): ControllerMetrics => {
  const c = { controller: name };
  const q = { name, controller: name };
  for (const family of [families.errors, families.terminal, families.panics, families.timeouts]) {
    family.inc(c, 0);
  }
  passResults.forEach((result) => families.passes.inc({ ...c, result }, 0));
  families.took.zero(c);
  families.limit.set(c, concurrency);
  families.active.set(c, 0);
  [families.adds, families.retries].forEach((family) => family.inc(q, 0));
  [families.waited, families.worked].forEach((family) => family.zero(q));
  [families.depth, families.unfinished, families.longest].forEach((family) => family.set(q, 0));
  return {
    queue: {
      added: () => families.adds.inc(q),
      taken: (waitedMs) => families.waited.observe(q, waitedMs / 1000),
      done: (workedMs) => families.worked.observe(q, workedMs / 1000),
      retried: () => families.retries.inc(q),
    },
    passed: (result, tookMs) => {
      families.passes.inc({ ...c, result });
      families.took.observe(c, tookMs / 1000);
      if (result === 'error') {
        families.errors.inc(c);
      }
    },
    panicked: () => families.panics.inc(c),
    terminal: () => families.terminal.inc(c),
    timedOut: () => families.timeouts.inc(c),
    active: (workers) => families.active.set(c, workers),
  };
};

const readGauges = (families: Families, name: string, observed: Observable): void => {
  const q = { name, controller: name };
  const ages = observed.running().map(({ ranMs }) => ranMs / 1000);
  families.depth.set(q, observed.depth());
  families.unfinished.set(
    q,
    ages.reduce((sum, age) => sum + age, 0),
  );
  families.longest.set(q, Math.max(0, ...ages));
};

const driverFamily = (registry: Registry, drivers: Readonly<Record<string, readonly string[]>>) => {
  const family = new Histogram({
    name: 'driver_call_seconds',
    help: 'Length of a call to a host or storage server.',
    labelNames: ['driver', 'step', 'outcome'],
    buckets: latencyBuckets,
    registers: [registry],
  });
  for (const [driver, steps] of Object.entries(drivers)) {
    for (const step of steps) {
      outcomes.forEach((outcome) => family.zero({ driver, step, outcome }));
    }
  }
  return family;
};

/** A registry of its own, so that two operators in one process (tests, benches) do not share figures. */
export const createMetrics = (options: MetricsOptions = {}): Metrics => {
  const { drivers = {}, processMetrics = true } = options;
  const registry = new Registry();
  const families = controllerFamilies(registry);
  const calls = driverFamily(registry, drivers);
  const observed = new Map<string, Observable>();
  let isLeader = (): boolean => false;
  if (processMetrics) {
    collectDefaultMetrics({ register: registry });
  }
  const requests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Requests to the API server.',
    labelNames: ['code', 'method', 'host'],
    registers: [registry],
  });
  const leads = new Gauge({
    name: 'leader_election_master_status',
    help: '1 while this process holds the lease.',
    registers: [registry],
  });

  const render = async (): Promise<{ contentType: string; body: string }> => {
    observed.forEach((controller, name) => readGauges(families, name, controller));
    leads.set(isLeader() ? 1 : 0);
    return { contentType: registry.contentType, body: await registry.metrics() };
  };

  return {
    controller: (name, concurrency) => controllerMetrics(families, name, concurrency),
    observe: (name, controller) => {
      observed.set(name, controller);
    },
    driverCall: (driver, step, outcome, tookMs) => calls.observe({ driver, step, outcome }, tookMs / 1000),
    restRequest: (code, method, host) => requests.inc({ code, method, host }),
    leader: (asked) => {
      isLeader = asked;
    },
    registry,
    render,
  };
};
