import { describe, expect, it } from 'vitest';
import { lio } from '../../../src/drivers/storage/iscsi/lio/software.ts';
import { played, UID } from './played.ts';

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
    def sight(self, uid): return {'published': [], 'sessions': []}

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

describe('the targets that tgtd shows', () => {
  /** tgtd makes and removes a target between two questions, as often as it is told. */
  const asked = (changes: number, hidden = ''): Promise<unknown> =>
    played(`
targets, calls, left = {1: 'iqn.a'}, [], [${changes}]

def admin(mode, op, text='', tid=0, sid=0, cid=0, lun=0):
    calls.append(mode)
    answer = ''.join('        Target %d: %s\\n' % each for each in targets.items())
    if mode == 'target':
        answer = ''.join('Target %d: %s\\n' % each for each in targets.items()) + '${hidden}'
    if left[0] > 0:
        left[0] -= 1
        targets[1000 + left[0]] = 'iqn.new%d' % left[0]
    return answer

try:
    print(json.dumps([sorted(shown_targets()), len(calls)]))
except Refused as refused:
    print(json.dumps(refused.kind))
`);

  it('are read once more when others come or go meanwhile', async () => {
    expect(await asked(0)).toEqual([['iqn.a'], 2]);
    expect(await asked(1)).toEqual([['iqn.a', 'iqn.new0'], 5]);
  });

  it('are not believed when one is among them that tgtd does not have', async () => {
    expect(await asked(0, 'Target 7: iqn.forged\\n')).toBe('bug');
  });
});
