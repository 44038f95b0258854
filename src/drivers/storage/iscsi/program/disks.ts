/**
 * What is asked of a server, over any backing and any target software. The software's part of the program defines
 * `server_of(request, backing)`, which answers an object with:
 *   check()             Refused when the target software does not answer; no word of the backing
 *   survey(disks)       what the pool's own look needs, as plain data; `disks` as the backing has them
 *   sight(uid)          {'published': [iqn], 'sessions': [iqn]}
 *   owned()             uids of this pool that the software knows
 *   serve(uid)          makes the target what its record says, or makes both; the backing is complete
 *   before_resize(uid)  Refused when the disk cannot grow now
 *   unserve(uid)        target and record go; Refused while somebody is published
 *   clear(uid)          the same, whoever has it open: what it serves is no disk
 *   publish(uid, iqn), revoke(uid, iqn), revoke_all(iqn), mend(disks)
 *   closed()            uids whose targets went with a revoke, to be served again when there is time
 * and `warm(request)`, which loads what the request needs where a process for each next one finds it loaded.
 * All that change something are called under the server's lock, `revoke_all` and `mend` too. What holds it runs no other
 * program: LVM that hangs must keep nobody from being cut off.
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
        self.uid, self.deleted = request.get('disk'), False
        if self.uid is not None:
            checked_uid(self.uid)

    def seen(self):
        # First: what changes from here on makes it an older one.
        stamp = stamp_of(self.request['pool'], self.uid)
        seen = None if self.deleted else self.backing.disk(self.uid)
        # A record without its data is no disk: somebody would take it for one that is yet to be made.
        return {'stamp': stamp, 'disk': None if seen is None else {**seen, **self.server.sight(self.uid)}}

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

    def warm(self):
        """The look that the server's part needs: under the lock nothing is asked that may hang."""
        return self.backing.disk(self.uid)

    def current(self):
        """A step that was decided by an older look is none any more."""
        stamp = self.request.get('stamp')
        if stamp is not None and stamp != stamp_of(self.request['pool'], self.uid):
            raise Refused('conflict', 'somebody was let in to the disk or out of it meanwhile')

    def unused(self, uid):
        sight = self.server.sight(uid)
        if sight['published'] or sight['sessions']:
            raise Refused('conflict', 'the disk is published to a host')

    def made(self, write):
        """Makes the disk whole unless it is there and complete; whatever fails leaves nothing of it."""
        with one_maker(self.uid):
            self.server.check()
            seen = self.backing.disk(self.uid)
            if seen is None or not seen['complete']:
                with server_lock():
                    # What an earlier disk of the name left must not be written to by who had that one.
                    self.server.clear(self.uid)
                    renew_stamp(self.uid)
                try:
                    write()
                except BaseException as error:
                    cause = self.backing.cause_of(error)
                    # What cannot be removed stays unfinished, and is made anew.
                    with contextlib.suppress(Exception):
                        self.backing.remove(self.uid)
                    raise cause
            self.warm()
            with server_lock():
                self.server.serve(self.uid)


def op_see(room):
    room.server.check()
    return room.seen()


def op_list(room):
    room.server.check()
    return sorted(set(room.backing.disks()) | set(room.server.owned()))


def op_blank(room):
    room.made(lambda: room.backing.blank(room.uid, room.request['size']))


def op_clone(room):
    source = checked_uid(room.request['from'])
    if source == room.uid:
        raise Refused('invalid', 'a disk is no copy of itself')

    def write():
        with one_maker(source):
            if room.complete(source)['size'] > room.request['size']:
                raise Refused('invalid', 'the copy would be smaller than its source', 'DiskSmallerThanImage')
            room.unused(source)
            room.backing.clone(room.uid, source, room.request['size'])
            room.backing.finish(room.uid)

    room.made(write)


def op_fill(room):
    size = room.request['size']

    def write():
        room.backing.start(room.uid, size)
        with opened(room.backing.device(room.uid), os.O_RDWR) as fd:
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
        room.backing.finish(room.uid)

    room.made(write)


def op_grow(room):
    with one_maker(room.uid):
        room.server.check()
        if room.finished(room.uid)['size'] < room.request['size']:
            with server_lock():
                room.server.before_resize(room.uid)
            room.backing.resize(room.uid, room.request['size'])
            room.warm()
            with server_lock():
                # Meanwhile somebody may have mended the target with the old size.
                room.server.before_resize(room.uid)
                room.server.serve(room.uid)
            return
        with server_lock():
            room.server.serve(room.uid)


def op_delete(room):
    with one_maker(room.uid):
        room.server.check()
        with server_lock():
            room.current()
            room.server.unserve(room.uid)
        room.backing.spoil(room.uid)
        room.backing.remove(room.uid)
        room.deleted = True
        forget_stamp(room.uid)


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


def op_read(room):
    with one_maker(room.uid):
        room.server.check()
        size = room.complete(room.uid)['size']
        room.unused(room.uid)
        with opened_fresh(room.backing.device(room.uid)) as fd:
            frames_out(pieces_of(fd, size))


def op_publish(room):
    with one_maker(room.uid):
        room.server.check()
        room.complete(room.uid)
        with server_lock():
            room.current()
            if room.request.get('alone') and set(room.server.sight(room.uid)['published']) - {room.request['initiator']}:
                raise Refused('conflict', 'another host is let in')
            renew_stamp(room.uid)
            room.server.publish(room.uid, room.request['initiator'])


def op_revoke(room):
    room.server.check()
    with server_lock():
        room.current()
        cut_off(lambda: renew_stamp(room.uid), lambda: room.server.revoke(room.uid, room.request['initiator']))
    serve_again(room, room.server.closed())


def op_revoke_all(room):
    room.server.check()
    with server_lock():
        cut_off(lambda: renew_stamps(room.request['pool']), lambda: room.server.revoke_all(room.request['initiator']))
    serve_again(room, room.server.closed())


def cut_off(renewed, revoked):
    """Who is cut off stays so for requests on their way too. One that cannot be noted is cut off, and it is no proof."""
    unnoted = None
    try:
        renewed()
    except OSError as error:
        unnoted = error
    revoked()
    if unnoted is not None:
        raise unnoted


def serve_again(room, uids):
    """Targets that went with a session. It is proved by now: what keeps them from coming back is no reason to say otherwise."""
    global TOOL_LIMIT
    # Who waits for the proof does not wait for LVM.
    TOOL_LIMIT = 15
    with contextlib.suppress(Refused, OSError):
        disks = {uid: room.backing.disk(uid) for uid in uids}
        with server_lock():
            for uid, _ in as_seen(room.backing, {uid: seen for uid, seen in disks.items() if seen is not None}):
                room.server.serve(uid)


def op_survey(room):
    backing = room.backing.look()
    disks = room.backing.disks() if backing['state'] == 'ready' else {}
    return {'backing': backing, 'disks': len(set(disks) | set(room.server.owned())), 'server': room.server.survey(disks)}


def op_prepare(room):
    room.backing.prepare()


def op_forget(room):
    room.backing.forget(room.request['erase'])


def op_mend(room):
    room.server.check()
    disks = room.backing.disks()
    with server_lock():
        room.server.mend(disks)


def as_seen(backing, disks):
    """
    (uid, disk) of those that are still as they were seen, and that nobody is about to make, grow or delete: whoever
    does so serves them himself.
    """
    for uid, seen in disks.items():
        with contextlib.suppress(Refused), locked('disk-' + uid, 0) as path:
            try:
                if seen['complete'] and backing.is_still(uid, seen):
                    yield uid, seen
            finally:
                os.unlink(path)


def seen_after(run):
    def step(room):
        run(room)
        try:
            return {'seen': room.seen()}
        except (Refused, OSError):
            # What was done, and proved, stays so: whoever asks has to look.
            return None

    return step


def asked(run):
    return lambda request: run(Room(request))


STEPS = ('blank', 'clone', 'grow', 'delete', 'publish', 'revoke')
OPERATIONS = {name[3:]: run for name, run in list(globals().items()) if name.startswith('op_')}
OPERATIONS = {name: asked(seen_after(run) if name in STEPS else run) for name, run in OPERATIONS.items()}
`;
