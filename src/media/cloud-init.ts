import { stringify } from 'yaml';
import { Fault } from '../runtime/fault.ts';
import { hasStaticSettings, networkDocument, type SeedInterface } from './cloud-network.ts';
import { buildIso, type IsoFile } from './iso9660.ts';

export type { SeedInterface } from './cloud-network.ts';

/** What a machine's cloud-init gets. Texts are the user's own and go in as they are. */
export interface Seed {
  /** Changes when cloud-init should run as on a first boot; from the machine's uid. */
  readonly instanceId: string;
  readonly hostname: string;
  readonly sshAuthorizedKeys: readonly string[];
  readonly userData?: string;
  readonly networkConfig?: string;
  readonly interfaces?: readonly SeedInterface[];
  readonly vendorData?: string;
}

/** Limits in bytes of UTF-8. A NoCloud seed has none of its own; these keep Secrets and uploads small. */
export const seedLimits = {
  userDataBytes: 64 * 1024,
  vendorDataBytes: 64 * 1024,
  networkConfigBytes: 16 * 1024,
  metaDataBytes: 32 * 1024,
} as const;

const invalid = (message: string): Fault => new Fault('invalid', message, { reason: 'CloudInitInvalid' });

/** The first lines by which cloud-init tells what it has got (its documentation, "User data formats"). */
const userDataStart =
  /^(?:#cloud-config|#cloud-boothook|#include|#part-handler|#upstart-job|## template: ?jinja|#!|content-type:|mime-version:|from )/i;

const checkText = (what: string, text: string): void => {
  // cloud-init ignores what it does not recognise, and the user would look for the reason in vain.
  if (!userDataStart.test(text))
    throw invalid(
      `the cloud-init ${what} starts neither with #cloud-config, #! nor another type cloud-init knows`,
    );
};

const checkIdentity = ({ instanceId, hostname, sshAuthorizedKeys }: Seed): void => {
  if (!/^[A-Za-z0-9._-]{1,128}$/.test(instanceId)) throw invalid('the cloud-init instance id is malformed');
  const labels = hostname.split('.');
  if (
    hostname.length > 253 ||
    !labels.every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(label))
  )
    throw invalid('the host name is malformed');
  // A line break would smuggle further lines into authorized_keys.
  if (!sshAuthorizedKeys.every((key) => /^[^\p{C}\p{Zl}\p{Zp}]{16,16384}$/u.test(key)))
    throw invalid('an SSH authorized key is malformed');
};

const limited = (name: string, text: string, limitBytes: number): IsoFile => {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.byteLength > limitBytes)
    throw new Fault('invalid', `the cloud-init ${name} is over its limit of ${limitBytes} bytes`, {
      reason: 'CloudInitTooLarge',
    });
  return { name, bytes };
};

const toYaml = (document: object): string =>
  stringify(document, { lineWidth: 0, aliasDuplicateObjects: false });

const networkText = ({ networkConfig, interfaces = [] }: Seed): string | undefined => {
  if (networkConfig !== undefined && interfaces.some(hasStaticSettings))
    throw invalid(
      'network cards have static addresses and cloud-init has a network-config of its own; keep one',
    );
  if (networkConfig !== undefined) return networkConfig;
  return interfaces.length === 0 ? undefined : toYaml(networkDocument(interfaces));
};

/**
 * The files of a NoCloud seed (cloudinit.readthedocs.io, "NoCloud").
 *
 * Host name and SSH keys always go into meta-data and never into user-data: the user's own text stays as it is,
 * byte for byte, whether it is YAML, a script or MIME, and cloud-init joins the two itself. Keys of meta-data and
 * of user-data's `ssh_authorized_keys` are both installed (cc_ssh), and a `hostname` in user-data wins over
 * `local-hostname` (cc_set_hostname). Vendor data could do neither for keys without being replaced by the user's.
 * @throws Fault `invalid` CloudInitTooLarge or CloudInitInvalid; messages never quote the texts
 */
export const renderSeed = (seed: Seed): readonly IsoFile[] => {
  checkIdentity(seed);
  const { userData = '#cloud-config\n{}\n', vendorData } = seed;
  const metaData = toYaml({
    'instance-id': seed.instanceId,
    'local-hostname': seed.hostname,
    ...(seed.sshAuthorizedKeys.length > 0 ? { 'public-keys': [...seed.sshAuthorizedKeys] } : {}),
  });
  const files = [
    limited('meta-data', metaData, seedLimits.metaDataBytes),
    limited('user-data', userData, seedLimits.userDataBytes),
  ];
  checkText('user-data', userData);
  const network = networkText(seed);
  if (network !== undefined) files.push(limited('network-config', network, seedLimits.networkConfigBytes));
  if (vendorData === undefined) return files;
  files.push(limited('vendor-data', vendorData, seedLimits.vendorDataBytes));
  checkText('vendor-data', vendorData);
  return files;
};

/** The seed as a CD image that cloud-init finds by its label; the same seed gives the same bytes. */
export const buildSeedIso = (seed: Seed): Uint8Array =>
  buildIso({ label: 'cidata', files: renderSeed(seed) });
