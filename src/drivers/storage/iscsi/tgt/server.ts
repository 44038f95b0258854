/** tgt as a server of disks: a target and a configuration file for each, and never one that is not ours. */
export const serverProgram = String.raw`
def mebibytes_shown(size):
    """usr/target.c, print_disksize: what tgtd makes of a size."""
    sectors = size // 512
    return ((sectors - ((sectors // 625) - 974)) & (2 ** 64 - 1)) // 1950


class Tgt(Records, Accounts, Logins, Pool):
    def __init__(self, request, backing):
        self.pool, self.backing = request['pool'], backing
        self.folder, self.main = request['settings']['configFolder'], request['settings']['mainConfig']
        self.chap, self.portals = request['chap'], request['portals']
        self.shown = None
        # Sizes by uid, when all of them were looked at in one call.
        self.sizes = {}
        self.gone = []

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
        self.clear(uid)

    def clear(self, uid):
        # Refused when it is not ours.
        self.record(uid)
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

    def closed(self):
        return self.gone

    def revoke(self, uid, name):
        try:
            record = self.record(uid)
        except Refused as error:
            if error.reason != 'NameTaken':
                self.throw_out(uid, name)
            raise
        self.revoke_recorded(uid, name, record)

    def revoke_recorded(self, uid, name, record):
        record['initiators'] = [other for other in record['initiators'] if other != name]
        unwritten = None
        try:
            # The file first: a restart in between must not bring the access back.
            if os.path.exists(self.file(uid)):
                self.write(uid, record)
        except OSError as error:
            unwritten = error
        tid = target_ids().get(PREFIX + uid)
        if tid is not None:
            self.cut_off(uid, tid, name, record)
        if unwritten is not None:
            raise unwritten

    def cut_off(self, uid, tid, name, record):
        # Whoever matches an address is let in as well, so no rule stays but the record's.
        for rule in {name, *(self.rules_of(uid) or [])}:
            if rule != NOBODY and rule not in record['initiators']:
                self.unbind(tid, rule)
        self.end_sessions(tid, record['initiators'])
        self.changed()
        # A login that was let in before the rule went could still come out as a session.
        if record['initiators']:
            self.end_half_logins(tid, record['initiators'])
        else:
            # It dies with the target.
            self.destroy(uid)
            self.gone.append(uid)

    def throw_out(self, uid, name):
        """What can be done where nobody knows who else may stay."""
        tid = target_ids().get(PREFIX + uid)
        if tid is not None:
            self.unbind(tid, name)
            self.end_sessions(tid, {each[2] for each in connections(tid)} - {name})
            self.changed()

    def revoke_all(self, name):
        """By what tgtd has and what the records say: the backing may hang, and is not asked."""
        live = {target[len(PREFIX):] for target in target_ids() if target.startswith(PREFIX)}
        failed = None
        for uid in sorted({uid for uid in live if UID.match(uid)} | set(self.files())):
            try:
                if self.touches(uid, name):
                    self.revoke(uid, name)
            except (Refused, OSError) as error:
                # One disk that cannot be proved keeps no other from being taken away.
                if getattr(error, 'reason', None) != 'NameTaken':
                    failed = failed or error
        if failed is not None:
            raise failed

    def rules_of(self, uid):
        """None when they cannot be read: a host's words about itself must not keep it from being cut off."""
        try:
            target = self.live().get(PREFIX + uid)
        except Refused:
            return None
        return [] if target is None else target['rules']

    def touches(self, uid, name):
        tid, rules = target_ids().get(PREFIX + uid), self.rules_of(uid)
        try:
            if name in self.record(uid)['initiators'] or rules is None:
                return True
        except Refused as error:
            return error.reason != 'NameTaken'
        others = any(rule != NOBODY and not rule.startswith('iqn.') for rule in rules)
        return others or name in rules or tid is not None and any(each[2] == name for each in connections(tid))


def warm(request):
    """Nothing is loaded for tgt."""


def server_of(request, backing):
    return Tgt(request, backing)
`;
