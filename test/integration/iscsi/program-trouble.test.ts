import { describe, expect, it } from 'vitest';
import { played, UID } from './played.ts';

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
