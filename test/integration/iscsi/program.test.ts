import { describe, expect, it } from 'vitest';
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
