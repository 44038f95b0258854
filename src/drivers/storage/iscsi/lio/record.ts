/** What LIO is to serve is what its own saved configuration says: it survives reboots, and others can read it. */
export const lioRecordProgram = String.raw`
LIO = '/sys/kernel/config/target'
LIO_TARGETS = LIO + '/iscsi'
LIO_UNITS = ('rtslib-fb-targetctl.service', 'target.service')
LUN = 1
INITIATOR = re.compile(r'^iqn\.[0-9]{4}-[0-9]{2}\.[a-z0-9.-]+\.[a-z0-9.-]+(:[a-z0-9._:-]+)?$')


def rtslib_folder():
    """Where rtslib is, without loading it: a look at a disk needs nothing of it but the path of its file."""
    import importlib.util
    found = importlib.util.find_spec('rtslib_fb')
    if found is None:
        raise Refused('unsupported', 'rtslib for Python 3 is not installed', 'StorageNotReady')
    return found.submodule_search_locations[0]


def saved_path():
    with open(os.path.join(rtslib_folder(), 'root.py'), encoding='utf-8') as source:
        path = re.search(r'''^default_save_file = ['"](/[^'"]+)['"]''', source.read(), re.MULTILINE)
    if path is None:
        raise Refused('unsupported', 'this rtslib does not say where it saves', 'StorageNotReady')
    return path.group(1)


def restoring():
    """True while the system still loads the saved configuration after a boot."""
    for unit in LIO_UNITS:
        if (read_text('/sys/fs/cgroup/system.slice/%s/cgroup.procs' % unit) or '').strip():
            return True
    return False


def by_key(rows, key, value):
    return [row for row in rows if row.get(key) == value]


class Saved:
    """The saved configuration. What is not ours stays in it as it is."""

    def __init__(self):
        self.path = saved_path()
        self.text = read_text(self.path)
        try:
            self.config = json.loads(self.text) if self.text else {}
            self.objects = self.config.setdefault('storage_objects', [])
            self.targets = self.config.setdefault('targets', [])
            if not isinstance(self.objects, list) or not isinstance(self.targets, list):
                raise ValueError()
        except (ValueError, AttributeError):
            raise Refused('invalid', '%s cannot be read: mend it or move it away' % self.path, 'StorageNotReady')

    def target(self, iqn):
        """The one portal group we use, or None."""
        for target in by_key(self.targets, 'wwn', iqn):
            for group in by_key(target.get('tpgs', []), 'tag', 1):
                return group
        return None

    def keep(self, name, iqn, storage_object, group):
        """Replaces what is said of one disk; None for both says nothing of it."""
        self.objects[:] = [row for row in self.objects if row.get('name') != name]
        self.targets[:] = [row for row in self.targets if row.get('wwn') != iqn]
        if group is not None:
            self.objects.append(storage_object)
            self.targets.append({'fabric': 'iscsi', 'wwn': iqn, 'tpgs': [group]})

    def says(self, name, iqn):
        return bool(by_key(self.objects, 'name', name) or by_key(self.targets, 'wwn', iqn))

    def write(self):
        text = json.dumps(self.config, sort_keys=True, indent=2) + '\n'
        if text == self.text and os.stat(self.path).st_mode & 0o077 == 0:
            return
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        write_whole(self.path, text)
        self.text = text


class Unread:
    """A saved configuration that cannot be read. What runs is cut off all the same."""
    targets = ()

    def target(self, iqn):
        return None

    def write(self):
        pass


def said_of(group):
    """What of a saved portal group counts, in one form: others save more, in another order."""
    if group is None:
        return None
    attributes = {name: str(value) for name, value in group.get('attributes', {}).items() if name in GROUP_ATTRIBUTES}
    return {
        'enable': bool(group.get('enable', True)),
        'attributes': attributes,
        'luns': sorted((lun.get('index'), lun.get('storage_object'), lun.get('alias')) for lun in group.get('luns', [])),
        'portals': sorted((bare(portal.get('ip_address', '')), portal.get('port')) for portal in group.get('portals', [])),
        'acls': {acl.get('node_wwn'): {
            'chap': (acl.get('chap_userid', ''), acl.get('chap_password', '')),
            'luns': sorted((lun.get('index'), lun.get('tpg_lun')) for lun in acl.get('mapped_luns', [])),
        } for acl in group.get('node_acls', [])},
    }


GROUP_ATTRIBUTES = ('authentication', 'generate_node_acls', 'cache_dynamic_acls', 'demo_mode_write_protect',
                    'prod_mode_write_protect', 'demo_mode_discovery')


def bare(address):
    return address.strip('[]')


def bracketed(address):
    return '[%s]' % bare(address) if ':' in address else address
`;
