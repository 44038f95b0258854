/**
 * What is asked of a server, over any backing and any target software. The software's part of the program defines
 * `server_of(request, backing)`, which answers an object with:
 *   check()             Refused when the target software does not answer
 *   survey(disks)       what the pool's own look needs, as plain data; `disks` as the backing has them
 *   sight(uid)          {'published': [iqn], 'sessions': [iqn]}
 *   owned()             uids of this pool that the software knows
 *   serve(uid)          makes the target what its record says, or makes both; the backing is complete
 *   before_resize(uid)  Refused when the disk cannot grow now
 *   unserve(uid)        target and record go; Refused while somebody is published
 *   publish(uid, iqn), revoke(uid, iqn), revoke_all(iqn), mend()
 * All that change something are called under the server's lock, `revoke_all` and `mend` too.
 */
export const disksProgram = String.raw`
PATIENCE = 5


@contextlib.contextmanager
def one_maker(uid):
    with locked('disk-' + checked_uid(uid), PATIENCE) as path:
        try:
            yield
        finally:
            os.unlink(path)


class Room:
    """One request's backing and server."""

    def __init__(self, request):
        self.request = request
        self.backing = backing_of(request)
        self.server = server_of(request, self.backing)
        self.uid = request.get('disk')
        if self.uid is not None:
            checked_uid(self.uid)

    def complete(self, uid):
        seen = self.finished(uid)
        if seen.get('growing'):
            # What follows its end may still be what a deleted disk held.
            raise Refused('conflict', 'the disk is not grown to its end')
        return seen

    def finished(self, uid):
        seen = self.backing.disk(uid)
        if seen is None:
            raise Refused('invalid', 'the disk is not on the server', 'DiskLost')
        if not seen['complete']:
            raise Refused('conflict', 'the disk is not finished')
        return seen

    def unused(self, uid):
        sight = self.server.sight(uid)
        if sight['published'] or sight['sessions']:
            raise Refused('conflict', 'the disk is published to a host')

    def made(self, size, write):
        """Makes the disk unless it is there and complete; whatever fails leaves nothing of it."""
        with one_maker(self.uid):
            self.server.check()
            seen = self.backing.disk(self.uid)
            if seen is None or not seen['complete']:
                try:
                    write()
                    self.backing.finish(self.uid)
                except BaseException as error:
                    cause = self.backing.cause_of(error)
                    # What cannot be removed stays unfinished, and is made anew.
                    with contextlib.suppress(Exception):
                        self.backing.remove(self.uid)
                    raise cause
            with server_lock():
                self.server.serve(self.uid)


def op_see(request):
    room = Room(request)
    room.server.check()
    seen = room.backing.disk(room.uid)
    # A record without its data is no disk: somebody would take it for one that is yet to be made.
    return None if seen is None else {**seen, **room.server.sight(room.uid)}


def op_list(request):
    room = Room(request)
    room.server.check()
    return sorted(set(room.backing.disks()) | set(room.server.owned()))


def op_blank(request):
    room = Room(request)

    def write():
        room.backing.start(room.uid, request['size'])
        fd = os.open(room.backing.device(room.uid), os.O_RDWR | os.O_CLOEXEC)
        try:
            room.backing.zero(fd, 0, os.lseek(fd, 0, os.SEEK_END))
            os.fsync(fd)
        finally:
            os.close(fd)

    room.made(request['size'], write)


def op_clone(request):
    room = Room(request)
    source = checked_uid(request['from'])
    if source == room.uid:
        raise Refused('invalid', 'a disk is no copy of itself')

    def write():
        with one_maker(source):
            if room.complete(source)['size'] > request['size']:
                raise Refused('invalid', 'the copy would be smaller than its source', 'DiskSmallerThanImage')
            room.unused(source)
            room.backing.clone(room.uid, source, request['size'])

    room.made(request['size'], write)


def op_fill(request):
    room = Room(request)
    size = request['size']

    def write():
        room.backing.start(room.uid, size)
        fd = os.open(room.backing.device(room.uid), os.O_RDWR | os.O_CLOEXEC)
        try:
            end = 0
            for offset, piece in frames_in():
                hole = isinstance(piece, int)
                end = offset + (piece if hole else len(piece))
                if end > size:
                    raise Refused('invalid', 'the content is longer than the disk', 'DiskSmallerThanImage')
                if hole:
                    room.backing.zero(fd, offset, piece)
                else:
                    write_at(fd, piece, offset)
            room.backing.zero(fd, end, os.lseek(fd, 0, os.SEEK_END) - end)
            os.fsync(fd)
        finally:
            os.close(fd)

    room.made(size, write)


def op_grow(request):
    room = Room(request)
    with one_maker(room.uid):
        room.server.check()
        if room.finished(room.uid)['size'] < request['size']:
            with server_lock():
                room.server.before_resize(room.uid)
            room.backing.resize(room.uid, request['size'])
            with server_lock():
                # Meanwhile somebody may have mended the target with the old size.
                room.server.before_resize(room.uid)
                room.server.serve(room.uid)
            return
        with server_lock():
            room.server.serve(room.uid)


def op_delete(request):
    room = Room(request)
    with one_maker(room.uid):
        room.server.check()
        with server_lock():
            room.server.unserve(room.uid)
            # Nobody mends the target of what is not finished.
            room.backing.spoil(room.uid)
        room.backing.remove(room.uid)


def pieces_of(fd, size):
    """Holes where the backing knows them; a device knows none, and zeros are found by looking."""
    zeros, at = bytes(CHUNK), 0
    try:
        ranges = list(data_ranges(fd, size))
    except OSError:
        ranges = [(0, size)]
    for start, end in ranges:
        if start > at:
            yield start - at
        at = start
        while at < end:
            data = os.pread(fd, min(CHUNK, end - at), at)
            if not data:
                raise Refused('unreachable', 'the disk ended before its end', 'RequestFailed')
            yield len(data) if data == zeros[:len(data)] else data
            at += len(data)
    if at < size:
        yield size - at


def op_read(request):
    room = Room(request)
    with one_maker(room.uid):
        room.server.check()
        size = room.complete(room.uid)['size']
        room.unused(room.uid)
        fd = open_fresh(room.backing.device(room.uid))
        try:
            frames_out(pieces_of(fd, size))
        finally:
            os.close(fd)


def op_publish(request):
    room = Room(request)
    with one_maker(room.uid):
        room.server.check()
        room.complete(room.uid)
        with server_lock():
            if request.get('alone') and set(room.server.sight(room.uid)['published']) - {request['initiator']}:
                raise Refused('conflict', 'another host is let in')
            room.server.publish(room.uid, request['initiator'])


def op_revoke(request):
    room = Room(request)
    room.server.check()
    with server_lock():
        room.server.revoke(room.uid, request['initiator'])


def op_revoke_all(request):
    room = Room(request)
    room.server.check()
    with server_lock():
        room.server.revoke_all(request['initiator'])


def op_survey(request):
    room = Room(request)
    backing = room.backing.look()
    disks = room.backing.disks() if backing['state'] == 'ready' else {}
    return {'backing': backing, 'disks': len(set(disks) | set(room.server.owned())), 'server': room.server.survey(disks)}


def op_prepare(request):
    room = Room(request)
    with server_lock():
        room.backing.prepare()


def op_forget(request):
    room = Room(request)
    with server_lock():
        room.backing.forget(request['erase'])


def op_mend(request):
    room = Room(request)
    room.server.check()
    with server_lock():
        room.server.mend()


def seen_after(run):
    def step(request):
        run(request)
        try:
            return {'seen': op_see(request)}
        except (Refused, OSError):
            # What was done, and proved, stays so: whoever asks has to look.
            return None

    return step


OPERATIONS = {name[3:]: run for name, run in list(globals().items()) if name.startswith('op_')}
for name in ('blank', 'clone', 'grow', 'delete', 'publish', 'revoke'):
    OPERATIONS[name] = seen_after(OPERATIONS[name])
`;
