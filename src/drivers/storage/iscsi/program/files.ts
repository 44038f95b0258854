/** Disks as sparse raw files in one folder of the server. */
export const filesProgram = String.raw`
MARK = '.ovcp-pool.json'
NAME = re.compile(r'^ovcp-disk-([0-9a-f-]{36})\.raw$')
FICLONE = 0x40049409


def data_ranges(fd, size):
    """Where a file or device holds data: (start, end) pairs in order."""
    at = 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        at = min(os.lseek(fd, start, os.SEEK_HOLE), size)
        yield start, at


class Files:
    thin = None

    def __init__(self, spec, pool):
        self.folder, self.pool = spec['path'], pool
        self.mark = os.path.join(self.folder, MARK)

    def path(self, uid):
        return os.path.join(self.folder, 'ovcp-disk-%s.raw' % checked_uid(uid))

    def making(self, uid):
        return self.path(uid) + '.making'

    def owner(self):
        text = read_text(self.mark)
        return None if text is None else json.loads(text)

    def look(self):
        if not os.path.isdir(self.folder):
            return {'state': 'absent'}
        space = os.statvfs(self.folder)
        seen = {'capacity': space.f_blocks * space.f_frsize, 'available': space.f_bavail * space.f_frsize}
        owner = self.owner()
        if owner is None:
            return {'state': 'unmarked', 'strays': self.strays(), **seen}
        if owner.get('poolUid') != self.pool['poolUid'] or owner.get('clusterId') != self.pool['clusterId']:
            return {'state': 'foreign', 'owner': str(owner.get('poolName')), **seen}
        return {'state': 'ready', 'marked': True, **seen}

    def check(self):
        """Nothing is made, read or removed in a folder that is not this pool's."""
        state = self.look()['state']
        if state == 'absent':
            raise Refused('invalid', 'the folder %s does not exist on the server' % self.folder, 'PathNotFound')
        if state == 'unmarked':
            raise Refused('invalid', 'the folder %s lacks its marker: it is not mounted, or is another one' % self.folder, 'MarkerMissing')
        if state == 'foreign':
            raise Refused('denied', 'the folder %s belongs to another StoragePool' % self.folder, 'NameTaken')

    def strays(self):
        """Whether disks are in the folder, of whichever pool."""
        return any(name.startswith('ovcp-disk-') for name in os.listdir(self.folder))

    def prepare(self):
        with server_lock():
            made = not os.path.isdir(self.folder)
            if made:
                os.mkdir(self.folder, 0o700)
            if self.owner() is None:
                if self.strays():
                    text = 'the folder %s has no marker and holds disks of some StoragePool: give this pool another folder'
                    raise Refused('denied', text % self.folder, 'NameTaken')
                write_whole(self.mark, json.dumps({**self.pool, 'made': made}))
        self.check()

    def forget(self, erase):
        with server_lock():
            self.forget_locked(erase)

    def forget_locked(self, erase):
        if self.look()['state'] != 'ready' or self.disks():
            return
        made = self.owner().get('made')
        os.unlink(self.mark)
        if erase and made and not os.listdir(self.folder):
            os.rmdir(self.folder)

    def disks(self):
        self.check()
        names = set(os.listdir(self.folder))
        found = {}
        for name in names:
            match = NAME.match(name)
            if match is not None and UID.match(match.group(1)):
                seen = self.described_now(match.group(1), name + '.making' in names)
                if seen is not None:
                    found[match.group(1)] = seen
        return found

    def disk(self, uid):
        self.check()
        return self.described_now(uid, os.path.exists(self.making(uid)))

    def described_now(self, uid, making):
        """
        The marker comes first when a disk is begun and goes last when it is finished or removed. Whoever looks waits for
        nobody: 'making' is what was there before, and a disk that was begun since is found by the second look.
        """
        try:
            seen = os.stat(self.path(uid))
        except FileNotFoundError:
            return None
        complete = not making and not os.path.exists(self.making(uid))
        return {'size': seen.st_size, 'allocated': seen.st_blocks * 512, 'complete': complete}

    def is_still(self, uid, seen):
        return self.disk(uid) == {**seen, 'allocated': (self.disk(uid) or {}).get('allocated')}

    def device(self, uid):
        return self.path(uid)

    def cause_of(self, error):
        return error

    def mark_unfinished(self, uid):
        os.close(os.open(self.making(uid), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        sync_folder(self.folder)

    def spoil(self, uid):
        """A complete disk is no longer; what is absent stays so."""
        if self.disk(uid) is not None:
            self.mark_unfinished(uid)

    def start(self, uid, size):
        self.check()
        self.mark_unfinished(uid)
        with opened(self.path(uid), os.O_RDWR | os.O_CREAT | os.O_TRUNC) as fd:
            os.ftruncate(fd, size)

    def blank(self, uid, size):
        self.start(uid, size)
        with opened(self.path(uid), os.O_RDWR) as fd:
            os.fsync(fd)
        self.finish(uid)

    def zero(self, fd, offset, length):
        """A fresh file reads as zeros."""

    def finish(self, uid):
        os.unlink(self.making(uid))
        sync_folder(self.folder)

    def remove(self, uid):
        self.check()
        for path in (self.path(uid), self.making(uid)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        sync_folder(self.folder)

    def resize(self, uid, size):
        with opened(self.path(uid), os.O_RDWR) as fd:
            if os.fstat(fd).st_size < size:
                os.ftruncate(fd, size)
                os.fsync(fd)

    def clone(self, uid, source, size):
        self.start(uid, size)
        with opened(self.path(source), os.O_RDONLY) as origin, opened(self.path(uid), os.O_RDWR) as copy:
            length = os.fstat(origin).st_size
            try:
                fcntl.ioctl(copy, FICLONE, origin)
            except OSError:
                # This file system shares no blocks: only what is data is copied.
                for start, end in data_ranges(origin, length):
                    while start < end:
                        data = os.pread(origin, min(CHUNK, end - start), start)
                        write_at(copy, data, start)
                        start += len(data)
            if size > length:
                os.ftruncate(copy, size)
            os.fsync(copy)
`;
