/** The steps on logical volumes, with commands of LVM that the test stands for. */
import { describe, expect, it } from 'vitest';
import { lio } from '../../../src/drivers/storage/iscsi/lio/software.ts';
import { played } from './played.ts';

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

  it('that is thin costs each step as few programs of LVM as there can be', async () => {
    const cost = await played(`${VOLUMES}
POOL['poolUid'] = UID_
SPEC.update({'type': 'LVMThin', 'thinPool': 'pool'})
pool = {**volume, 'lv_name': 'pool', 'lv_attr': 'twi-aotz--', 'data_percent': '1.0', 'metadata_percent': '1.0', 'lv_tags': ''}
rows, said = [pool], []

class Server(Server):
    def clear(self, uid): pass
    def unserve(self, uid): pass
    def revoke(self, uid, name): pass
    def closed(self): return []
server_of = lambda request, backing: Server()

def tool(program, *words, **options):
    said.append(program)
    if program == 'lvcreate':
        rows.append({**volume, 'lv_tags': ','.join(word for word in words if word.startswith('ovcp.'))})
    if program == 'lvremove':
        rows.pop()
    return json.dumps({'report': [{'lv': rows}]}) if program == 'lvs' else ''

cost = {}
for op in ('blank', 'publish', 'revoke', 'delete'):
    seen = OPERATIONS[op]({'op': op, **REQUEST})['seen']['disk']
    cost[op] = [*said, None if seen is None else seen['complete']]
    del said[:]
print(json.dumps(cost))
`);
    expect(cost).toEqual({
      blank: ['lvs', 'lvcreate', 'lvs', true],
      publish: ['lvs', true],
      revoke: ['lvs', true],
      delete: ['lvs', 'lvremove', null],
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
