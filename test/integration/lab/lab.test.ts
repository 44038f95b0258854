import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { labDown, labUp } from '../../../hack/lab/lab.ts';
import { onServer } from '../../../hack/lab/lab-servers.ts';
import { isRunning, readState } from '../../../hack/lab/lab-state.ts';
import { run } from '../../../hack/lab/process.ts';

/** Names of the bridges by their number: a name is free again at once, for any lab that starts beside this test. */
const bridges = async (): Promise<ReadonlyMap<number, string>> => {
  const { stdout } = await run(['ip', '-json', 'link', 'show', 'type', 'bridge']);
  const links = JSON.parse(stdout) as { ifindex: number; ifname: string }[];
  return new Map(links.map(({ ifindex, ifname }) => [ifindex, ifname]));
};

describe('make lab', () => {
  let parent: string;

  beforeEach(async () => {
    parent = await mkdtemp('/tmp/ovcp-lab-');
  });

  afterEach(async () => {
    await labDown(join(parent, 'l'));
    await rm(parent, { recursive: true, force: true });
  });

  it('leaves a lab that a person can use, and takes down exactly that', async () => {
    const dir = join(parent, 'l');
    const lab = await labUp({ dir, operator: false, say: () => undefined });
    const bridge = lab.hosts[0]?.bridge ?? '';
    const [index] = [...(await bridges())].find(([, name]) => name === bridge) ?? [];
    expect(index).toBeDefined();
    const env = readFileSync(join(dir, 'env'), 'utf8');
    const shell = await run([
      'sh',
      '-c',
      `. ${dir}/env; eval $VIRSH_NODE2 -q hostname; $KUBECTL get ohp kvm -o name`,
    ]);
    expect(shell.stdout.split('\n').filter((line) => line !== '')).toEqual([
      'node2',
      'hostpool.ovcp.dev/kvm',
    ]);
    expect(env).toContain(`OVCP_IMAGE_CHECKSUM='sha256:${lab.image.sha256.qcow2}'`);
    const servers = await run([
      'sh',
      '-c',
      `. ${dir}/env; eval $SSH_G2 gluster pool list; eval $SSH_SAN tgtadm --lld iscsi --op show --mode sys; $KUBECTL get secret -n ovcp-system -o name`,
    ]);
    expect(servers.stdout).toMatch(/localhost\s+Connected/);
    expect(servers.stdout).toContain('State: ready');
    for (const name of ['gluster-ssh', 'san-ssh', 'san-chap'])
      expect(servers.stdout).toContain(`secret/${name}`);
    const served = await fetch(lab.imageUrl);
    expect((await served.arrayBuffer()).byteLength).toBeGreaterThan(1_000_000);
    await expect(labUp({ dir, operator: false })).rejects.toThrow('a lab is up');

    const first = readState(dir)?.processes ?? [];
    expect(first.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['host node1', 'server g3', 'server san']),
    );
    expect(first.every(isRunning)).toBe(true);
    await run(['sh', '-c', `. ${dir}/env; eval $OVCP_LAB server-off g3`]);
    expect(first.filter((it) => !isRunning(it)).map(({ name }) => name)).toEqual(['server g3']);
    await expect(onServer(dir, 'g3', ['true'])).rejects.toThrow('g3 has no power');
    // What brings it back ends at once; the server stays, and the lab knows it.
    await run(['sh', '-c', `. ${dir}/env; eval $OVCP_LAB server-on g3`]);
    expect((await onServer(dir, 'g3', ['gluster', 'pool', 'list'])).stdout).toContain('localhost');
    const recorded = readState(dir)?.processes ?? [];
    expect(recorded).toHaveLength(first.length);
    expect(recorded.every(isRunning)).toBe(true);
    await labDown(dir);
    expect(recorded.filter(isRunning)).toEqual([]);
    expect(existsSync(dir)).toBe(false);
    expect([...(await bridges()).keys()]).not.toContain(index);
  });
});
