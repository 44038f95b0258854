import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lio } from '../../../src/drivers/storage/iscsi/lio/software.ts';
import { coreProgram } from '../../../src/drivers/storage/iscsi/program/core.ts';
import { disksProgram } from '../../../src/drivers/storage/iscsi/program/disks.ts';
import { filesProgram } from '../../../src/drivers/storage/iscsi/program/files.ts';
import { lvmProgram } from '../../../src/drivers/storage/iscsi/program/lvm.ts';

const PROGRAM = [coreProgram, filesProgram, lvmProgram, lio.program, disksProgram].join('\n');
const UID = '0a1b2c3d-1111-4222-8333-444455556666';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ovcp-program-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What a test of the program prints, as JSON; it finds `FOLDER`, `UID_` and everything of the program. */
const played = async (test: string): Promise<unknown> => {
  const start = `import sys\nFOLDER, UID_ = sys.argv[1], sys.argv[2]\n`;
  const { stdout } = await promisify(execFile)('python3', [
    '-I',
    '-c',
    `${PROGRAM}\n${start}${test}`,
    folder,
    UID,
  ]);
  return JSON.parse(stdout);
};

describe('what is written whole', () => {
  it('is all there when the system takes a part at a time', async () => {
    const text = await played(`
real = os.pwrite
os.pwrite = lambda fd, data, offset: real(fd, data[:7], offset)
os.write = lambda fd, data: real(fd, data[:7], 0)
write_whole(FOLDER + '/saved.json', 'x' * 100 + 'end')
print(json.dumps(read_text(FOLDER + '/saved.json')))
`);
    expect(text).toBe(`${'x'.repeat(100)}end`);
  });
});

describe('a server that hangs', () => {
  it('keeps nobody: a program of it that does not end is given up, with what it started', async () => {
    const said = await played(`
try:
    tool('sh', '-c', 'sleep 5 & sleep 5', limit=0.2)
except Refused as refused:
    print(json.dumps([refused.kind, refused.message]))
`);
    expect(said).toEqual(['unreachable', 'sh did not end within 0 seconds']);
  });

  it.each([
    ['reads', 'list(frames_in())'],
    ['is read', 'frames_out([bytes(CHUNK)] * 4)'],
  ])('keeps no lock of a disk while a connection that is dead %s', async (_, work) => {
    const answer = await played(`
LOCKS, SILENCE = FOLDER + '/locks', 0.2
silent, other = os.pipe()
INPUT, OUTPUT = os.fdopen(silent, 'rb'), os.fdopen(os.pipe()[1], 'wb')
try:
    with one_maker(UID_):
        ${work}
except Refused as refused:
    with one_maker(UID_):
        print(json.dumps([refused.kind, refused.message]), flush=True)
os._exit(0)
`);
    expect(answer).toEqual(['unreachable', 'the connection fell silent']);
  });

  it('takes frames that hold nothing for a sign of life', async () => {
    const pieces = await played(`
import io
digest = hashlib.sha256(FRAME.pack(b'H', 6)).digest()
INPUT = io.BytesIO(FRAME.pack(b'N', 0) + FRAME.pack(b'H', 6) + FRAME.pack(b'N', 0) + FRAME.pack(b'E', 32) + digest)
print(json.dumps(list(frames_in())))
`);
    expect(pieces).toEqual([[0, 6]]);
  });
});

/** A pool of files in FOLDER, and target software that is not there. */
const FILES = `
LOCKS = FOLDER + '/locks'
POOL = {'clusterId': 'c1', 'poolUid': 'p1', 'poolName': 'san'}
SPEC = {'type': 'Files', 'path': FOLDER + '/san'}
server_of = lambda request, backing: None
server_lock = lambda: locked('server', 0)
backing = Files(SPEC, POOL)
`;

describe('a folder of disks', () => {
  it('shows no disk as complete that is begun while somebody looks', async () => {
    const seen = await played(`${FILES}
backing.prepare()
real, begun = os.path.exists, []

def exists(path):
    there = real(path)
    if path.endswith('.making') and not begun:
        begun.append(path)
        backing.start(UID_, 4096)
    return there

os.path.exists = exists
one = backing.disk(UID_)
os.path.exists = real
listed = os.listdir
os.listdir = lambda folder: [name for name in listed(folder) if not name.endswith('.making')]
many = backing.disks()[UID_]
backing.finish(UID_)
print(json.dumps([one['complete'], many['complete'], backing.disk(UID_)['complete']]))
`);
    expect(seen).toEqual([false, false, true]);
  });

  it("without its marker that holds disks is nobody's to take", async () => {
    const seen = await played(`${FILES}
os.mkdir(SPEC['path'])
open(SPEC['path'] + '/ovcp-disk-' + UID_ + '.raw', 'w').close()
try:
    backing.prepare()
except Refused as refused:
    print(json.dumps([backing.look()['strays'], refused.kind, refused.reason, os.listdir(SPEC['path'])]))
`);
    expect(seen).toEqual([true, 'denied', 'NameTaken', [`ovcp-disk-${UID}.raw`]]);
  });

  it('takes the target of an earlier disk away before it writes a new one', async () => {
    const order = await played(`${FILES}
done = []

class Server:
    def check(self): pass
    def clear(self, uid): done.append(['clear', os.path.exists(backing.path(uid))])
    def serve(self, uid): done.append(['serve', os.path.exists(backing.path(uid))])

server_of = lambda request, backing: Server()
backing.prepare()
for _ in range(2):
    OPERATIONS['blank']({'op': 'blank', 'disk': UID_, 'size': 4096, 'backing': SPEC, 'pool': POOL})
print(json.dumps(done))
`);
    // The second one finds a disk that is complete, and whoever has it keeps it.
    expect(order).toEqual([
      ['clear', false],
      ['serve', true],
      ['serve', true],
    ]);
  });

  it.each(['prepare', 'forget'])('%s waits for the others that work on the server', async (op) => {
    const answer = await played(`${FILES}
try:
    with locked('server', 0):
        OPERATIONS['${op}']({'op': '${op}', 'backing': SPEC, 'pool': POOL, 'erase': True})
    print(json.dumps('done'))
except Refused as refused:
    print(json.dumps([refused.kind, os.path.isdir(SPEC['path'])]))
`);
    expect(answer).toEqual(['busy', false]);
  });
});

/** A volume group of one thick volume, as the commands of LVM know it; the device is a file full of what was there. */
const VOLUMES = `
LOCKS = FOLDER + '/locks'
MIB = 1 << 20
POOL = {'clusterId': 'c1', 'poolUid': 'p1', 'poolName': 'san'}
SPEC = {'type': 'LVM', 'volumeGroup': 'vg'}
REQUEST = {'disk': UID_, 'size': 8 * MIB, 'initiator': 'iqn.2025-01.dev.ovcp:host.a', 'backing': SPEC, 'pool': POOL}
DEVICE = FOLDER + '/device'
volume = {'lv_name': 'ovcp-disk-' + UID_, 'lv_size': str(4 * MIB), 'lv_tags': 'ovcp.pool.p1', 'data_percent': '',
          'metadata_percent': '', 'lv_attr': '-wi-a-----'}
done = []

class Server:
    def check(self): pass
    def before_resize(self, uid): pass
    def serve(self, uid): done.append('serve')
    def publish(self, uid, name): done.append('publish')

server_of = lambda request, backing: Server()
Volumes.device = lambda self, uid: DEVICE

def tool(program, *words, **options):
    tags = set(volume['lv_tags'].split(','))
    if program == 'lvs':
        return json.dumps({'report': [{'lv': [volume]}]})
    if program == 'lvextend':
        volume['lv_size'] = words[words.index('-L') + 1][:-1]
        with open(DEVICE, 'ab') as device:
            device.write(b'x' * (int(volume['lv_size']) - device.tell()))
    if '--addtag' in words:
        tags.add(words[words.index('--addtag') + 1])
    if '--deltag' in words:
        tags.discard(words[words.index('--deltag') + 1])
    volume['lv_tags'] = ','.join(sorted(tags))
    return ''

def broken(fd, offset, length):
    raise KeyboardInterrupt()

def whole(fd, offset, length):
    write_at(fd, bytes(length), offset)

def attempt(op):
    try:
        return OPERATIONS[op]({'op': op, **REQUEST})
    except Refused as refused:
        return refused.kind
    except KeyboardInterrupt:
        return 'stopped'

with open(DEVICE, 'wb') as device:
    device.write(b'd' * (4 * MIB))
`;

describe('a volume', () => {
  it('that takes long to be zeroed shows that something moves', async () => {
    const seen = await played(`
calls, told = [], []
fcntl.ioctl = lambda fd, code, request: calls.append(struct.unpack('=QQ', request))
os.write = lambda fd, data: told.append((fd, data.decode()))
zero_out(0, 4096, (1 << 28) + 512)
print(json.dumps([calls, told]))
`);
    const ranges = [
      [4096, 2 ** 28],
      [4096 + 2 ** 28, 512],
    ];
    expect(seen).toEqual([ranges, ranges.map(() => [1, ' '])]);
  });

  it('that is thick and whose growing was stopped is shown to nobody before its new part is zeroed', async () => {
    const seen = await played(`${VOLUMES}
zero_out = broken
first = attempt('grow')
size = Room({'disk': UID_, 'backing': SPEC, 'pool': POOL}).backing.disk(UID_)['size']
published = attempt('publish')
zero_out = whole
attempt('grow')
content = open(DEVICE, 'rb').read()
print(json.dumps({
    'first': first, 'size': size // MIB, 'published': published, 'kept': content[:4 * MIB] == b'd' * (4 * MIB),
    'zeroed': content[4 * MIB:] == bytes(4 * MIB), 'tags': volume['lv_tags'], 'later': attempt('publish'), 'done': done,
}))
`);
    expect(seen).toEqual({
      first: 'stopped',
      size: 4,
      published: 'conflict',
      kept: true,
      zeroed: true,
      tags: 'ovcp.pool.p1',
      later: null,
      done: ['serve', 'publish'],
    });
  });

  it('is asked about by no program of LVM while others wait for the server', async () => {
    const asked = await played(`${VOLUMES}
real, holding, asked = locked, [], []

@contextlib.contextmanager
def locked(name, patience):
    with real(name, patience) as path:
        holding.append(name)
        yield path
        holding.remove(name)

quiet = tool
def tool(program, *words, **options):
    asked.append([program, 'server' in holding])
    return quiet(program, *words, **options)

class Server(Server):
    def __init__(self, backing): self.backing = backing
    def serve(self, uid): self.backing.disk(uid)
    def publish(self, uid, name): self.backing.disk(uid)
    def revoke(self, uid, name): pass
    def revoke_all(self, name): pass
    def unserve(self, uid): pass
    def closed(self): return [UID_]
    def mend(self, disks):
        for uid, _ in as_seen(self.backing, disks):
            self.backing.disk(uid)

server_of = lambda request, backing: Server(backing)
zero_out = whole
POOL['poolUid'] = UID_
volume['lv_tags'] = 'ovcp.pool.' + UID_
for op in ('publish', 'grow', 'revoke', 'revoke_all', 'mend', 'delete'):
    OPERATIONS[op]({'op': op, **REQUEST})
print(json.dumps([len(asked) > 8, [each for each in asked if each[1]]]))
`);
    expect(asked).toEqual([true, []]);
  });

  it.each([
    ['LVM', 'conflict'],
    ['LVMThin', 'grown'],
  ] as const)('of %s, published by LIO: %s', async (type, outcome) => {
    const answer = await played(`
Lio.sight = lambda self, uid: {'published': ['iqn.2025-01.dev.ovcp:host.a'], 'sessions': []}
spec = {'type': '${type}', 'volumeGroup': 'vg', **({'thinPool': 'pool'} if '${type}' == 'LVMThin' else {})}
request = {'op': 'grow', 'pool': {'poolUid': 'p1'}, 'backing': spec, 'portals': [], 'settings': {'targetPrefix': 'iqn.x:'}}
try:
    Lio(request, backing_of(request)).before_resize(UID_)
    print(json.dumps('grown'))
except Refused as refused:
    print(json.dumps(refused.kind))
`);
    expect(answer).toBe(outcome);
    const backing = { type, volumeGroup: 'vg', thinPool: 'pool' };
    expect(lio.growsOnline(backing)).toBe(outcome === 'grown');
  });
});

describe('a host that is cut off from all disks of LIO', () => {
  it.each([
    ['the saved targets cannot be written', 'OSError(errno.ENOSPC, "full")', 'None'],
    ['the kernel holds one of them', 'None', 'OSError(errno.EBUSY, "busy")'],
  ])('loses every other one, and it is no proof, when %s', async (_, unwritten, held) => {
    const seen = await played(`
cuts, one = [], UID_
two = UID_.replace('0a', '0b')

class Saved:
    def target(self, iqn): return None
    def write(self): fail(${unwritten})

def fail(error):
    if error is not None:
        raise error

class Hands:
    def unmap(self, iqn, initiator): self.cut('unmap', iqn)
    def shut_out(self, iqn, initiator): self.cut('shut_out', iqn)
    def cut(self, how, iqn):
        if iqn.endswith(one):
            fail(${held})
        cuts.append([how, iqn[6:]])

Lio.refuse_foreign = lambda self, saved, uid: None
Lio.owned_by = lambda self, saved: {one, two}
Lio.holds = lambda self, uid, initiator: True
spec = {'type': 'Files', 'path': FOLDER}
request = {'op': 'revoke_all', 'pool': {'poolUid': 'p1'}, 'backing': spec, 'portals': [], 'settings': {'targetPrefix': 'iqn.x:'}}
try:
    Lio(request, backing_of(request)).revoke_all('iqn.2025-01.dev.ovcp:host.a')
    proved = True
except OSError:
    proved = False
print(json.dumps({'proved': proved, 'cuts': [how for how, uid in cuts if uid == two]}))
`);
    expect(seen).toEqual({ proved: false, cuts: ['unmap', 'shut_out'] });
  });

  it('loses them, and it is no proof, when the saved configuration cannot be read', async () => {
    const seen = await played(`
cuts, other = [], UID_.replace('0a', '0b')
LIO_TARGETS = FOLDER + '/iscsi'
for uid, alias in ((UID_, 'nobody-knows'), (other, 'ovcp.another-pool')):
    group = '%s/iqn.x:%s/tpgt_1' % (LIO_TARGETS, uid)
    os.makedirs(group + '/acls/iqn.2025-01.dev.ovcp:host.a')
    os.makedirs(group + '/lun/lun_1')
    os.symlink('/somewhere', group + '/lun/lun_1/' + alias)

def saved_path():
    with open(FOLDER + '/saved.json', 'w') as file:
        file.write('{')
    return FOLDER + '/saved.json'

class Hands:
    def unmap(self, iqn, initiator): cuts.append(['unmap', iqn[6:]])
    def shut_out(self, iqn, initiator): cuts.append(['shut_out', iqn[6:]])

spec = {'type': 'Files', 'path': FOLDER}
request = {'op': 'revoke_all', 'pool': {'poolUid': 'p1'}, 'backing': spec, 'portals': [], 'settings': {'targetPrefix': 'iqn.x:'}}
try:
    Lio(request, backing_of(request)).revoke_all('iqn.2025-01.dev.ovcp:host.a')
    kind = 'proved'
except Refused as refused:
    kind = refused.kind
print(json.dumps({'kind': kind, 'cuts': cuts}))
`);
    expect(seen).toEqual({
      kind: 'invalid',
      cuts: [
        ['unmap', UID],
        ['shut_out', UID],
      ],
    });
  });
});
