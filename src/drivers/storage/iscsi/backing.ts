/** What an iSCSI pool's wish must be before a server hears of it: names become paths, device names and configuration. */
import { Fault } from '../../../runtime/fault.ts';
import type { ChapCredentials, IscsiWish } from '../contract.ts';

type Backing = IscsiWish['backing'];

/** Without blanks, quotes and whatever a configuration file or a device name gives a meaning to. */
const FOLDER = /^(\/[A-Za-z0-9._+-]+)+$/;
/** lvm(8), VALID NAMES. */
const LVM_NAME = /^[A-Za-z0-9_+.][A-Za-z0-9_+.-]{0,126}$/;
const CHAP_USER = /^[A-Za-z0-9._:@+-]{1,128}$/;
/** RFC 7143 9.2.1 wants 96 random bits; target software hands the word to others that split at blanks and commas. */
const CHAP_PASSWORD = /^[A-Za-z0-9._:@+=/-]{12,64}$/;

const invalid = (message: string, reason = 'Invalid'): Fault => new Fault('invalid', message, { reason });

const checkBacking = (backing: Backing): void => {
  switch (backing.type) {
    case 'Files': {
      const parts = backing.path.split('/');
      if (FOLDER.test(backing.path) && !parts.includes('..') && !parts.includes('.')) return;
      throw invalid(
        'The folder of the pool must be an absolute path of letters, digits and the signs . _ + -.',
      );
    }
    case 'LVM':
      if (LVM_NAME.test(backing.volumeGroup)) return;
      throw invalid('The volume group of the pool has a name that LVM does not know.');
    case 'LVMThin':
      if (LVM_NAME.test(backing.volumeGroup) && LVM_NAME.test(backing.thinPool)) return;
      throw invalid('The volume group or thin pool of the pool has a name that LVM does not know.');
    default:
      backing satisfies never;
  }
};

const RULE = 'must be of 12 to 64 letters, digits and the signs . _ : @ + = / -';

const checkMutual = (
  software: IscsiWish['software'],
  password: string,
  mutual: NonNullable<ChapCredentials['mutual']>,
): void => {
  if (software !== 'LIO') throw invalid('Mutual CHAP goes with LIO alone.');
  if (!CHAP_USER.test(mutual.user)) {
    const text = 'The mutual CHAP user may hold letters, digits and the signs . _ : @ + -.';
    throw invalid(text, 'SecretInvalid');
  }
  if (!CHAP_PASSWORD.test(mutual.password)) throw invalid(`The mutual CHAP secret ${RULE}.`, 'SecretInvalid');
  // RFC 7143 9.2.1: else a host could be answered with its own answer.
  if (mutual.password === password)
    throw invalid('The mutual CHAP secret must be another one than that of the hosts.', 'SecretInvalid');
};

/** Throws Fault `invalid` with the sentence that says what to change; never a secret. */
export const checkIscsiWish = (wish: IscsiWish): void => {
  checkBacking(wish.backing);
  if (wish.portals.length === 0) throw invalid('The pool has no portal.');
  if (wish.chap === undefined) return;
  if (!CHAP_USER.test(wish.chap.user)) {
    throw invalid('The CHAP user may hold letters, digits and the signs . _ : @ + -.', 'SecretInvalid');
  }
  if (!CHAP_PASSWORD.test(wish.chap.password)) throw invalid(`The CHAP secret ${RULE}.`, 'SecretInvalid');
  const { mutual } = wish.chap;
  if (mutual !== undefined) checkMutual(wish.software, wish.chap.password, mutual);
};
