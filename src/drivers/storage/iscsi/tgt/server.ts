/** tgt as a server of disks: a target and a configuration file for each, and never one that is not ours. */
export const serverProgram = String.raw`
def mebibytes_shown(size):
    """usr/target.c, print_disksize: what tgtd makes of a size."""
    sectors = size // 512
    return ((sectors - ((sectors // 625) - 974)) & (2 ** 64 - 1)) // 1950


class Tgt(Accounts, Pool):
    def __init__(self, request, backing):
        self.pool, self.backing = request['pool'], backing
        self.folder, self.main = request['settings']['configFolder'], request['settings']['mainConfig']
        self.chap, self.portals = request['chap'], request['portals']
        self.shown = None
        # Sizes by uid, when all of them were looked at in one call.
        self.sizes = {}

    def size_of(self, uid):
        return self.sizes[uid] if uid in self.sizes else self.backing.disk(uid)['size']

    def check(self):
        # A daemon that hangs takes connections all the same.
        target_ids()

    def live(self):
        if self.shown is None:
            self.shown = shown_targets()
        return self.shown

    def changed(self):
        self.shown = None

    # Records: one file for each disk, which is tgt's configuration at the same time.

    def file(self, uid):
        return os.path.join(self.folder, 'ovcp-disk-%s.conf' % checked_uid(uid))

    def files(self):
        """Uid and text of every file of ours, of any pool."""
        found = {}
        for name in sorted(os.listdir(self.folder)) if os.path.isdir(self.folder) else []:
            match = re.match(r'^ovcp-disk-([0-9a-f-]{36})\.conf$', name)
            if match is not None and UID.match(match.group(1)):
                text = read_text(os.path.join(self.folder, name))
                if text is not None:
                    found[match.group(1)] = text
        return found

    def parsed(self, text):
        match = RECORD.search(text)
        try:
            record = json.loads(match.group(1))
            names = record['initiators']
            if all(isinstance(name, str) and re.match(r'^iqn\.[A-Za-z0-9._:-]{1,219}$', name) for name in names):
                return {'cluster': record['cluster'], 'pool': record['pool'], 'initiators': sorted(set(names))}
        except (AttributeError, ValueError, KeyError, TypeError):
            pass
        return None

    def is_ours(self, record):
        return record['pool'] == self.pool['poolUid'] and record['cluster'] == self.pool['clusterId']

    def records(self):
        found = {}
        for uid, text in self.files().items():
            record = self.parsed(text)
            if record is not None and self.is_ours(record):
                found[uid] = record
        return found

    def owned(self):
        return list(self.records())

    def record(self, uid):
        """What the disk's target is to be. Where the record was lost, what the target is: no machine loses its disk."""
        text = read_text(self.file(uid))
        record = None if text is None else self.parsed(text)
        if record is not None and not self.is_ours(record):
            raise Refused('denied', 'the target of the disk belongs to another StoragePool', 'NameTaken')
        if record is not None:
            return record
        target = self.live().get(PREFIX + uid, {'rules': [], 'luns': {}})
        path = target['luns'].get(LUN, {}).get('Backing store path', self.backing.device(uid))
        if path != self.backing.device(uid):
            raise Refused('denied', 'the target of the disk serves something else', 'NameTaken')
        names = sorted(rule for rule in target['rules'] if rule.startswith('iqn.'))[:2]
        return {'cluster': self.pool['clusterId'], 'pool': self.pool['poolUid'], 'initiators': names}

    def render(self, uid, record):
        serial = uid.replace('-', '')
        # tgt-admin's parser knows C comments, and the names in the record are no reason to start one.
        words = json.dumps(record, sort_keys=True).replace('*', '\\u002a').replace('/', '\\u002f')
        lines = [
            '# A disk of an OVCP StoragePool. Changes of this file and of the target are undone.',
            '# ovcp ' + words,
            '<target %s%s>' % (PREFIX, uid),
            '    driver iscsi',
            '    allow-in-use yes',
            '    <backing-store %s>' % self.backing.device(uid),
            '        lun %d' % LUN,
            '        scsi_id 6001405%s' % serial[:25],
            '        scsi_sn %s' % serial,
            '        vendor_id OVCP',
            '        product_id disk',
            '    </backing-store>',
            '    initiator-address ' + NOBODY,
            *('    initiator-name ' + name for name in record['initiators']),
            *([] if self.chap is None else ['    incominguser %s %s' % (self.chap['user'], self.chap['password'])]),
            '</target>',
            '',
        ]
        return '\n'.join(lines)

    def is_written(self, uid, text):
        try:
            return read_text(self.file(uid)) == text and os.stat(self.file(uid)).st_mode & 0o077 == 0
        except FileNotFoundError:
            return False

    def write(self, uid, record):
        text = self.render(uid, record)
        if not self.is_written(uid, text):
            if not os.path.isdir(self.folder):
                os.makedirs(self.folder, mode=0o755)
            write_whole(self.file(uid), text)

    # Targets.

    def differences(self, uid, record):
        """What of the target is not as the record says. 'lun' alone cannot be mended while somebody is logged in."""
        target = self.live().get(PREFIX + uid)
        if target is None:
            return {'target'}
        found = set()
        serial, lun = uid.replace('-', ''), target['luns'].get(LUN, {})
        size = self.size_of(uid)
        wanted = {'SCSI ID': '6001405' + serial[:25], 'SCSI SN': serial, 'Online': 'Yes', 'Readonly': 'No',
                  'Backing store path': self.backing.device(uid)}
        shown = re.match(r'^(\d+) MB', lun.get('Size', ''))
        if any(lun.get(key) != value for key, value in wanted.items()) or shown is None or int(shown.group(1)) != mebibytes_shown(size):
            found.add('lun')
        if target['accounts'] != ([] if self.chap is None else [self.chap['user']]):
            found.add('accounts')
        if sorted(rule for rule in target['rules'] if rule != NOBODY) != record['initiators']:
            found.add('rules')
        return found

    def settle(self, uid, record):
        """Makes the target what the record says; what is right already is left alone."""
        found = self.differences(uid, record)
        if not found:
            return
        self.changed()
        name = PREFIX + uid
        if 'target' in found:
            self.make(uid)
            found |= {'accounts', 'rules'}
        tid = self.live()[name]['tid']
        if 'lun' in found and not connections(tid):
            admin_unless((NO_LUN,), 'lun', 'delete', tid=tid, lun=LUN)
            self.add_lun(uid, tid)
        if 'accounts' in found:
            self.bind_account(tid, self.live()[name]['accounts'])
        if 'rules' in found:
            self.bind_rules(tid, self.live()[name]['rules'], record['initiators'])
        self.changed()

    def make(self, uid):
        """
        An id that no target had before: a login that is half through holds the id of its target, and must not come
        out as a session of another one.
        """
        taken = {target['tid'] for target in self.live().values()}
        tid = next(tid for tid in iter(lambda: 65536 + secrets.randbelow(1 << 30), None) if tid not in taken)
        admin('target', 'new', 'targetname=%s%s' % (PREFIX, uid), tid=tid)
        self.changed()
        try:
            # Before anybody may log in.
            self.bind_account(tid, [])
            self.add_lun(uid, tid)
        except BaseException:
            admin_unless((NO_TARGET,), 'target', 'delete', tid=tid)
            raise

    def add_lun(self, uid, tid):
        serial = uid.replace('-', '')
        admin('lun', 'new', 'path=%s' % self.backing.device(uid), tid=tid, lun=LUN)
        admin('lun', 'update', 'scsi_id=6001405%s,scsi_sn=%s,vendor_id=OVCP,product_id=disk' % (serial[:25], serial),
              tid=tid, lun=LUN)

    def bind_rules(self, tid, have, want):
        for rule in have:
            if rule not in want and rule != NOBODY:
                self.unbind(tid, rule)
        for name in want:
            if name not in have:
                admin_unless((ACL_EXIST,), 'target', 'bind', 'initiator-name=' + name, tid=tid)
        self.end_sessions(tid, want)

    def unbind(self, tid, rule):
        for sort in ('initiator-name=', 'initiator-address='):
            admin_unless((ACL_NOEXIST,), 'target', 'unbind', sort + rule, tid=tid)

    def end_sessions(self, tid, allowed):
        """Ends what others have open. Proved once tgtd lists nothing of it: what is at work is listed until it is done."""
        end = time.monotonic() + 30
        while True:
            others = [each for each in connections(tid) if each[2] not in allowed]
            if not others:
                return
            if time.monotonic() > end:
                raise Refused('unreachable', 'a session did not end within 30 seconds', 'RequestFailed')
            for session, connection, _ in others:
                admin_unless((NO_TARGET, NO_SESSION, NO_CONNECTION), 'connection', 'delete', tid=tid, sid=session, cid=connection)
            time.sleep(0.01)

    def destroy(self, uid):
        """The target goes, and with it what is half through a login. Its sessions end first."""
        tid = target_ids().get(PREFIX + uid)
        end = time.monotonic() + 30
        while tid is not None:
            self.end_sessions(tid, [])
            try:
                admin_unless((NO_TARGET,), 'target', 'delete', tid=tid)
                break
            except Admin as error:
                if error.code not in (TARGET_ACTIVE, LUN_ACTIVE) or time.monotonic() > end:
                    raise
                time.sleep(0.01)
        self.changed()

    # What is asked for (program/disks.ts).

    def sight(self, uid):
        target = self.live().get(PREFIX + uid)
        names = set(self.record(uid)['initiators'])
        if target is None:
            return {'published': sorted(names), 'sessions': []}
        names |= {rule for rule in target['rules'] if rule != NOBODY}
        return {'published': sorted(names), 'sessions': sorted({name for _, _, name in connections(target['tid'])})}

    def serve(self, uid):
        record = self.record(uid)
        self.settle(uid, record)
        self.write(uid, record)

    def before_resize(self, uid):
        sight = self.sight(uid)
        if sight['published'] or sight['sessions']:
            raise Refused('conflict', 'tgt grows a disk only while it is published to no host')
        tid = target_ids().get(PREFIX + uid)
        if tid is not None:
            admin_unless((NO_LUN,), 'lun', 'delete', tid=tid, lun=LUN)
            self.changed()

    def unserve(self, uid):
        if self.sight(uid)['published']:
            raise Refused('conflict', 'the disk is published to a host')
        self.destroy(uid)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.file(uid))
            sync_folder(self.folder)
        if self.chap is not None:
            self.drop_unused(self.chap['user'])

    def publish(self, uid, name):
        record = self.record(uid)
        if name not in record['initiators']:
            if len(record['initiators']) >= 2:
                raise Refused('conflict', 'the disk is published to two hosts already')
            record['initiators'] = sorted([*record['initiators'], name])
        # The target first: what is in the file alone would be taken for published by whoever looks.
        self.settle(uid, record)
        self.write(uid, record)

    def revoke(self, uid, name):
        record = self.record(uid)
        record['initiators'] = [other for other in record['initiators'] if other != name]
        # The file first: a restart in between must not bring the access back.
        if os.path.exists(self.file(uid)):
            self.write(uid, record)
        tid = target_ids().get(PREFIX + uid)
        if tid is None:
            return
        # Whoever matches an address is let in as well, so no rule stays but the record's.
        for rule in {name, *(self.rules_of(uid) or [])}:
            if rule != NOBODY and rule not in record['initiators']:
                self.unbind(tid, rule)
        self.end_sessions(tid, record['initiators'])
        self.changed()
        if not record['initiators']:
            # A login that was let in before the rule went could still come out as a session: it dies with the target.
            self.destroy(uid)
            # It is proved by now. What keeps the target from being made again is no reason to say otherwise.
            with contextlib.suppress(Refused, OSError):
                if self.backing.disk(uid) is not None:
                    self.settle(uid, record)

    def revoke_all(self, name):
        mine = {uid for uid in (*self.owned(), *self.of_backing()) if self.touches(uid, name)}
        failed = None
        for uid in sorted(mine):
            try:
                self.revoke(uid, name)
            except (Refused, OSError) as error:
                # One disk that cannot be proved keeps no other from being taken away.
                failed = failed or error
        if failed is not None:
            raise failed

    def of_backing(self):
        try:
            return list(self.backing.disks())
        except Refused:
            # A missing folder keeps nobody from being cut off.
            return []

    def rules_of(self, uid):
        """None when they cannot be read: a host's words about itself must not keep it from being cut off."""
        try:
            target = self.live().get(PREFIX + uid)
        except Refused:
            return None
        return [] if target is None else target['rules']

    def touches(self, uid, name):
        tid, rules = target_ids().get(PREFIX + uid), self.rules_of(uid)
        if name in self.record(uid)['initiators'] or rules is None:
            return True
        others = any(rule != NOBODY and not rule.startswith('iqn.') for rule in rules)
        return others or name in rules or tid is not None and any(each[2] == name for each in connections(tid))


def server_of(request, backing):
    return Tgt(request, backing)
`;
