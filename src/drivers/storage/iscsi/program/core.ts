/**
 * The part of the program that runs on a server for every request: faults, locks, frames. It is Python because every
 * target software we know brings Python to its server, it is sent anew with each request so that nothing of ours is
 * installed there, and it gets all that varies as JSON on standard input: no word of it ever meets a shell.
 */
export const coreProgram = String.raw`
import contextlib, errno, fcntl, hashlib, json, os, re, select, signal, stat, struct, subprocess, sys, time

UID = re.compile(r'^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z')
LOCKS = '/run/ovcp'
CHUNK = 1 << 20
# Longer than the operator waits before it gives up (transfer.ts), which says so or falls silent for good.
SILENCE = 300
TOOL_LIMIT = 300


class Refused(Exception):
    def __init__(self, kind, message, reason=None):
        super().__init__(message)
        self.kind, self.message, self.reason = kind, message, reason


def checked_uid(uid):
    if not isinstance(uid, str) or not UID.match(uid):
        raise Refused('invalid', 'the uid of a disk is not one')
    return uid


def fault_of(error):
    if isinstance(error, Refused):
        return {'kind': error.kind, 'message': error.message, 'reason': error.reason}
    if isinstance(error, OSError):
        what = '%s: %s' % (error.filename or 'the server', error.strerror or error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return {'kind': 'unreachable', 'message': 'no space is left: ' + what, 'reason': 'StoragePoolFull'}
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return {'kind': 'denied', 'message': what, 'reason': 'CredentialsRefused'}
        return {'kind': 'unreachable', 'message': what, 'reason': 'RequestFailed'}
    # Only the place: the text of an unforeseen error may hold what the request held.
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = 0 if trace is None else trace.tb_lineno
    return {'kind': 'bug', 'message': 'the program on the server failed: %s in line %d' % (type(error).__name__, place), 'reason': None}


def tool(*argv, **options):
    """Runs a program of the server to its end; its standard output. What is missing there is told by name."""
    limit = options.get('limit', TOOL_LIMIT)
    try:
        running = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C'}, text=True)
    except FileNotFoundError:
        raise Refused('unsupported', '%s is not installed on the server' % argv[0], 'StorageNotReady')
    try:
        said, error = running.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        # Not waited for: what hangs in the kernel does not end for a signal.
        running.kill()
        raise Refused('unreachable', '%s did not end within %d seconds' % (argv[0], limit), 'RequestFailed')
    if running.returncode != 0 and not options.get('fails_ok'):
        words = ' '.join((error or said).split())[:300]
        full = 'insufficient free space' in words.lower()
        raise Refused('unreachable', '%s: %s' % (argv[0], words), 'StoragePoolFull' if full else 'RequestFailed')
    return said if running.returncode == 0 else None


@contextlib.contextmanager
def heard():
    """
    Ends with Refused when the other side neither sends nor takes anything for too long: a connection that died without
    a word must not keep its locks.
    """
    def silent(*_):
        raise Refused('unreachable', 'the connection fell silent', 'HostUnreachable')

    before = signal.signal(signal.SIGALRM, silent)
    signal.setitimer(signal.ITIMER_REAL, SILENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def locked(name, patience):
    """One holder at a time over all operators; waits for so many seconds and is busy then."""
    os.makedirs(LOCKS, mode=0o700, exist_ok=True)
    path = os.path.join(LOCKS, name)
    end = time.monotonic() + patience
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Somebody may have removed the file between open and lock.
            if os.fstat(fd).st_nlink > 0:
                break
            os.close(fd)
        except BlockingIOError:
            os.close(fd)
            if time.monotonic() >= end:
                raise Refused('busy', 'another step works on it')
            time.sleep(0.02)
    try:
        yield path
    finally:
        os.close(fd)


def server_lock():
    return locked('server', 20)


def word_of(name):
    return (read_text(os.path.join(LOCKS, name)) or '').strip()


def stamp_of(pool, uid):
    """
    Changes whenever somebody is let in to the disk or out, and never comes back: whoever decides by what he saw hands
    it back, so that a request which was stuck on its way changes nothing. It may be forgotten with a reboot, which no
    request on its way survives.
    """
    own = word_of('stamp-' + checked_uid(uid)) or word_of('/proc/sys/kernel/random/boot_id')
    return '%s.%s' % (own, word_of('stamps-' + checked_uid(pool['poolUid'])))


def renew(name):
    os.makedirs(LOCKS, mode=0o700, exist_ok=True)
    write_whole(os.path.join(LOCKS, name), os.urandom(16).hex())


def renew_stamp(uid):
    renew('stamp-' + checked_uid(uid))


def renew_stamps(pool):
    """Of every disk of the pool, also of those that cannot be looked at now."""
    renew('stamps-' + checked_uid(pool['poolUid']))


def forget_stamp(uid):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(LOCKS, 'stamp-' + checked_uid(uid)))


def write_whole(path, text, mode=0o600):
    """The old content or the new one, never a part, also after a power loss."""
    folder, name = os.path.split(path)
    draft = os.path.join(folder, '.' + name + '.draft')
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        os.fchmod(fd, mode)
        write_at(fd, text.encode(), 0)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(draft, path)
    sync_folder(folder)


@contextlib.contextmanager
def opened(path, flags):
    fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


def write_at(fd, data, offset):
    """All of it: where room is short a write may take a part and say nothing."""
    view = memoryview(data)
    while len(view) > 0:
        done = os.pwrite(fd, view, offset)
        view, offset = view[done:], offset + done


def sync_folder(folder):
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_text(path):
    try:
        with open(path, encoding='utf-8', errors='surrogateescape') as file:
            return file.read()
    except FileNotFoundError:
        return None


INPUT = sys.stdin.buffer
OUTPUT = sys.stdout.buffer
FRAME = struct.Struct('>cQ')


def exactly(length):
    with heard():
        data = INPUT.read(length)
    if len(data) != length:
        raise Refused('unreachable', 'the connection ended in the middle', 'HostUnreachable')
    return data


def frames_in():
    """Yields (offset, bytes or hole length). Ends well only after the end marker with the right checksum."""
    digest, offset = hashlib.sha256(), 0
    while True:
        head = exactly(FRAME.size)
        kind, length = FRAME.unpack(head)
        if kind == b'E':
            if exactly(length) != digest.digest():
                raise Refused('unreachable', 'the content was damaged on its way', 'RequestFailed')
            return
        if kind == b'A':
            raise Refused('conflict', 'the sender gave up')
        if kind == b'N':
            # The source is slow, and its connection is there.
            continue
        digest.update(head)
        if kind == b'H':
            yield offset, length
        elif kind == b'D' and length <= 16 * CHUNK:
            data = exactly(length)
            digest.update(data)
            yield offset, data
        else:
            raise Refused('bug', 'a frame of an unknown sort')
        offset += length


def frames_out(pieces):
    digest = hashlib.sha256()
    for piece in pieces:
        hole = isinstance(piece, int)
        head = FRAME.pack(b'H' if hole else b'D', piece if hole else len(piece))
        digest.update(head)
        if not hole:
            digest.update(piece)
        with heard():
            OUTPUT.write(head)
            if not hole:
                OUTPUT.write(piece)
    OUTPUT.write(FRAME.pack(b'E', digest.digest_size) + digest.digest())


def beat():
    """A blank before the answer: whoever waits sees that something moves."""
    with contextlib.suppress(OSError):
        os.write(1, b' ')


def answer_of(operations, request):
    try:
        answer = {'value': operations[request['op']](request)}
    except BaseException as error:
        answer = {'fault': fault_of(error)}
    return answer, json.dumps(answer).encode()


def request_in():
    with heard():
        length = int(INPUT.readline())
    return json.loads(exactly(length))


def main(operations):
    """One request: a JSON line, or frames and then nothing; a stream that fails says so in a frame of sort R."""
    request = request_in()
    answer, text = answer_of(operations, request)
    if request['op'] not in STREAMS:
        OUTPUT.write(text)
    elif 'fault' in answer:
        OUTPUT.write(FRAME.pack(b'R', len(text)) + text)
    OUTPUT.flush()


def say(text):
    OUTPUT.write(b'%d\n' % len(text) + text)
    OUTPUT.flush()


def serve(operations):
    """
    One request after another, each by a process of its own: it begins with all that is loaded here, and leaves nothing
    behind. Ends with its channel, or when nothing is asked for too long.
    """
    poll = select.poll()
    poll.register(INPUT.fileno(), select.POLLIN)
    while True:
        with heard():
            if INPUT.peek(1) == b'':
                return
        request = request_in()
        with contextlib.suppress(Exception):
            warm(request)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                say(answer_of(operations, request)[1])
                code = 0
            finally:
                os._exit(code)
        del request
        if os.waitpid(child, 0)[1] != 0:
            fault = fault_of(Refused('unreachable', 'the step ended without a word', 'RequestFailed'))
            say(json.dumps({'fault': fault}).encode())
        if not poll.poll(SILENCE * 1000):
            return


STREAMS = ('read',)
`;
