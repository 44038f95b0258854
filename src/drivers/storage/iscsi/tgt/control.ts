/**
 * tgtd's control socket (tgt's usr/tgtadm.h and usr/mgmt.c: the same from 1.0.30 of 2012 to 1.0.97 of 2025), which
 * is what tgtadm itself speaks. tgtadm is not run, because it takes the CHAP secret as an argument, for `ps` to show.
 */
export const controlProgram = String.raw`
import socket

SOCKET = '/var/run/tgtd/socket.0'
REQUEST = struct.Struct('=ii64sIiQQIIIIII')
REPLY = struct.Struct('=II')
OPS = {'new': 0, 'delete': 1, 'show': 2, 'bind': 3, 'unbind': 4, 'update': 5}
MODES = {'system': 0, 'target': 1, 'lun': 2, 'portal': 3, 'lld': 4, 'session': 5, 'connection': 6, 'account': 7}
# usr/tgtadm_error.h
NO_TARGET, NO_LUN, NO_SESSION, NO_CONNECTION = 4, 5, 6, 7
TARGET_EXIST, LUN_EXIST, ACL_EXIST, ACL_NOEXIST, USER_EXIST, NO_USER = 9, 10, 12, 13, 14, 15
TARGET_ACTIVE, LUN_ACTIVE = 19, 20


class Admin(Refused):
    def __init__(self, code):
        super().__init__('unreachable', 'tgtd refused with error %d' % code, 'RequestFailed')
        self.code = code


def connected():
    try:
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        end.settimeout(15)
        end.connect(SOCKET)
        return end
    except OSError:
        end.close()
        if not os.path.exists('/usr/sbin/tgtd'):
            raise Refused('unsupported', 'tgt is not installed', 'StorageNotReady')
        raise Refused('unreachable', 'tgtd does not answer', 'StorageNotReady')


def received(end, length):
    parts = []
    while length > 0:
        part = end.recv(min(length, 1 << 16))
        if not part:
            raise Refused('unreachable', 'tgtd closed its control socket', 'StorageNotReady')
        parts.append(part)
        length -= len(part)
    return b''.join(parts)


def admin(mode, op, text='', tid=0, sid=0, cid=0, lun=0):
    """One call; the text of the answer. Raises Admin with tgtd's code."""
    body = text.encode() + b'\0' if text else b''
    head = REQUEST.pack(MODES[mode], OPS[op], b'iscsi', REQUEST.size + len(body), tid, sid, lun, cid, 0, 0, 0, 0, 0)
    with connected() as end:
        try:
            end.sendall(head + body)
            code, length = REPLY.unpack(received(end, REPLY.size))
            if code != 0:
                raise Admin(code)
            return received(end, length - REPLY.size).rstrip(b'\0').decode('utf-8', 'replace')
        except socket.timeout:
            raise Refused('unreachable', 'tgtd does not answer', 'StorageNotReady')


def admin_unless(codes, *call, **more):
    """A call that may find its work done already."""
    try:
        return admin(*call, **more)
    except Admin as error:
        if error.code not in codes:
            raise
        return None


def unreadable():
    return Refused('bug', 'tgtd shows its targets in a form that is not known', 'MalformedAnswer')


SECTIONS = ('System information:', 'I_T nexus information:', 'LUN information:', 'Account information:', 'ACL information:')


def target_ids():
    """Names to ids. Nothing in this answer was chosen by an initiator."""
    found = {}
    for line in admin('lld', 'show').split('\n'):
        match = re.match(r'^ {8}Target (\d+): (\S+)$', line)
        if match is not None:
            found[match.group(2)] = int(match.group(1))
    return found


def connections(tid):
    """(session, connection, initiator) of a target. It lists a connection for as long as a command of it is at work."""
    text = admin_unless((NO_TARGET,), 'connection', 'show', tid=tid) or ''
    found, session, connection = [], None, None
    for line in text.split('\n'):
        match = re.match(r'^(Session| {4}Connection| {8}Initiator): (.*)$', line)
        if match is None:
            continue
        key, value = match.group(1).strip(), match.group(2)
        if key == 'Session':
            session = int(value)
        elif key == 'Connection':
            connection = int(value)
        else:
            found.append((session, connection, value))
    return found


def shown_targets():
    """
    Every target with its LUNs, accounts and rules, by name. They must be the very ones that tgtd has; whoever looks
    holds no lock, so others may make and remove targets between one question and the next.
    """
    end, odd = time.monotonic() + 5, 0
    while True:
        before, found = target_ids(), read_targets()
        if {name: target['tid'] for name, target in found.items()} == before:
            return found
        odd += target_ids() == before
        if odd == 3:
            raise unreadable()
        if time.monotonic() > end:
            raise Refused('busy', 'targets come and go all the time')


def read_targets():
    """Between them stands what initiators say of themselves, so the sections are taken in their order only."""
    found, target, section = {}, None, None
    for line in admin('target', 'show', tid=-1).split('\n'):
        head = re.match(r'^Target (\d+): (\S+)$', line)
        if head is not None:
            target = {'tid': int(head.group(1)), 'name': head.group(2), 'luns': {}, 'accounts': [], 'rules': []}
            if target['name'] in found:
                raise unreadable()
            found[target['name']], section = target, -1
            continue
        words = line.strip()
        if line.startswith('    ') and words in SECTIONS and not line.startswith('     '):
            if target is None or SECTIONS.index(words) <= section:
                raise unreadable()
            section = SECTIONS.index(words)
        elif section == 2:
            read_lun(target, line, words)
        elif section == 3 and words:
            target['accounts'].append(words)
        elif section == 4 and words:
            target['rules'].append(words)
    return found


def read_lun(target, line, words):
    key, _, value = words.partition(': ')
    if key == 'LUN':
        target['luns'][int(value)] = target['lun'] = {}
    elif key in ('SCSI ID', 'SCSI SN', 'Size', 'Online', 'Readonly', 'Backing store path'):
        target['lun'][key] = value
`;
