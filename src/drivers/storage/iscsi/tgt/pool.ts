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
        for uid, seen_disk in disks.items():
            record = self.parsed(files.get(uid, ''))
            if not seen_disk['complete'] or record is not None and not self.is_ours(record):
                continue
            found = self.differences(uid, record or self.record(uid))
            stuck = found == {'lun'} and connections(self.live()[PREFIX + uid]['tid'])
            if stuck:
                seen['stuck'] += 1
            elif found or files.get(uid) != self.render(uid, record or self.record(uid)):
                seen['drift'] += 1
        return seen

    def mend(self):
        self.turn_account()
        before = {match.group(1) for text in self.of_pool() for match in USER.finditer(text)}
        for uid, seen in self.backing.disks().items():
            record = self.parsed(read_text(self.file(uid)) or '')
            if seen['complete'] and (record is None or self.is_ours(record)):
                self.serve(uid)
        for user in before - ({self.chap['user']} if self.chap is not None else set()):
            self.drop_unused(user)

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
