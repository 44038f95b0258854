/** Disks as logical volumes of one volume group, thick or thin. What is ours carries our tags. */
export const lvmProgram = String.raw`
VOLUME = re.compile(r'^ovcp-disk-([0-9a-f-]{36})$')
MAKING = 'ovcp.making'
# With the size up to which a volume counts while the rest of it is not zeroed.
GROWING = 'ovcp.growing.'
BLKZEROOUT = 0x127f
BLKFLSBUF = 0x1261
FULL_PERCENT = 95


def zero_out(fd, offset, length):
    """What a thick volume held before must never be read by its next owner."""
    while length > 0:
        step = min(length, 1 << 28)
        fcntl.ioctl(fd, BLKZEROOUT, struct.pack('=QQ', offset, step))
        beat()
        offset, length = offset + step, length - step


@contextlib.contextmanager
def opened_fresh(path):
    """
    For reading. Target software in the kernel writes past the cache through which we read, and keeps the device open,
    so that what was read before stays there.
    """
    with opened(path, os.O_RDONLY) as fd:
        if stat.S_ISBLK(os.fstat(fd).st_mode):
            fcntl.ioctl(fd, BLKFLSBUF)
        yield fd


class Volumes:
    def __init__(self, spec, pool):
        self.group, self.thin = spec['volumeGroup'], spec.get('thinPool')
        self.pool, self.asked = pool, None
        self.tag = 'ovcp.pool.' + pool['poolUid']

    def name(self, uid):
        return 'ovcp-disk-' + checked_uid(uid)

    def device(self, uid):
        return '/dev/%s/%s' % (self.group, self.name(uid))

    def report(self, program, fields, *more):
        text = tool(program, '--reportformat', 'json', '--units', 'b', '--nosuffix', '-o', fields, *more, fails_ok=True)
        if text is None:
            return None
        (rows,) = json.loads(text)['report'][0].values()
        return rows

    def rows(self):
        """The volumes as LVM has them, asked once until we change one; None without the volume group."""
        if self.asked is None:
            fields = 'lv_name,lv_size,lv_tags,data_percent,metadata_percent,lv_attr'
            rows = self.report('lvs', fields, self.group)
            self.asked = (None if rows is None else {row['lv_name']: row for row in rows},)
        return self.asked[0]

    def volumes(self):
        rows = self.rows()
        if rows is None:
            raise Refused('invalid', 'the volume group %s does not exist on the server' % self.group, 'PathNotFound')
        return rows

    def change(self, *argv):
        self.asked = None
        tool(*argv)

    def look(self):
        if self.thin is None:
            groups = self.report('vgs', 'vg_size,vg_free', self.group)
            if not groups:
                return {'state': 'absent'}
            return {'state': 'ready', 'capacity': int(groups[0]['vg_size']), 'available': int(groups[0]['vg_free'])}
        row = (self.rows() or {}).get(self.thin)
        if row is None or not row['lv_attr'].startswith('t'):
            return {'state': 'absent'}
        data, meta = float(row['data_percent'] or 0), float(row['metadata_percent'] or 0)
        size = int(row['lv_size'])
        return {'state': 'ready', 'capacity': size, 'available': int(size * (100 - data) / 100),
                'thinPool': {'dataPercent': data, 'metadataPercent': meta, 'zeroes': row['lv_attr'][7:8] == 'z'}}

    def check(self):
        seen = self.look()
        if seen['state'] == 'absent':
            what = self.group if self.thin is None else self.group + '/' + self.thin
            raise Refused('invalid', 'the volume group or thin pool %s does not exist on the server' % what, 'PathNotFound')
        return seen

    def check_room(self):
        """A thin pool that is full stops every disk on it, so nothing new is put where little is left."""
        if self.thin is None:
            return
        pool = self.check()['thinPool']
        if not pool['zeroes']:
            raise Refused('invalid', 'the thin pool does not zero new blocks: lvchange --zero y', 'StorageNotReady')
        if max(pool['dataPercent'], pool['metadataPercent']) >= FULL_PERCENT:
            raise Refused('unreachable', 'the thin pool is nearly full', 'StoragePoolFull')

    def cause_of(self, error):
        """A full thin pool is an input/output error to whoever writes."""
        if self.thin is None or not isinstance(error, OSError) or error.errno != errno.EIO:
            return error
        self.asked = None
        if self.look().get('available', 1) > 0:
            return error
        return Refused('unreachable', 'no space is left in the thin pool', 'StoragePoolFull')

    def prepare(self):
        self.check()

    def forget(self, erase):
        """Tags go with the volumes."""

    def disks(self):
        found = {}
        for name, row in self.volumes().items():
            match = VOLUME.match(name)
            if match is not None and UID.match(match.group(1)) and self.tag in row['lv_tags'].split(','):
                found[match.group(1)] = self.described(row)
        return found

    def is_still(self, uid, seen):
        return os.path.exists(self.device(uid))

    def described(self, row):
        whole, tags = int(row['lv_size']), row['lv_tags'].split(',')
        part = float(row['data_percent'] or 0) / 100 if self.thin is not None else 1
        size = min([whole, *(int(tag[len(GROWING):]) for tag in tags if tag.startswith(GROWING))])
        return {'size': size, 'allocated': int(whole * part), 'complete': MAKING not in tags, 'growing': size < whole}

    def disk(self, uid):
        row = self.volumes().get(self.name(uid))
        if row is None:
            return None
        if self.tag not in row['lv_tags'].split(','):
            raise Refused('denied', 'a logical volume of the name %s is not of this StoragePool' % self.name(uid), 'NameTaken')
        return self.described(row)

    def start(self, uid, size):
        self.create(uid, size, '--addtag', MAKING)

    def blank(self, uid, size):
        if self.thin is not None:
            # Whole as soon as it is there: the pool zeroes what is taken from it.
            self.create(uid, size)
            return
        self.start(uid, size)
        with opened(self.device(uid), os.O_RDWR) as fd:
            zero_out(fd, 0, os.lseek(fd, 0, os.SEEK_END))
            os.fsync(fd)
        self.finish(uid)

    def create(self, uid, size, *tags):
        if self.disk(uid) is not None:
            self.remove(uid)
        self.check_room()
        made = ('lvcreate', '--yes', '-n', self.name(uid), '--addtag', self.tag, *tags)
        if self.thin is None:
            self.change(*made, '--wipesignatures', 'n', '-L', '%db' % size, self.group)
        else:
            self.change(*made, '-V', '%db' % size, '--thinpool', self.thin, self.group)

    def zero(self, fd, offset, length):
        if self.thin is None:
            zero_out(fd, offset, length)

    def finish(self, uid):
        self.change('lvchange', '--deltag', MAKING, '%s/%s' % (self.group, self.name(uid)))

    def spoil(self, uid):
        """A volume goes whole or not at all."""

    def remove(self, uid):
        if self.disk(uid) is not None:
            self.change('lvremove', '--yes', '%s/%s' % (self.group, self.name(uid)))

    def resize(self, uid, size):
        before, volume = self.disk(uid)['size'], '%s/%s' % (self.group, self.name(uid))
        if before >= size:
            return
        if self.thin is not None:
            self.change('lvextend', '--yes', '-L', '%db' % size, volume)
            return
        # Whoever stops in between leaves a volume that is as large as before, for the next one to go on with.
        self.change('lvchange', '--addtag', GROWING + str(before), volume)
        if int(self.volumes()[self.name(uid)]['lv_size']) < size:
            self.change('lvextend', '--yes', '-L', '%db' % size, volume)
        with opened(self.device(uid), os.O_RDWR) as fd:
            zero_out(fd, before, os.lseek(fd, 0, os.SEEK_END) - before)
            os.fsync(fd)
        self.change('lvchange', '--deltag', GROWING + str(before), volume)

    def clone(self, uid, source, size):
        if self.thin is None:
            self.start(uid, size)
            self.copy(uid, source)
            return
        if self.disk(uid) is not None:
            self.remove(uid)
        self.check_room()
        self.change('lvcreate', '--yes', '-s', '-kn', '-n', self.name(uid), '--addtag', self.tag, '--addtag', MAKING,
             '%s/%s' % (self.group, self.name(source)))
        self.resize(uid, size)

    def copy(self, uid, source):
        with opened_fresh(self.device(source)) as origin, opened(self.device(uid), os.O_RDWR) as copy:
            at, length = 0, os.lseek(origin, 0, os.SEEK_END)
            while at < length:
                data = os.pread(origin, CHUNK, at)
                write_at(copy, data, at)
                at += len(data)
            zero_out(copy, at, os.lseek(copy, 0, os.SEEK_END) - at)
            os.fsync(copy)


def backing_of(request):
    spec = request['backing']
    return Files(spec, request['pool']) if spec['type'] == 'Files' else Volumes(spec, request['pool'])
`;
