/** Records of disks: one file for each, which is tgt's configuration of its target at the same time. */
export const recordsProgram = String.raw`
class Records:
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
            if all(isinstance(name, str) and IQN.match(name) for name in names):
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
        names = sorted(rule for rule in target['rules'] if IQN.match(rule))[:2]
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
`;
