import { afterEach, describe, expect, it } from 'vitest';
import { createHealth, type HealthServer, overduePasses } from './health.ts';
import { silentLog } from './log.ts';
import { createMetrics } from './metrics.ts';

const open: HealthServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

const serve = async () => {
  const problems = { live: [] as string[], ready: ['machines not synced'] };
  const metrics = createMetrics({ drivers: { libvirt: ['define', 'start'] } });
  const health = createHealth({
    address: '127.0.0.1',
    port: 0,
    liveProblems: () => problems.live,
    readyProblems: () => problems.ready,
    metrics: () => metrics.render(),
    log: silentLog,
  });
  open.push(health);
  const { port } = await health.listen();
  const get = async (path: string, method = 'GET'): Promise<[number, string]> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return [response.status, await response.text()];
  };
  return { problems, metrics, get, port };
};

describe('health', () => {
  it('answers by what it is told, and only what it knows', async () => {
    const { problems, get } = await serve();
    expect(await get('/livez')).toEqual([200, 'ok\n']);
    expect(await get('/readyz?verbose')).toEqual([503, 'machines not synced\n']);
    problems.ready = [];
    problems.live = ['machine works on a/x for 400 s'];
    expect(await get('/readyz')).toEqual([200, 'ok\n']);
    expect(await get('/livez')).toEqual([503, 'machine works on a/x for 400 s\n']);
    expect((await get('/'))[0]).toBe(404);
    expect((await get('/livez', 'POST'))[0]).toBe(405);
  });

  it('says when its address is taken', async () => {
    const { port } = await serve();
    const second = createHealth({
      address: '127.0.0.1',
      port,
      liveProblems: () => [],
      readyProblems: () => [],
      metrics: () => createMetrics({ processMetrics: false }).render(),
      log: silentLog,
    });
    await expect(second.listen()).rejects.toMatchObject({ kind: 'invalid' });
  });

  it('names the passes that ignore their deadline', () => {
    const pass = { controller: 'machine', key: 'a/x', deadlineMs: 60_000 };
    const running = (ranMs: number) => ({ running: () => [{ ...pass, ranMs }] });
    expect(overduePasses([running(300_000)])).toEqual([]);
    expect(overduePasses([running(300_001)])).toEqual(['machine works on a/x for 300 s']);
  });
});

describe('metrics', () => {
  it('has every series from the start, and the names of controller-runtime', async () => {
    const { metrics, get } = await serve();
    const recorded = metrics.controller('machine', 4);
    metrics.observe('machine', { depth: () => 3, running: () => [{ ranMs: 1_500 }, { ranMs: 500 }] });
    const [status, text] = await get('/metrics');
    expect(status).toBe(200);
    for (const line of [
      'controller_runtime_reconcile_total{controller="machine",result="success"} 0',
      'controller_runtime_reconcile_errors_total{controller="machine"} 0',
      'controller_runtime_reconcile_panics_total{controller="machine"} 0',
      'controller_runtime_max_concurrent_reconciles{controller="machine"} 4',
      'workqueue_depth{name="machine",controller="machine"} 3',
      'workqueue_unfinished_work_seconds{name="machine",controller="machine"} 2',
      'workqueue_longest_running_processor_seconds{name="machine",controller="machine"} 1.5',
      'driver_call_seconds_count{driver="libvirt",step="start",outcome="unreachable"} 0',
      'leader_election_master_status 0',
    ]) {
      expect(text).toContain(`${line}\n`);
    }
    expect(text).toMatch(/^nodejs_eventloop_lag_seconds /m);
    recorded.passed('error', 20);
    recorded.queue.added();
    metrics.leader(() => true);
    metrics.driverCall('libvirt', 'start', 'ok', 340);
    metrics.restRequest('200', 'GET', 'api');
    const [, later] = await get('/metrics');
    for (const line of [
      'controller_runtime_reconcile_total{controller="machine",result="error"} 1',
      'controller_runtime_reconcile_errors_total{controller="machine"} 1',
      'workqueue_adds_total{name="machine",controller="machine"} 1',
      'driver_call_seconds_sum{driver="libvirt",step="start",outcome="ok"} 0.34',
      'rest_client_requests_total{code="200",method="GET",host="api"} 1',
      'leader_election_master_status 1',
    ]) {
      expect(later).toContain(`${line}\n`);
    }
  });
});
