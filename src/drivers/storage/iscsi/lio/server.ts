/** LIO as the common program asks it (program/disks.ts). */
export const lioServerProgram = String.raw`
LOOKS = ('see', 'list', 'survey', 'read')


def warm(request):
    if request['op'] not in LOOKS:
        load_rtslib()


class Lio:
    def __init__(self, request, backing):
        self.backing = backing
        self.prefix = request['settings']['targetPrefix']
        self.chap = request.get('chap')
        self.portals = [(bare(portal['address']), portal['port']) for portal in request['portals']]
        self.plugin = 'fileio' if request['backing']['type'] == 'Files' else 'block'
        # The mark of the pool: LIO has no other word for it that it keeps.
        self.alias = 'ovcp.' + request['pool']['poolUid']
        self.looks, self.hands_ = request['op'] in LOOKS, None

    def name(self, uid):
        return 'ovcp-disk-' + checked_uid(uid)

    def iqn(self, uid):
        return self.prefix + checked_uid(uid)

    def hands(self):
        self.hands_ = self.hands_ or Hands()
        return self.hands_

    def trouble(self):
        try:
            saved_path()
        except Refused as refused:
            return refused.message
        if not os.path.isdir(LIO) and tool('modprobe', '-n', '-q', 'iscsi_target_mod', fails_ok=True) is None:
            return 'the kernel of the server has no LIO target (module iscsi_target_mod)'
        return None

    def check(self):
        trouble = self.trouble()
        if trouble is not None:
            raise Refused('unsupported', trouble, 'StorageNotReady')
        if restoring():
            raise Refused('busy', 'the server still loads its saved targets')
        if not self.looks:
            # Before anybody waits for us: loading it takes longer than what is done with it.
            load_rtslib()

    def uid_of(self, iqn):
        uid = iqn[len(self.prefix):] if iqn.startswith(self.prefix) else ''
        return uid if UID.match(uid) else None

    def of_this_pool(self, luns):
        return any(lun.get('alias') == self.alias for lun in luns)

    def owned(self):
        return self.owned_by(Saved())

    def owned_by(self, saved):
        found = set()
        for target in saved.targets:
            uid = self.uid_of(target.get('wwn', ''))
            if uid is not None and any(self.of_this_pool(group.get('luns', [])) for group in target.get('tpgs', [])):
                found.add(uid)
        for iqn, path in folders(LIO_TARGETS).items():
            uid = self.uid_of(iqn)
            if uid is not None and uid not in found and self.of_this_pool(live_luns(path + '/tpgt_1').values()):
                found.add(uid)
        return found

    def refuse_foreign(self, saved, uid):
        """A name of ours that another pool's mark is on."""
        group = saved.target(self.iqn(uid)) or {}
        live = live_luns('%s/%s/tpgt_1' % (LIO_TARGETS, self.iqn(uid)))
        marks = {lun.get('alias') for lun in [*group.get('luns', []), *live.values()]}
        if any(str(mark).startswith('ovcp.') and mark != self.alias for mark in marks):
            raise Refused('denied', 'the target of this disk belongs to another StoragePool', 'NameTaken')

    def granted(self, saved, uid):
        """Who is to be let in, as the saved configuration says. Where that was lost, who is: no machine loses its disk."""
        group = saved.target(self.iqn(uid))
        if group is None:
            return set(live_acl_names(self.iqn(uid))[:2])
        return {acl['node_wwn'] for acl in group.get('node_acls', []) if 'node_wwn' in acl}

    def sight(self, uid):
        iqn = self.iqn(uid)
        live = live_group(iqn)
        acls = {} if live is None else live['acls']
        strangers = [] if live is None else live['strangers']
        # Who is in either may log in now or after the next restart.
        published = self.granted(Saved(), uid) | set(acls) | set(strangers)
        sessions = {name for name, acl in acls.items() if acl['session']} | set(strangers)
        return {'published': sorted(published), 'sessions': sorted(sessions)}

    def wished(self, uid, size, acls):
        return wished_object(self, uid, size), wished_group(self, uid, acls)

    def serve(self, uid):
        saved = Saved()
        self.refuse_foreign(saved, uid)
        self.settle(saved, uid, self.backing.disk(uid)['size'], self.granted(saved, uid))

    def settle(self, saved, uid, size, acls):
        """Saves first: what runs can be lost, and then it comes back as it was saved."""
        storage_object, group = self.wished(uid, size, acls)
        if said_of(saved.target(self.iqn(uid))) != said_of(group) or not self.saved_object(saved, storage_object):
            saved.keep(self.name(uid), self.iqn(uid), storage_object, group)
        saved.write()
        self.apply(uid, storage_object, group)

    def saved_object(self, saved, wished):
        rows = by_key(saved.objects, 'name', wished['name'])
        keys = ('plugin', 'dev', 'wwn') + (('size',) if 'size' in wished else ())
        return len(rows) == 1 and all(rows[0].get(key) == wished[key] for key in keys)

    def apply(self, uid, storage_object, group):
        iqn, wished = self.iqn(uid), said_of(group)
        live, seen = live_group(iqn), live_object(storage_object['name'])
        found = differences(storage_object, group, live, seen)
        if not found:
            return
        hands = self.hands()
        if found & {'target', 'object'}:
            if in_use(live):
                raise Refused('busy', 'the target of the disk was changed by somebody and is in use')
            hands.remove_target(iqn)
            if seen is not None and object_differs(storage_object, seen):
                hands.remove_object(seen)
                seen = None
            if seen is None:
                hands.make_object(storage_object)
            hands.make_target(iqn, storage_object, self.alias)
            live = live_group(iqn)
        hands.attributes(iqn, wished, live)
        hands.luns(iqn, live)
        # A LUN takes what is mapped to it along.
        hands.acls(iqn, wished, live_group(iqn))
        hands.portals(iqn, wished, live)
        with hands.told('the target cannot be opened'):
            hands.group(iqn).enable = True

    def before_resize(self, uid):
        if self.backing.thin is not None:
            return
        # A file's size is read once. A thick volume would show its new part before that is zeroed, and who writes there
        # meanwhile would lose it.
        sight = self.sight(uid)
        if sight['published'] or sight['sessions']:
            raise Refused('conflict', 'LIO grows a disk that is not thin only while it is published to no host')

    def unserve(self, uid):
        self.refuse_foreign(Saved(), uid)
        sight = self.sight(uid)
        if sight['published'] or sight['sessions']:
            raise Refused('conflict', 'the disk is published to a host')
        self.clear(uid)

    def clear(self, uid):
        saved = Saved()
        self.refuse_foreign(saved, uid)
        if saved.says(self.name(uid), self.iqn(uid)):
            saved.keep(self.name(uid), self.iqn(uid), None, None)
            saved.write()
        seen = live_object(self.name(uid))
        if seen is not None or os.path.isdir('%s/%s' % (LIO_TARGETS, self.iqn(uid))):
            self.hands().remove_target(self.iqn(uid))
            self.hands().remove_object(seen)

    def publish(self, uid, initiator):
        if not INITIATOR.match(initiator):
            raise Refused('invalid', 'LIO takes initiator names in small letters only')
        saved = Saved()
        self.refuse_foreign(saved, uid)
        acls = self.granted(saved, uid)
        others = (acls | set(live_acl_names(self.iqn(uid)))) - {initiator}
        if len(others) > 1:
            raise Refused('conflict', 'the disk is published to two other hosts')
        self.settle(saved, uid, self.backing.disk(uid)['size'], acls | {initiator})

    def revoke(self, uid, initiator):
        self.revoke_from([uid], initiator)

    def closed(self):
        return []

    def revoke_all(self, initiator):
        self.revoke_from(None, initiator)

    def revoke_from(self, uids, initiator):
        """From these disks, or from all of the pool. What is saved comes first and what runs counts."""
        saved, failure = Unread(), None
        try:
            saved = Saved()
        except (Refused, OSError) as error:
            failure = error
        if uids is None:
            uids = self.fenced(saved, initiator)
        for uid in uids:
            self.refuse_foreign(saved, uid)
            group = saved.target(self.iqn(uid))
            if group is not None:
                group['node_acls'] = [acl for acl in group.get('node_acls', []) if acl.get('node_wwn') != initiator]
        try:
            saved.write()
        except OSError as error:
            # A restart may bring the access back, so it is no proof; what runs is cut off all the same.
            failure = error
        held = [self.iqn(uid) for uid in uids if self.holds(uid, initiator)]
        # All of them stop before any is waited for: one disk that hangs must not keep the others writable.
        for cut in ('unmap', 'shut_out'):
            for iqn in held:
                try:
                    getattr(self.hands(), cut)(iqn, initiator)
                except (Refused, OSError) as error:
                    failure = failure or error
        if failure is not None:
            raise failure

    def fenced(self, saved, initiator):
        """Disks of the pool, and every target of ours that lets the host in and bears no other pool's mark: its own was lost."""
        live = {self.uid_of(iqn) for iqn in folders(LIO_TARGETS)} - {None}
        found = []
        for uid in sorted(self.owned_by(saved) | {uid for uid in live if self.holds(uid, initiator)}):
            with contextlib.suppress(Refused):
                self.refuse_foreign(saved, uid)
                found.append(uid)
        return found

    def holds(self, uid, initiator):
        path = '%s/%s/tpgt_1' % (LIO_TARGETS, self.iqn(uid))
        return initiator in live_acl_names(self.iqn(uid)) or initiator in live_strangers(path)

    def drifted(self, saved, uid, disk):
        """'same', 'drift', or 'stuck' when it cannot be mended while it is in use."""
        storage_object, group = self.wished(uid, disk['size'], self.granted(saved, uid))
        live = live_group(self.iqn(uid))
        found = differences(storage_object, group, live, live_object(storage_object['name']))
        if not found:
            same = said_of(saved.target(self.iqn(uid))) == said_of(group) and self.saved_object(saved, storage_object)
            return 'same' if same else 'drift'
        return 'stuck' if found & {'target', 'object'} and in_use(live) else 'drift'

    def survey(self, disks):
        trouble = self.trouble()
        if trouble is not None:
            return {'trouble': trouble, 'portals': [False for _ in self.portals], 'drift': 0, 'stuck': 0, 'warnings': []}
        saved, counts = Saved(), {'same': 0, 'drift': 0, 'stuck': 0}
        whole = {} if restoring() else {uid: disk for uid, disk in disks.items() if disk['complete']}
        for uid, disk in whole.items():
            counts[self.drifted(saved, uid, disk)] += 1
        ears = listening()
        portals = [self.hears(ears, address, port, not whole) for address, port in self.portals]
        return {'trouble': None, 'portals': portals, 'drift': counts['drift'], 'stuck': counts['stuck'],
                'warnings': self.warnings()}

    def hears(self, ears, address, port, none):
        """LIO listens where it has a target; before the first one the address must be the server's own."""
        if (address, port) in ears or ('', port) in ears:
            return True
        return none and own_address(address)

    def warnings(self):
        import glob
        if any(glob.glob('/etc/systemd/system/*.wants/' + unit) for unit in LIO_UNITS):
            return []
        return ['the saved targets are not loaded when it starts']

    def mend(self, disks):
        """One that cannot be mended does not keep the others from it."""
        saved, failure = Saved(), None
        for uid, disk in as_seen(self.backing, disks):
            try:
                if self.drifted(saved, uid, disk) == 'drift':
                    self.refuse_foreign(saved, uid)
                    self.settle(saved, uid, disk['size'], self.granted(saved, uid))
            except Refused as refused:
                failure = failure or refused
        if failure is not None:
            raise failure


def server_of(request, backing):
    return Lio(request, backing)
`;
