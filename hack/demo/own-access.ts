/** How virsh on this machine reaches the user's own hosts: with the very credentials that the operator gets. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeSshCommand } from '../lab/kvm-host-credentials.ts';
import { operatorNamespace } from '../lab/manifests.ts';
import type { HostAccess } from './host-access.ts';
import { at, type Json, listAt, textAt } from './json.ts';

type ReadSecret = (name: string) => Promise<Json>;

/** `kubectl get secret` as an object. */
export const secretReader =
  (mustKubectl: (args: readonly string[]) => Promise<string>): ReadSecret =>
  async (name) =>
    JSON.parse(await mustKubectl(['get', 'secret', name, '-n', operatorNamespace, '-o', 'json'])) as Json;

const writeKeys = (folder: string, secret: Json, files: Readonly<Record<string, string>>): void => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const [key, file] of Object.entries(files)) {
    const value = at(secret, 'data', key);
    if (typeof value !== 'string')
      throw new Error(`Secret ${textAt(secret, 'metadata', 'name')} has no ${key}`);
    writeFileSync(join(folder, file), Buffer.from(value, 'base64'), { mode: 0o600 });
  }
};

/** Parameters of virsh's URI, by its transport. Keys are written to `folder`, for the owner alone. */
const parametersOf = async (uri: string, folder: string, secret: () => Promise<Json>): Promise<string[]> => {
  if (/^\w+\+ssh:/.test(uri)) {
    writeKeys(folder, await secret(), { 'ssh-privatekey': 'key', known_hosts: 'known_hosts' });
    const command = writeSshCommand(folder, { sshKnownHostsPath: join(folder, 'known_hosts') });
    return [`command=${encodeURIComponent(command)}`, `keyfile=${encodeURIComponent(join(folder, 'key'))}`];
  }
  if (/^\w+\+tls:/.test(uri)) {
    const files = { 'ca.crt': 'cacert.pem', 'tls.crt': 'clientcert.pem', 'tls.key': 'clientkey.pem' };
    writeKeys(folder, await secret(), files);
    return [`pkipath=${encodeURIComponent(folder)}`];
  }
  return [];
};

/** One access for each host of a libvirt pool; none for a simulated one. */
export const accessesOf = async (pool: Json, dir: string, read: ReadSecret): Promise<HostAccess[]> => {
  const poolName = textAt(pool, 'metadata', 'name');
  const made: HostAccess[] = [];
  for (const host of listAt(pool, 'spec', 'libvirt', 'hosts')) {
    const [name, uri] = [textAt(host, 'name'), textAt(host, 'uri')];
    const secretName = textAt(host, 'credentialsSecretRef', 'name');
    const parameters = await parametersOf(uri, join(dir, 'hosts', name), () => read(secretName));
    const joined = parameters.length === 0 ? '' : `${uri.includes('?') ? '&' : '?'}${parameters.join('&')}`;
    made.push({ host: `${poolName}.${name}`, uri: uri + joined, shell: `virsh -c '${uri}${joined}'` });
  }
  return made;
};
