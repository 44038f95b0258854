/** tgt as a whole: how all disks of a pool stand, and what puts them right. */
export const poolProgram = String.raw`
class Pool:
    def survey(self, disks):
        seen = {'trouble': None, 'portals': [False] * len(self.portals), 'drift': 0, 'stuck': 0, 'warnings': []}
        try:
            self.check()
        except Refused as error:
            return {**seen, 'trouble': error.message}
        seen['portals'] = [self.listens(portal) for portal in self.portals]
        main = read_text(self.main) or ''
        if not re.search(r'^\s*include\s+%s/\*(\.conf)?\s*$' % re.escape(self.folder), main, re.M):
            seen['warnings'].append('%s does not include %s/*.conf, so a restart of tgtd forgets the disks' % (self.main, self.folder))
        files = self.files()
        if self.chap is not None and self.secrets_of(files.values()) - self.secrets_of(self.of_pool()) - {self.chap['password']}:
            seen['warnings'].append('another StoragePool has the same CHAP user with another secret: give it a user of its own')
        self.sizes = {uid: each['size'] for uid, each in disks.items()}
        for uid, seen_disk in disks.items():
            record = self.parsed(files.get(uid, ''))
            if seen_disk['complete'] and (record is None or self.is_ours(record)):
                state = self.state_of(uid)
                if state is not None:
                    seen[state] += 1
        return seen

    def state_of(self, uid):
        """'drift' for what can be mended now, 'stuck' for what cannot, None for what is as it should be."""
        try:
            record = self.record(uid)
            found = self.differences(uid, record)
        except Refused:
            return 'stuck'
        if found == {'lun'} and connections(self.live()[PREFIX + uid]['tid']):
            return 'stuck'
        return 'drift' if found or not self.is_written(uid, self.render(uid, record)) else None

    def mend(self, disks):
        """As much as can be; the first trouble is told at the end."""
        troubles = []

        def attempt(work, *what):
            try:
                work(*what)
            except (Refused, OSError) as error:
                troubles.append(error)

        attempt(self.turn_account)
        before = {match.group(1) for text in self.of_pool() for match in USER.finditer(text)}
        self.sizes = {uid: each['size'] for uid, each in disks.items()}
        for uid, _ in as_seen(self.backing, disks):
            record = self.parsed(read_text(self.file(uid)) or '')
            if record is None or self.is_ours(record):
                attempt(self.serve, uid)
        for user in before - ({self.chap['user']} if self.chap is not None else set()):
            attempt(self.drop_unused, user)
        if troubles:
            raise troubles[0]

    def listens(self, portal):
        try:
            wanted = {info[4][0] for info in socket.getaddrinfo(portal['address'], portal['port'], type=socket.SOCK_STREAM)}
        except OSError:
            return False
        for family, table in ((socket.AF_INET, '/proc/net/tcp'), (socket.AF_INET6, '/proc/net/tcp6')):
            for line in (read_text(table) or '').split('\n')[1:]:
                fields = line.split()
                if len(fields) < 4 or fields[3] != '0A':
                    continue
                address, _, port = fields[1].partition(':')
                words = bytes.fromhex(address)
                turned = b''.join(words[at:at + 4][::-1] for at in range(0, len(words), 4))
                if int(port, 16) == portal['port'] and (not any(turned) or socket.inet_ntop(family, turned) in wanted):
                    return True
        return False
`;
