/** The changes: through rtslib, which knows the order that the kernel wants. */
export const lioHandsProgram = String.raw`
def load_rtslib():
    rtslib_folder()
    import rtslib_fb
    return rtslib_fb


class Hands:
    """rtslib, loaded when something has to be changed."""

    def __init__(self):
        self.rts = load_rtslib()
        try:
            self.rts.RTSRoot()
            self.fabric = self.rts.FabricModule('iscsi')
            self.fabric._check_self()
        except (self.rts.RTSLibError, OSError) as error:
            raise Refused('unsupported', 'the kernel of the server serves no iSCSI: %s' % error, 'StorageNotReady')

    @contextlib.contextmanager
    def told(self, what):
        """rtslib's own errors in a sentence; none of them holds a secret."""
        try:
            yield
        except self.rts.RTSLibError as error:
            raise Refused('unreachable', '%s: %s' % (what, ' '.join(str(error).split())[:200]), 'RequestFailed')

    def target(self, iqn):
        return self.rts.Target(self.fabric, iqn, 'lookup')

    def group(self, iqn):
        return self.rts.TPG(self.target(iqn), 1, 'lookup')

    def remove_target(self, iqn):
        if os.path.isdir('%s/%s' % (LIO_TARGETS, iqn)):
            with self.told('the target cannot be removed'):
                self.target(iqn).delete()

    def remove_object(self, seen):
        if seen is not None:
            with self.told('the backing object cannot be removed'):
                self.rts.tcm.StorageObject.so_from_path(seen['path']).delete()

    def make_object(self, wished):
        known = self.rts.BlockStorageObject if wished['plugin'] == 'block' else self.rts.FileIOStorageObject
        details = {key: wished[key] for key in ('dev', 'wwn', 'size', 'write_back', 'readonly') if key in wished}
        with self.told('the disk cannot be served'):
            made = known(wished['name'], **details)
            with contextlib.suppress(self.rts.RTSLibError):
                made.set_attribute('emulate_tpu', 1)
        return made

    def make_target(self, iqn, wished, alias):
        """Closed and without portals: nothing can log in before all of it is as wished."""
        with self.told('the target cannot be made'):
            group = self.rts.TPG(self.rts.Target(self.fabric, iqn), 1)
            seen = live_object(wished['name'])
            self.rts.LUN(group, LUN, self.rts.tcm.StorageObject.so_from_path(seen['path']), alias)

    def attributes(self, iqn, wished, live):
        group = self.group(iqn)
        with self.told('the target cannot be set up'):
            for name, value in wished['attributes'].items():
                if live['attributes'][name] != value:
                    group.set_attribute(name, value)
            for tag in live['others']:
                self.rts.TPG(self.target(iqn), tag, 'lookup').delete()
            if live['strangers']:
                self.throw_out(group)

    def throw_out(self, group):
        """Ends sessions that have no ACL; those that have one log in again by themselves."""
        group.enable = False
        group.enable = True

    def luns(self, iqn, live):
        group = self.group(iqn)
        with self.told('a LUN that is not ours cannot be removed'):
            for index in set(live['luns']) - {LUN}:
                self.rts.LUN(group, index).delete()

    def portals(self, iqn, wished, live):
        group = self.group(iqn)
        for address, port in set(wished['portals']) - set(live['portals']):
            try:
                self.rts.NetworkPortal(group, bracketed(address), port)
            except self.rts.RTSLibError as error:
                what = 'nothing can listen at %s:%d: %s' % (address, port, ' '.join(str(error).split())[:120])
                raise Refused('invalid', what, 'StorageNotReady')
        with self.told('a portal cannot be removed'):
            for address, port in set(live['portals']) - set(wished['portals']):
                self.rts.NetworkPortal(group, bracketed(address), port, 'lookup').delete()

    def acls(self, iqn, wished, live):
        group = self.group(iqn)
        with self.told('an ACL cannot be set up'):
            for name in set(live['acls']) - set(wished['acls']):
                self.rts.NodeACL(group, name, 'lookup').delete()
            for name, acl in wished['acls'].items():
                self.acl(self.rts.NodeACL(group, name), acl, live['acls'].get(name))

    def acl(self, node, wished, live):
        if live is None or live['chap'] != wished['chap']:
            for name, word in zip(CHAP_WORDS, wished['chap']):
                setattr(node, name, word)
        present = dict(live['luns']) if live is not None else {}
        for index, target in present.items():
            if (index, target) not in wished['luns']:
                self.rts.MappedLUN(node, index).delete()
        for index, target in wished['luns']:
            if present.get(index) != target:
                self.rts.MappedLUN(node, index, target, False)

    def unmap(self, iqn, initiator):
        """Stops the initiator's reads and writes at once, whatever the backing does; its session stays."""
        for index in numbered('%s/%s/tpgt_1/acls/%s' % (LIO_TARGETS, iqn, initiator)):
            with self.told('the LUN cannot be taken away'):
                self.rts.MappedLUN(self.rts.NodeACL(self.group(iqn), initiator, 'lookup'), index).delete()

    def shut_out(self, iqn, initiator):
        """Ends the initiator's sessions: the kernel returns when the last command is over."""
        path = '%s/%s/tpgt_1' % (LIO_TARGETS, iqn)
        if not os.path.isdir(path):
            return
        group = self.group(iqn)
        with self.told('the ACL cannot be removed'):
            if initiator in live_acl_names(iqn):
                self.rts.NodeACL(group, initiator, 'lookup').delete()
            if initiator in live_strangers(path):
                group.set_attribute('generate_node_acls', 0)
                self.throw_out(group)
        if initiator in live_acl_names(iqn) or initiator in live_strangers(path):
            raise Refused('unreachable', 'the session of the host is still there', 'RequestFailed')
`;
