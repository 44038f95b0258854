import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startControlPlane } from '../../hack/lab/control-plane.ts';
import { repositoryRoot } from '../../hack/lab/operator.ts';

interface Ended {
  code: number | null;
  text: string;
}

/** `make demo` as a user types it, without a terminal. `onText` sees everything printed so far. */
const makeDemo = (
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  onText: (text: string, stop: () => void) => void = () => undefined,
): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const { KUBECONFIG: _, HOSTPOOL: __, ...inherited } = process.env;
    const child = spawn('make', ['--no-print-directory', 'demo', ...words], {
      cwd: repositoryRoot,
      env: { ...inherited, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, so that an interrupt reaches make and the demo as Ctrl-C in a terminal does.
      detached: true,
    });
    let text = '';
    const take = (chunk: string): void => {
      text += chunk;
      onText(text, () => process.kill(-(child.pid ?? 0), 'SIGINT'));
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, text }));
  });

const seen = (text: string): string[] =>
  [...text.matchAll(/^ +[\d.]+ s {2}seen {3}(.*) \([\d.]+ s\)$/gm)].map((match) => match[1] ?? '');

const failed = (text: string): string[] => [...text.matchAll(/^.*FAILED.*$/gm)].map((match) => match[0]);

// Each plays whole demos, while other suites and the emulated guests share two cores.
describe('make demo', { timeout: 900_000 }, () => {
  let parent: string;
  let env: Record<string, string>;

  beforeEach(async () => {
    parent = await mkdtemp('/tmp/ovcp-demo-');
    env = { OVCP_LAB_DIR: join(parent, 'l') };
  });

  afterEach(async () => {
    await rm(parent, { recursive: true, force: true });
  });

  it('shows a machine on simulated hosts and takes all down again', async () => {
    const { code, text } = await makeDemo(['HOSTS=simulated', 'EXIT=1'], env);
    expect({ code, failed: failed(text) }, text).toEqual({ code: 0, failed: [] });
    expect(seen(text)).toEqual([
      'everything is set up',
      'the quickstart is applied',
      'the hosts are ready',
      'the machine has a host',
      'the machine runs and has an address',
      'a data disk is attached while the machine runs',
      'the machine is stopped and started',
      'the machine is deleted',
      'everything is taken down',
    ]);
    expect(existsSync(join(parent, 'l-simulated'))).toBe(false);
  });

  it('stays until Ctrl-C, and then takes all down', async () => {
    let stopped = false;
    const { text } = await makeDemo(['HOSTS=simulated'], env, (soFar, stop) => {
      if (stopped || !soFar.includes('Ctrl-C takes all down')) return;
      stopped = true;
      stop();
    });
    expect(text).toContain('kubectl get ovm -A -w');
    expect(text).toContain('SIGINT: everything is taken down');
    expect(seen(text).at(-1)).toBe('everything is taken down');
    expect(failed(text)).toEqual([]);
    expect(existsSync(join(parent, 'l-simulated'))).toBe(false);
  });

  it("shows a machine in the user's own cluster, and leaves nothing of it there", async () => {
    const plane = await startControlPlane({ dir: join(parent, 'theirs') });
    try {
      const given = [
        `KUBECONFIG=${plane.kubeconfig}`,
        'HOSTPOOL=deploy/samples/kinds/host-pool-simulated.yaml',
      ];
      const { code, text } = await makeDemo([...given, 'EXIT=1'], env);
      expect({ code, failed: failed(text) }, text).toEqual({ code: 0, failed: [] });
      expect(seen(text)).toContain('the machine runs and has an address');
      expect(seen(text)).toContain('the machine is deleted');
      expect(text).toContain(`your cluster is ${plane.url}`);
      const left = await plane.mustKubectl(['get', 'ohp,oh,osp,ovn,ovs,oimg,odisk,ovm', '-A', '-o', 'name']);
      expect(left).toBe('');
      expect(
        await plane.mustKubectl(['get', 'namespace', 'team-a', '--ignore-not-found', '-o', 'name']),
      ).toBe('');

      await plane.mustKubectl(['create', 'namespace', 'team-a']);
      const second = await makeDemo([...given, 'EXIT=1'], env);
      expect(second.code).not.toBe(0);
      expect(second.text).toContain('namespace/team-a, which exist already: it leaves them alone and stops');
    } finally {
      await plane.stop();
    }
  });

  it('shows a real machine on KVM hosts and storage servers, heals both, and takes all down again', async () => {
    const { code, text } = await makeDemo(['EXIT=1'], env);
    expect({ code, failed: failed(text) }, text).toEqual({ code: 0, failed: [] });
    expect(seen(text)).toEqual([
      'everything is set up',
      'the quickstart is applied',
      'the hosts are ready',
      'a volume is made on three servers, and mounted on the hosts',
      'the image is copied to the volume',
      'the machine has a host',
      'the machine runs and has an address',
      "the guest's own serial line",
      'virsh on the host says the same',
      'its disks are on the storage servers',
      'a data disk is attached while the machine runs',
      'the machine is stopped and started',
      'virsh destroy behind our back: it heals',
      'the Gluster server g3 dies, and the machine goes on',
      'its pool says Degraded, and why',
      'g3 comes back, and all is healed',
      'the machine is deleted, and gone from its host',
      'the storage is deleted, and only brick folders are left on its servers',
      'everything is taken down',
    ]);
    expect(text).toMatch(/\| ovcp-guest ready hostname=web-1 ip=eth0:192\.168\.150\.\d+ /);
    expect(text).toContain('| Number of Bricks: 1 x 3 = 3');
    expect(text).toContain('| kept on a LUN');
    expect(text).toContain('| written without g3');
    expect(text).toMatch(/\| Degraded: Of 3 bricks these are down: a\/a3\. \d+ entr/);
    expect(text).toContain('| entries that wait for healing, g1: 0, g2: 0, g3: 0');
    expect(text).toMatch(/StoragePool gv0 {2}driver=gluster .*health=Healthy .*ready=True/);
    expect(existsSync(join(parent, 'l'))).toBe(false);
  });
});
