/**
 * Logins that are half through. tgtd looks at the name of an initiator in the first half and lists a session after the
 * second (usr/iscsi/iscsid.c, login_start and login_finish), so that one which stopped in between is neither kept out
 * by its rule nor shown. Its connection is: tgtd has more of them from that address than it lists.
 */
export const loginsProgram = String.raw`
# A login takes milliseconds; one that takes longer has stopped.
HALF_LIMIT = 3


def tgtd_sockets():
    """Inodes of the sockets of the tgtd that we speak with."""
    rows = [line.split() for line in (read_text('/proc/net/unix') or '').split('\n')[1:]]
    ears = {row[6] for row in rows if len(row) == 8 and row[7].endswith('/tgtd/socket.0')}
    for pid in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError):
            if read_text('/proc/%s/comm' % pid) != 'tgtd\n':
                continue
            inodes = set()
            for fd in os.listdir('/proc/%s/fd' % pid):
                with contextlib.suppress(OSError):
                    match = re.match(r'socket:\[(\d+)\]\Z', os.readlink('/proc/%s/fd/%s' % (pid, fd)))
                    inodes |= set() if match is None else {match.group(1)}
            if inodes & ears:
                return inodes
    raise Refused('unreachable', 'tgtd is not among the processes of the server', 'StorageNotReady')


def end_of(text):
    """Address in network order and port, from the tables of the kernel."""
    address, _, port = text.partition(':')
    words = bytes.fromhex(address)
    return b''.join(words[at:at + 4][::-1] for at in range(0, len(words), 4)), int(port, 16)


def tgtd_connections(inodes):
    """By inode: family, own end, other end."""
    found = {}
    for family, table in ((socket.AF_INET, '/proc/net/tcp'), (socket.AF_INET6, '/proc/net/tcp6')):
        for line in (read_text(table) or '').split('\n')[1:]:
            row = line.split()
            if len(row) > 9 and row[3] != '0A' and row[9] in inodes:
                found[row[9]] = (family, end_of(row[1]), end_of(row[2]))
    return found


def other_address(connection):
    import ipaddress
    address = ipaddress.ip_address(connection[2][0])
    return str(getattr(address, 'ipv4_mapped', None) or address)


def listed_addresses():
    """Of every connection that tgtd lists, over all targets."""
    found = []
    for tid in target_ids().values():
        text = admin_unless((NO_TARGET,), 'connection', 'show', tid=tid) or ''
        found += re.findall(r'^ {8}IP Address: (?:::ffff:(?=[0-9.]+$))?(\S+)$', text, re.M)
    return found


def end_connection(connection):
    """As ss(8) --kill does it (Linux: include/uapi/linux/inet_diag.h, SOCK_DESTROY)."""
    family, own, other = connection
    ends = struct.pack('>HH', own[1], other[1]) + own[0].ljust(16, b'\0') + other[0].ljust(16, b'\0')
    body = struct.pack('=BBBBI', family, socket.IPPROTO_TCP, 0, 0, 0xffffffff) + ends + struct.pack('=III', 0, 0xffffffff, 0xffffffff)
    request, acknowledged, sock_destroy, sock_diag = 1, 4, 21, 4
    head = struct.pack('=IHHII', 16 + len(body), sock_destroy, request | acknowledged, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, sock_diag) as kernel:
        kernel.settimeout(5)
        kernel.send(head + body)
        code = -struct.unpack_from('=i', kernel.recv(4096), 16)[0]
    if code not in (0, errno.ENOENT):
        what = 'a login that is half through cannot be ended by the kernel of the server (%s)' % os.strerror(code)
        raise Refused('unreachable', what, 'RequestFailed')


class Logins:
    def end_half_logins(self, tid, allowed):
        """
        Proved once every connection that may have been in the middle of a login is listed, and so ended, or gone. From
        an address that goes on with one, all are ended: the sessions that are allowed come back by themselves.
        """
        start, waiting = time.monotonic(), None
        while True:
            inodes = tgtd_sockets()
            before = tgtd_connections(inodes)
            listed = listed_addresses()
            now_open = tgtd_sockets()
            after = tgtd_connections(now_open)
            if set(before) == set(after):
                have = [other_address(each) for each in after.values()]
                half = {inode for inode, each in after.items()
                        if have.count(other_address(each)) > listed.count(other_address(each))}
                # What the kernel has ended is still half through until tgtd has seen it.
                waiting = half if waiting is None else {inode for inode in waiting & now_open if inode in half or inode not in after}
            self.end_sessions(tid, allowed)
            if waiting is not None and not waiting:
                return
            spent = time.monotonic() - start
            if spent > 30:
                raise Refused('unreachable', 'a login that was begun did not end within 30 seconds', 'RequestFailed')
            if spent > HALF_LIMIT:
                for inode in (waiting or set()) & set(after):
                    end_connection(after[inode])
            time.sleep(0.02)
`;
