/** The lab's host with a kernel of its own: what a HostPool needs of it, and a machine inside it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GuestHost, startGuestHost } from '../../../hack/lab/guest-host.ts';
import { run } from '../../../hack/lab/process.ts';
import { hearProof, proofMarker, writeProofGuest } from '../../../hack/lab/proof-guest.ts';

const domainXml = (path: string): string => `<domain type="qemu">
  <name>proof</name><memory unit="MiB">32</memory><vcpu>1</vcpu>
  <os><type arch="x86_64" machine="q35">hvm</type><boot dev="hd"/></os>
  <devices>
    <disk type="file" device="disk">
      <driver name="qemu" type="raw"/><source file="${path}"/><target dev="vda" bus="virtio"/>
    </disk>
    <serial type="pty"/>
  </devices>
</domain>`;

describe('the lab’s guest host', () => {
  let dir: string;
  let host: GuestHost;

  beforeAll(async () => {
    dir = mkdtempSync('/tmp/ovcp-gh-');
    host = await startGuestHost({ dir: join(dir, 'h'), name: 'deb1' });
  });
  afterAll(async () => {
    await host?.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  const text = async (...argv: string[]): Promise<string> => (await host.exec(argv)).stdout.trim();

  it('answers over SSH as libvirt, under names of its own', async () => {
    const { stdout } = await run(['virsh', '-q', '-c', host.virshUri, 'capabilities']);
    expect(stdout).toContain(`<uuid>${host.hostUuid}</uuid>`);
    expect((await host.virsh('hostname')).trim()).toBe('deb1');
    expect(await text('cat', '/etc/machine-id')).toBe(host.hostUuid.replaceAll('-', ''));
    expect(await text('cat', '/etc/iscsi/initiatorname.iscsi')).toBe(`InitiatorName=${host.initiatorName}`);
  });

  it('runs what a host of any storage runs, and nothing of a server', async () => {
    for (const unit of ['libvirtd', 'iscsid', 'multipathd'])
      expect(await text('systemctl', 'show', '-p', 'ActiveState', '--value', unit)).toBe('active');
    expect(await text('systemctl', 'list-units', '--failed', '--plain', '--no-legend')).toBe('');
    expect(await text('systemctl', 'show', '-p', 'ActiveState', '--value', 'nfs-server')).toBe('inactive');
    expect(await text('multipath', '-ll')).toBe('');
  });

  it('runs a machine that leaves its mark', async () => {
    writeProofGuest(join(dir, 'proof.img'));
    const stdin = readFileSync(join(dir, 'proof.img')).toString('base64');
    const path = `${host.diskDir}/proof.img`;
    await host.exec(['sh', '-c', `base64 -d >${path}`], { stdin });
    await host.virshFile(domainXml(path), 'create');
    expect(await hearProof(host, 'proof', 1)).toEqual([{ disk: 0x80, boots: 1, sectors: 2048 }]);
    await host.virsh('destroy', 'proof');
    const mark = ['dd', `if=${path}`, 'bs=1', `skip=${proofMarker.offset}`, 'count=16', 'status=none'];
    expect(await text(...mark)).toBe(proofMarker.text);
  });
});
