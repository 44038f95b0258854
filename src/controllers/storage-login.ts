/** What hosts and a target prove themselves to each other with: the keys of the Secret of `iscsi.chap`. Pure. */
import type { ChapCredentials } from '../drivers/storage/contract.ts';
import type { SecretData } from '../kube/core-kinds.ts';

/** Before the Secret was read. */
export interface KnownLogin {
  /** Name that hosts log in with. */
  readonly user: string;
  /** Name of a Secret in the operator's namespace. */
  readonly secret: string;
  /** Hosts of the pool can ask the target who it is: they log in themselves. QEMU never asks. */
  readonly asks: boolean;
}

/** The documented keys, decoded. */
export interface LoginKeys {
  readonly password?: string | undefined;
  readonly mutualUser?: string | undefined;
  readonly mutualPassword?: string | undefined;
}

const MUTUAL_USER = 'chap-mutual-user';
const MUTUAL_PASSWORD = 'chap-mutual-password';

/** Others are not looked at. */
export const loginKeysOf = (data: SecretData): LoginKeys => {
  const text = (key: string): string | undefined => data.get(key)?.toString('utf8');
  return {
    password: text('chap-password'),
    mutualUser: text(MUTUAL_USER),
    mutualPassword: text(MUTUAL_PASSWORD),
  };
};

export type ChapSight =
  | { readonly kind: 'chap'; readonly chap: ChapCredentials }
  /** What is wrong with the Secret, without a word of what is in it. */
  | { readonly kind: 'lack'; readonly message: string };

export const chapOf = ({ user, secret, asks }: KnownLogin, keys: LoginKeys): ChapSight => {
  const { password, mutualUser, mutualPassword } = keys;
  const lack = (text: string): ChapSight => ({ kind: 'lack', message: `Secret ${secret} ${text}.` });
  if (password === undefined) return lack('has no key chap-password');
  if (mutualUser === undefined && mutualPassword === undefined)
    return { kind: 'chap', chap: { user, password } };
  if (!asks) {
    // Nobody would look at the proof.
    const key = mutualUser === undefined ? MUTUAL_PASSWORD : MUTUAL_USER;
    return lack(`has the key ${key}, which goes with attach Host`);
  }
  if (mutualPassword === undefined) return lack(`has the key ${MUTUAL_USER} and no ${MUTUAL_PASSWORD}`);
  if (mutualUser === undefined) return lack(`has the key ${MUTUAL_PASSWORD} and no ${MUTUAL_USER}`);
  return { kind: 'chap', chap: { user, password, mutual: { user: mutualUser, password: mutualPassword } } };
};
