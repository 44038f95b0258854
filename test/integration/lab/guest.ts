import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KvmHost } from '../../../hack/lab/kvm-host.ts';
import { run, waitUntil } from '../../../hack/lab/process.ts';

/** A network as an operator would make it. */
export const natNetwork = `<network>
  <name>lan</name>
  <forward mode="nat"/>
  <ip address="192.168.150.1" prefix="24">
    <dhcp><range start="192.168.150.10" end="192.168.150.99"/></dhcp>
  </ip>
</network>`;

/** A machine with a disk, a data disk, a seed on SATA, the agent's channel and a serial console that ends in a file. */
export const domainXml = (host: KvmHost, machine = 'pc'): string => `<domain type="qemu">
  <name>guest</name>
  <memory unit="MiB">192</memory>
  <vcpu>1</vcpu>
  <os><type arch="x86_64" machine="${machine}">hvm</type><boot dev="hd"/></os>
  <features><acpi/><apic/></features>
  <devices>
    <disk type="file" device="disk">
      <driver name="qemu" type="qcow2"/>
      <source file="${host.diskDir}/guest.qcow2"/>
      <target dev="vda" bus="virtio"/>
    </disk>
    <disk type="file" device="cdrom">
      <driver name="qemu" type="raw"/>
      <source file="${host.diskDir}/seed.iso"/>
      <target dev="sda" bus="sata"/>
    </disk>
    <controller type="virtio-serial"/>
    <interface type="network"><source network="lan"/><model type="virtio"/></interface>
    <channel type="unix"><target type="virtio" name="org.qemu.guest_agent.0"/></channel>
    <serial type="pty"><log file="${host.diskDir}/serial.log" append="off"/></serial>
  </devices>
</domain>`;

/** A NoCloud seed made by the reference tool. */
export const makeSeed = async (work: string, target: string, hostname: string): Promise<void> => {
  const folder = join(work, 'seed');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'meta-data'), `instance-id: i-1\nlocal-hostname: ${hostname}\n`);
  await writeFile(
    join(folder, 'user-data'),
    '#cloud-config\nssh_authorized_keys:\n- ssh-ed25519 AAAAC3Nza a@b\n',
  );
  await run(['genisoimage', '-quiet', '-o', target, '-V', 'cidata', '-J', '-r', folder]);
};

/** What the guest has written to its serial port so far. */
export const serialText = (host: KvmHost): Promise<string> =>
  readFile(join(host.outside(host.diskDir), 'serial.log'), 'utf8').catch(() => '');

/** The newest line of this kind (`ready`, `changed`) as key and value; waits for it. */
export const waitForLine = async (
  host: KvmHost,
  kind: string,
  accept: (facts: Map<string, string>) => boolean = () => true,
): Promise<Map<string, string>> => {
  let facts = new Map<string, string>();
  const look = async (): Promise<boolean> => {
    const lines = (await serialText(host))
      .split('\n')
      .filter((line) => line.startsWith(`ovcp-guest ${kind} `));
    const last = lines.at(-1);
    if (last === undefined) return false;
    const pairs = last
      .trim()
      .split(' ')
      .slice(2)
      .map((pair) => pair.split('='));
    facts = new Map(pairs.map(([key = '', value = '']) => [key, value]));
    return accept(facts);
  };
  await waitUntil(`the guest's ${kind} line`, look, { limitMs: 300_000, stepMs: 100 });
  return facts;
};
