/**
 * `node hack/generate/libvirt/capture.ts <daemon socket>`: lets virsh speak with a libvirtd through a relay and writes
 * what both said, packet by packet, to src/wire/libvirt/fixtures/virsh.txt. Use a daemon of the lab: the recording
 * suspends a domain of the test driver, which forgets it at once.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createPacketReader, encodePacket } from '../../../src/wire/libvirt/frame.ts';

const daemon = process.argv[2];
if (daemon === undefined) throw new Error('usage: node hack/generate/libvirt/capture.ts <daemon socket>');
const folder = mkdtempSync(join(tmpdir(), 'capture-'));
const socket = join(folder, 's');
const lines: string[] = [];
let label = '';

const record = (from: Socket, to: Socket, side: string): void => {
  const read = createPacketReader();
  from.on('data', (chunk) => {
    const bytes = Buffer.from(chunk);
    for (const packet of read(bytes)) {
      lines.push(`${label} ${side} ${encodePacket(packet, packet.payload).toString('hex')}`);
    }
    to.write(bytes);
  });
  from.on('end', () => to.end());
  from.on('error', () => to.destroy());
};

const server = createServer((virsh) => {
  const real = connect(daemon);
  record(virsh, real, 'client');
  record(real, virsh, 'server');
});
await new Promise<void>((resolve) => server.listen(socket, resolve));
const commands = ['list --all', 'dominfo test', 'domstats test', 'suspend test', 'dumpxml nobody'];
for (const command of [
  ...commands,
  'pool-list',
  'net-list',
  'nodeinfo',
  'vol-list default-pool',
  'domblklist test',
]) {
  label = command.replaceAll(' ', '_');
  const argv = ['-c', `test+unix:///default?socket=${socket}`, ...command.split(' ')];
  await promisify(execFile)('virsh', argv).catch((error: unknown) => {
    if (!command.includes('nobody')) throw error;
  });
}
server.close();
rmSync(folder, { recursive: true, force: true });
writeFileSync(
  join(import.meta.dirname, '../../../src/wire/libvirt/fixtures/virsh.txt'),
  `${[...new Set(lines)].join('\n')}\n`,
);
console.log(`${lines.length} packets`);
