/**
 * `node hack/generate/libvirt/main.ts <libvirt source folder>`: writes src/wire/libvirt/protocol.gen.ts and the
 * struct listing its test compares with. Debian brings the sources: `apt-get source libvirt`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { emitProtocol } from './emit.ts';
import { parseProtocol } from './parse.ts';
import { compactDump } from './struct-dump.ts';

const source = process.argv[2];
if (source === undefined)
  throw new Error('usage: node hack/generate/libvirt/main.ts <libvirt source folder>');
const read = (path: string): string => readFileSync(join(source, path), 'utf8');
const target = join(import.meta.dirname, '../../../src/wire/libvirt');
const version = basename(source.replace(/\/+$/, '')).replace(/^libvirt-/, '');

const remote = parseProtocol(read('src/remote/remote_protocol.x'), 'REMOTE');
const qemu = parseProtocol(read('src/remote/qemu_protocol.x'), 'QEMU');
writeFileSync(join(target, 'protocol.gen.ts'), emitProtocol(remote, qemu, version));

const dumps = ['src/remote_protocol-structs', 'src/qemu_protocol-structs'].flatMap((path) =>
  compactDump(read(path)),
);
const numbers = [...remote.procedures, ...qemu.procedures].length;
writeFileSync(join(target, 'fixtures/struct-dump.txt'), `${[...new Set(dumps)].join('\n')}\n`);
console.log(`libvirt ${version}: ${numbers} procedures, ${dumps.length} structs in the dump`);
