/** What a disk's target should be, and what has to be done to the one that is there. */
export const lioWishProgram = String.raw`
def wished_group(lio, uid, acls):
    """The portal group of a disk in the form of the saved configuration."""
    chap = lio.chap
    secret = {} if chap is None else {'chap_userid': chap['user'], 'chap_password': chap['password']}
    if chap is not None and chap.get('mutual') is not None:
        # What the target proves itself with to a host that asks for it. Newer kernels let in one that does not ask too.
        secret |= {'chap_mutual_userid': chap['mutual']['user'], 'chap_mutual_password': chap['mutual']['password']}
    return {
        'tag': 1,
        'enable': True,
        'attributes': {
            'authentication': 0 if chap is None else 1,
            'generate_node_acls': 0,
            'cache_dynamic_acls': 0,
            'demo_mode_write_protect': 1,
            'prod_mode_write_protect': 0,
            'demo_mode_discovery': 0,
        },
        'luns': [{'index': LUN, 'storage_object': '/backstores/%s/%s' % (lio.plugin, lio.name(uid)), 'alias': lio.alias}],
        'portals': [{'ip_address': bracketed(address), 'port': port, 'iser': False} for address, port in lio.portals],
        'node_acls': [{
            'node_wwn': iqn,
            'mapped_luns': [{'index': LUN, 'tpg_lun': LUN, 'write_protect': False}],
            **secret,
        } for iqn in sorted(acls)],
    }


def wished_object(lio, uid, size):
    # Write-through: what a host was told is written must outlive the server, which a host cannot notice restarting.
    wished = {
        'plugin': lio.plugin,
        'name': lio.name(uid),
        'dev': lio.backing.device(uid),
        'wwn': uid.replace('-', ''),
        'write_back': False,
        # Discarded blocks go back to the thin pool or the file system.
        'attributes': {'emulate_tpu': 1},
    }
    if lio.plugin == 'fileio':
        return {**wished, 'size': size}
    return {**wished, 'readonly': False}


def object_differs(wished, live):
    return any(live[key] != wished.get(key) for key in ('plugin', 'dev', 'wwn', 'size'))


def differences(wished_row, group, live, seen):
    """Names of what is not as wished in what runs; 'target' and 'object' cannot be mended while somebody is logged in."""
    if live is None or seen is None:
        return {'target'}
    wished = said_of(group)
    found = set()
    if object_differs(wished_row, seen):
        found.add('object')
    lun = live['luns'].get(LUN)
    if lun is None or lun['alias'] != wished['luns'][0][2] or lun['object'] != seen['path']:
        found.add('target')
    if set(live['luns']) - {LUN}:
        found.add('luns')
    for part in ('enable', 'attributes', 'portals', 'acls'):
        current = live[part]
        if part == 'acls':
            current = {name: {'chap': acl['chap'], 'luns': acl['luns']} for name, acl in current.items()}
        if current != wished[part]:
            found.add(part)
    if live['others'] or live['strangers']:
        found.add('attributes')
    return found


def in_use(live):
    return live is not None and (bool(live['strangers']) or any(acl['session'] for acl in live['acls'].values()))
`;
