/** Sessions to hosts of the lab, and what is asked of each. */
import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { KvmHost } from '../../../hack/lab/kvm-host.ts';
import { type LibvirtSession, openLibvirtSession } from '../../../src/wire/libvirt/session.ts';
import { createStoragePools } from '../../../src/wire/libvirt/storage-pools.ts';
import { parseLibvirtUri } from '../../../src/wire/libvirt/uri.ts';
import { createVolumes } from '../../../src/wire/libvirt/volumes.ts';

export const never = new AbortController().signal;
const MiB = 1_048_576;

export type Change = Partial<Parameters<typeof openLibvirtSession>[0]>;

export const open = (
  host: KvmHost,
  uri: string | undefined,
  change: Change = {},
): Promise<LibvirtSession> => {
  const { credentials } = host;
  const { ca, clientCert: cert, clientKey: key } = credentials.tls;
  const ssh = { hostKeys: credentials.sshKnownHosts, privateKey: credentials.sshPrivateKey };
  return openLibvirtSession(
    { uri: parseLibvirtUri(uri ?? ''), ssh, tls: { ca, cert, key }, ...change },
    never,
  );
};

export const using = async <T>(
  session: LibvirtSession,
  work: (session: LibvirtSession) => Promise<T>,
): Promise<T> => {
  try {
    return await work(session);
  } finally {
    await session.close();
  }
};

const pattern = (blocks: number): Buffer[] =>
  Array.from({ length: blocks }, (_, index) => Buffer.alloc(300_001, index + 1));

const collect = async (source: AsyncIterable<Uint8Array | { hole: number }>): Promise<string> => {
  const hash = createHash('sha256');
  for await (const chunk of source)
    hash.update(chunk instanceof Uint8Array ? chunk : Buffer.alloc(chunk.hole));
  return hash.digest('hex');
};

export const roundTrip = async (host: KvmHost, session: LibvirtSession, sparse: boolean): Promise<void> => {
  const pools = createStoragePools(session.call);
  const volumes = createVolumes(session.call, session.streams);
  const path = `${host.diskDir}/wire-${sparse}`;
  const pool = await pools.defineXml(
    `<pool type='dir'><name>wire-${sparse}</name><target><path>${path}</path></target></pool>`,
    never,
  );
  await pools.build(pool, 0, never);
  await pools.start(pool, 0, never);
  const size = 8 * MiB;
  const xml = `<volume><name>v</name><capacity>${size}</capacity><allocation>0</allocation></volume>`;
  const volume = await volumes.createXml(pool, xml, 0, never);
  const blocks = pattern(10);
  const rest = size - blocks.length * 300_001;
  const source = async function* () {
    yield* blocks;
    if (sparse) yield { hole: rest };
  };
  const wanted = createHash('sha256')
    .update(Buffer.concat([...blocks, Buffer.alloc(rest)]))
    .digest('hex');
  await volumes.upload(volume, { offset: 0, length: 0, sparse }, source(), never);
  expect(await collect(volumes.download(volume, { offset: 0, length: 0, sparse }, never))).toBe(wanted);
  const seen = await host.exec(['sha256sum', `${path}/v`]);
  expect(seen.stdout.split(' ')[0]).toBe(wanted);
  await volumes.delete(volume, never);
  await pools.destroy(pool, never);
  await pools.undefine(pool, never);
};
