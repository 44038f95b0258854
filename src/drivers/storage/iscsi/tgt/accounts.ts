/**
 * CHAP accounts of tgt. They are the whole daemon's, known by name, and their secrets cannot be read: whether one is
 * what it should be is told by our own configuration files.
 */
export const accountsProgram = String.raw`
import secrets

PREFIX = 'iqn.2025-01.dev.ovcp:disk.'
# tgt lets in whoever matches an address OR a name, and tgt-admin adds the address ALL where a file has none: this
# one is nobody's.
NOBODY = '255.255.255.255'
LUN = 1
RECORD = re.compile(r'^# ovcp (\{.*\})$', re.M)
USER = re.compile(r'^\s*incominguser (\S+) (\S+)\s*$', re.M)
TURN = 'ovcp-turn-'


class Accounts:
    def account_names(self):
        return {line.strip() for line in admin('account', 'show').split('\n')[1:] if line.strip()}

    def of_pool(self):
        """The texts of this pool's files."""
        texts = self.files().values()
        return [text for text in texts if (record := self.parsed(text)) is not None and self.is_ours(record)]

    def secrets_of(self, texts):
        user = self.chap['user']
        return {match.group(2) for text in texts for match in USER.finditer(text) if match.group(1) == user}

    def bound_to(self, user):
        return [target for target in self.live().values() if user in target['accounts'] or user + ' (outgoing)' in target['accounts']]

    def bind_account(self, tid, have):
        want = [] if self.chap is None else [self.chap['user']]
        for user in want:
            if user not in have:
                self.have_account()
                admin_unless((USER_EXIST,), 'account', 'bind', 'user=' + user, tid=tid)
        # The right one first: a target without an account lets its initiators in without a secret.
        for user in have:
            if user not in want:
                admin_unless((NO_USER,), 'account', 'unbind', 'user=' + user.replace(' (outgoing)', ''), tid=tid)

    def have_account(self):
        """The account with the secret of the wish, or Refused."""
        user, secret = self.chap['user'], self.chap['password']
        mine, all_of_us = self.secrets_of(self.of_pool()), self.secrets_of(self.files().values())
        if user not in self.account_names():
            self.refuse_shared(mine, all_of_us)
            admin('account', 'new', 'user=%s,password=%s' % (user, secret))
        elif secret not in all_of_us or len(all_of_us) > 1:
            self.turn(mine, all_of_us)

    def refuse_shared(self, mine, all_of_us):
        others = all_of_us - mine - {self.chap['password']}
        if others:
            raise Refused('invalid', 'another StoragePool uses the CHAP user with another secret', 'SecretInvalid')

    def turn_account(self):
        """The new secret for everybody, when the files say that an older one is in use."""
        if self.chap is not None and self.secrets_of(self.of_pool()) - {self.chap['password']}:
            self.turn(self.secrets_of(self.of_pool()), self.secrets_of(self.files().values()))
        for user in self.account_names():
            if user.startswith(TURN):
                admin_unless((NO_USER,), 'account', 'delete', 'user=' + user)
                self.changed()

    def turn(self, mine, all_of_us):
        """
        tgtd cannot change a secret: the account is made anew. Meanwhile a second one that nobody knows is bound, so
        that no target is without. Sessions go on.
        """
        self.refuse_shared(mine, all_of_us)
        user, bound = self.chap['user'], self.bound_to(self.chap['user'])
        if any(not target['name'].startswith(PREFIX) for target in bound) or user in admin('system', 'show').split('Account information:')[-1].split():
            raise Refused('denied', 'the CHAP user is an account of targets that are not ours: choose another one', 'NameTaken')
        meanwhile = TURN + secrets.token_hex(8)
        admin('account', 'new', 'user=%s,password=%s' % (meanwhile, secrets.token_hex(16)))
        for target in bound:
            admin_unless((USER_EXIST,), 'account', 'bind', 'user=' + meanwhile, tid=target['tid'])
        admin_unless((NO_USER,), 'account', 'delete', 'user=' + user)
        admin('account', 'new', 'user=%s,password=%s' % (user, self.chap['password']))
        for target in bound:
            admin_unless((USER_EXIST,), 'account', 'bind', 'user=' + user, tid=target['tid'])
        admin('account', 'delete', 'user=' + meanwhile)
        self.changed()

    def drop_unused(self, user):
        """An account that no target and no file of ours needs any more."""
        self.changed()
        named = any(match.group(1) == user for text in self.files().values() for match in USER.finditer(text))
        if not named and not self.bound_to(user) and user in self.account_names():
            admin_unless((NO_USER,), 'account', 'delete', 'user=' + user)
`;
