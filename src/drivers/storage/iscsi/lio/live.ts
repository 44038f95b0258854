/** What LIO serves now, read from configfs: that needs no rtslib, whose loading is what a look would cost most. */
export const lioLiveProgram = String.raw`
def live_value(path):
    try:
        return (read_text(path) or '').strip()
    except OSError:
        # An attribute that this kernel can write only, or that goes away under us.
        return ''


def folders(path):
    try:
        with os.scandir(path) as entries:
            return {entry.name: entry.path for entry in entries if entry.is_dir(follow_symlinks=False)}
    except FileNotFoundError:
        return {}


def link_of(path):
    """(name, what it points at) of the one link in a folder."""
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_symlink():
                    return entry.name, os.path.realpath(entry.path)
    except FileNotFoundError:
        pass
    return None, None


def numbered(path):
    return {int(name[4:]): where for name, where in folders(path).items() if name.startswith('lun_')}


def chap_word(path, name):
    word = live_value('%s/auth/%s' % (path, name))
    return '' if word == 'NULL' else word


def live_acl(path):
    luns = {}
    for index, where in numbered(path).items():
        target = link_of(where)[1]
        luns[index] = int(target.rsplit('_', 1)[1]) if target else None
    info = live_value(path + '/info')
    return {
        'chap': tuple(chap_word(path, name) for name in ('userid', 'password', 'userid_mutual', 'password_mutual')),
        'luns': sorted(luns.items()),
        'session': info != '' and not info.startswith('No active'),
    }


def live_strangers(path):
    """Initiators that are logged in without an ACL (demo mode)."""
    return [name for name in re.split(r'[\0\s]+', live_value(path + '/dynamic_sessions')) if name]


def live_luns(path):
    luns = {}
    for index, where in numbered(path + '/lun').items():
        alias, target = link_of(where)
        luns[index] = {'alias': alias, 'object': target}
    return luns


def live_group(iqn):
    """The portal group we use as it is now, or None. 'others': groups beside it, made by hand."""
    groups = {name: path for name, path in folders('%s/%s' % (LIO_TARGETS, iqn)).items() if name.startswith('tpgt_')}
    path = groups.pop('tpgt_1', None)
    if path is None:
        return None
    return {
        'path': path,
        'others': sorted(int(name[5:]) for name in groups),
        'enable': live_value(path + '/enable') == '1',
        'attributes': {name: live_value('%s/attrib/%s' % (path, name)) for name in GROUP_ATTRIBUTES},
        'luns': live_luns(path),
        'portals': sorted((bare(name.rsplit(':', 1)[0]), int(name.rsplit(':', 1)[1])) for name in folders(path + '/np')),
        'acls': {name: live_acl(where) for name, where in folders(path + '/acls').items()},
        'strangers': live_strangers(path),
    }


def live_acl_names(iqn):
    return sorted(folders('%s/%s/tpgt_1/acls' % (LIO_TARGETS, iqn)))


def live_object(name):
    """The backing object of this name, of whichever sort."""
    for base, path in folders(LIO + '/core').items():
        where = '%s/%s' % (path, name)
        if not os.path.isdir(where):
            continue
        size = re.search(r'Size: ([0-9]+)', live_value(where + '/info'))
        sort = base.rsplit('_', 1)[0]
        return {
            'path': where,
            'plugin': 'block' if sort == 'iblock' else sort,
            'dev': live_value(where + '/udev_path'),
            'wwn': live_value(where + '/wwn/vpd_unit_serial').partition(':')[2].strip(),
            'size': int(size.group(1)) if size is not None and sort == 'fileio' else None,
        }
    return None


def listening():
    """(address, port) of everything that listens for TCP here; '' is any address."""
    import ipaddress
    found = set()
    for table, width in (('/proc/net/tcp', 4), ('/proc/net/tcp6', 16)):
        for row in (read_text(table) or '').splitlines()[1:]:
            words = row.split()
            if words[3] != '0A':
                continue
            address, port = words[1].split(':')
            raw = bytes.fromhex(address)
            raw = b''.join(raw[at:at + 4][::-1] for at in range(0, width, 4))
            ip = ipaddress.ip_address(raw)
            ip = getattr(ip, 'ipv4_mapped', None) or ip
            found.add(('' if ip.is_unspecified else str(ip), int(port, 16)))
    return found


def own_address(address):
    import socket
    for family, *_, where in socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(where)
                return True
            except OSError:
                return False
    return False
`;
