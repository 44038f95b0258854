import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Authority, createAuthority } from './certificates.ts';
import { run } from './process.ts';

/** PEM texts and the files that hold them. `folder` is laid out as libvirt's `pkipath` wants it. */
export type TlsClient = { ca: string; clientCert: string; clientKey: string; folder: string };

export type HostCredentials = {
  sshUser: 'root';
  /** OpenSSH private key (PEM), accepted for root and for the unprivileged account. */
  sshPrivateKey: string;
  sshPrivateKeyPath: string;
  /** `ssh-ed25519 AAAA…`: the host's public key. */
  sshHostKey: string;
  /** The same as a known_hosts line for the host's address. */
  sshKnownHosts: string;
  sshKnownHostsPath: string;
  tls: TlsClient;
};

/** What all hosts of one lab share: one authority, one client key pair of each sort. */
export type LabCredentials = {
  authority: Authority;
  sshKeyPath: string;
  authorizedKeysPath: string;
  tlsClient: TlsClient;
};

const sshKey = async (path: string, comment: string): Promise<void> => {
  await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', path]);
};

export const createLabCredentials = async (folder: string): Promise<LabCredentials> => {
  const client = join(folder, 'client');
  mkdirSync(client, { recursive: true });
  const sshKeyPath = join(folder, 'id_ed25519');
  const [authority] = await Promise.all([
    createAuthority(folder, 'OVCP lab hosts'),
    sshKey(sshKeyPath, 'ovcp-lab'),
  ]);
  const pair = await authority.issue({
    file: 'libvirt-client',
    commonName: 'ovcp-operator',
    usage: 'client',
  });
  copyFileSync(authority.caPath, join(client, 'cacert.pem'));
  copyFileSync(pair.certPath, join(client, 'clientcert.pem'));
  copyFileSync(pair.keyPath, join(client, 'clientkey.pem'));
  const authorizedKeysPath = join(folder, 'authorized_keys');
  copyFileSync(`${sshKeyPath}.pub`, authorizedKeysPath);
  const [ca, clientCert, clientKey] = await Promise.all(
    [authority.caPath, pair.certPath, pair.keyPath].map((path) => readFile(path, 'utf8')),
  );
  const tlsClient = {
    ca: ca ?? '',
    clientCert: clientCert ?? '',
    clientKey: clientKey ?? '',
    folder: client,
  };
  return { authority, sshKeyPath, authorizedKeysPath, tlsClient };
};

export type HostKeys = {
  sshHostKeyPath: string;
  tls: { ca: string; cert: string; key: string };
  credentials: HostCredentials;
};

/** A host's own SSH key and server certificate (names: its name and its address). */
export const createHostKeys = async (
  lab: LabCredentials,
  folder: string,
  name: string,
  address: string,
): Promise<HostKeys> => {
  const sshHostKeyPath = join(folder, 'ssh_host_ed25519_key');
  const [, server] = await Promise.all([
    sshKey(sshHostKeyPath, name),
    lab.authority.issue({
      file: `host-${name}`,
      commonName: name,
      usage: 'server',
      alternativeNames: [`DNS:${name}`, `IP:${address}`],
    }),
  ]);
  const publicKey = (await readFile(`${sshHostKeyPath}.pub`, 'utf8')).trim().split(' ').slice(0, 2).join(' ');
  const sshKnownHosts = `${address} ${publicKey}\n`;
  const sshKnownHostsPath = join(folder, 'known_hosts');
  writeFileSync(sshKnownHostsPath, sshKnownHosts);
  return {
    sshHostKeyPath,
    tls: { ca: lab.authority.caPath, cert: server.certPath, key: server.keyPath },
    credentials: {
      sshUser: 'root',
      sshPrivateKey: await readFile(lab.sshKeyPath, 'utf8'),
      sshPrivateKeyPath: lab.sshKeyPath,
      sshHostKey: publicKey,
      sshKnownHosts,
      sshKnownHostsPath,
      tls: lab.tlsClient,
    },
  };
};

/**
 * A one-line `ssh` for virsh that pins the host key: the `known_hosts` URI parameter exists for libvirt's
 * libssh transports only (drvremote.rst), while `command` exists for the plain one.
 */
export const writeSshCommand = (
  folder: string,
  credentials: Pick<HostCredentials, 'sshKnownHostsPath'>,
): string => {
  const path = join(folder, 'ssh-pinned');
  const options = `-o BatchMode=yes -o StrictHostKeyChecking=yes -o GlobalKnownHostsFile=/dev/null -o IdentitiesOnly=yes -o 'UserKnownHostsFile="${credentials.sshKnownHostsPath}"'`;
  writeFileSync(path, `#!/bin/sh\nexec ssh -F none ${options} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
};
