import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './process.ts';

/** Paths of a PEM certificate and its unencrypted PKCS #8 key. */
export type KeyPairPaths = { certPath: string; keyPath: string };

export type CertificateRequest = {
  /** File name without ending; also the folder's only trace of this certificate. */
  file: string;
  commonName: string;
  organizations?: readonly string[];
  /** OpenSSL's notation: `DNS:node1`, `IP:192.0.2.2`. */
  alternativeNames?: readonly string[];
  usage: 'client' | 'server';
  /** Validity window; default from an hour ago to ten years from now. */
  validity?: { from: Date; to: Date };
};

export type Authority = {
  caPath: string;
  caPem: () => Promise<string>;
  issue: (request: CertificateRequest) => Promise<KeyPairPaths>;
};

/** openssl's subject notation; a slash or a plus sign would start a new attribute. */
const subject = (commonName: string, organizations: readonly string[]): string =>
  [...organizations.map((name) => ['O', name]), ['CN', commonName]]
    .map(([key = '', value = '']) => `/${key}=${value.replaceAll(/[\\/+=]/g, '\\$&')}`)
    .join('');

/** ASN.1 time as `openssl ca` takes it: YYYYMMDDHHMMSSZ. */
const asn1Time = (date: Date): string => `${date.toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`;

const caConfig = (folder: string): string =>
  [
    '[req]\ndistinguished_name = dn\nprompt = no\n[dn]\n',
    '[authority]\nbasicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign\nsubjectKeyIdentifier = hash\n',
    '[ca]\ndefault_ca = lab\n[lab]\n',
    `new_certs_dir = ${folder}\ndefault_md = sha256\npolicy = any\nunique_subject = no\nrand_serial = yes\n`,
    '[any]\ncommonName = supplied\norganizationName = optional\n',
  ].join('');

const leafExtensions = (request: CertificateRequest): string => {
  const names = request.alternativeNames ?? [];
  return [
    '[leaf]',
    'basicConstraints = critical,CA:FALSE',
    // libvirt refuses a certificate without keyEncipherment, though an EC key has no use for it.
    'keyUsage = critical,digitalSignature,keyEncipherment',
    `extendedKeyUsage = ${request.usage}Auth`,
    ...(names.length > 0 ? [`subjectAltName = ${names.join(',')}`] : []),
    '',
  ].join('\n');
};

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** The authority that `createAuthority` made in this folder. */
export const openAuthority = (folder: string): Authority => {
  const caPath = join(folder, 'ca.crt');
  const caKey = join(folder, 'ca.key');
  const config = join(folder, 'openssl.cnf');
  const issue = async (request: CertificateRequest): Promise<KeyPairPaths> => {
    const base = join(folder, request.file);
    const [certPath, keyPath, csrPath, extensions] = [
      `${base}.crt`,
      `${base}.key`,
      `${base}.csr`,
      `${base}.ext`,
    ];
    const from = request.validity?.from ?? new Date(Date.now() - 3_600_000);
    const to = request.validity?.to ?? new Date(Date.now() + 3650 * 86_400_000);
    // Each certificate has a database of its own, so that several can be signed at once.
    const database = `${base}.index`;
    writeFileSync(database, '');
    writeFileSync(extensions, leafExtensions(request));
    await run([
      'openssl',
      'req',
      '-new',
      '-config',
      config,
      ...newKey,
      '-keyout',
      keyPath,
      '-out',
      csrPath,
      '-subj',
      subject(request.commonName, request.organizations ?? []),
    ]);
    const own = `${base}.cnf`;
    writeFileSync(own, caConfig(folder).replace('[lab]\n', `[lab]\ndatabase = ${database}\n`));
    await run([
      'openssl',
      'ca',
      '-batch',
      '-notext',
      '-config',
      own,
      '-cert',
      caPath,
      '-keyfile',
      caKey,
      '-extfile',
      extensions,
      '-extensions',
      'leaf',
      '-startdate',
      asn1Time(from),
      '-enddate',
      asn1Time(to),
      '-in',
      csrPath,
      '-out',
      certPath,
    ]);
    return { certPath, keyPath };
  };
  return { caPath, caPem: () => readFile(caPath, 'utf8'), issue };
};

/**
 * A certificate authority of the lab's own in `folder` (P-256 keys). `openssl ca` signs, because in OpenSSL 3.0
 * it alone takes explicit start and end times, which the tests of expired certificates need.
 */
export const createAuthority = async (folder: string, name: string): Promise<Authority> => {
  const config = join(folder, 'openssl.cnf');
  writeFileSync(config, caConfig(folder));
  await run([
    'openssl',
    'req',
    '-x509',
    '-config',
    config,
    '-extensions',
    'authority',
    ...newKey,
    '-keyout',
    join(folder, 'ca.key'),
    '-out',
    join(folder, 'ca.crt'),
    '-days',
    '3650',
    '-subj',
    subject(name, []),
  ]);
  return openAuthority(folder);
};
