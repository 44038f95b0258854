/** A real tgtd, pools on it, and what the tests of tgt look at beside them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { expect } from 'vitest';
import { type IscsiTarget, startIscsiTarget } from '../../../hack/lab/iscsi-target.ts';
import type {
  DiskIdentity,
  DiskServer,
  IscsiWish,
  PoolIdentity,
  ServedDisk,
  ServerEndpoint,
  StorageServer,
} from '../../../src/drivers/storage/contract.ts';
import { createIscsiDriver } from '../../../src/drivers/storage/iscsi/driver.ts';
import { backingName } from '../../../src/drivers/storage/iscsi/names.ts';
import { createServerLinks } from '../../../src/drivers/storage/server-link.ts';
import { connectSsh, type SshSession } from '../../../src/wire/ssh/session.ts';
import { hostA, hostB, settlePool } from '../../contract/disk-server-fixture.ts';
import { freshUid, mib, never } from '../../contract/fixture.ts';
import { endpointOf, wishOf } from '../../contract/fixtures/tgt.ts';

/** Secrets that must be found nowhere but where they belong. */
export const canary = 'canary-7f3a91c2e5d8';
export const laterCanary = 'canary-later-0b64e1f9';
export const chap = { user: 'ovcp', password: canary };
const size = 8 * mib;

export interface Pool {
  readonly server: StorageServer;
  readonly disks: DiskServer;
}

interface Channels {
  open: number;
  most: number;
}

/** As the operator dials, with a count of the channels in use. */
const counting =
  (channels: Channels) =>
  async ({ ssh }: ServerEndpoint, signal: AbortSignal): Promise<SshSession> => {
    const options = {
      host: ssh.host,
      port: ssh.port,
      user: ssh.user,
      hostKeys: ssh.credentials.sshKnownHosts ?? '',
      privateKey: ssh.credentials.sshPrivateKey ?? '',
    };
    const session = await connectSsh(options, signal);
    return {
      ...session,
      exec: async (argv, signal) => {
        channels.open += 1;
        channels.most = Math.max(channels.most, channels.open);
        const channel = await session.exec(argv, signal);
        channel.once('close', () => {
          channels.open -= 1;
        });
        return channel;
      },
    };
  };

/** Another name is another pool. */
export const identityOf = (poolName: string): PoolIdentity => ({
  clusterId: 'integration',
  poolUid: `00000000-0000-4000-8000-${Buffer.from(poolName).toString('hex').padStart(12, '0').slice(0, 12)}`,
  poolName,
});

export const confOf = ({ diskUid }: DiskIdentity): string => `/etc/tgt/conf.d/${backingName(diskUid)}.conf`;

export const make = async ({ disks }: Pool, ...hosts: string[]): Promise<DiskIdentity> => {
  const disk = { diskUid: freshUid() };
  await disks.take(disk, { kind: 'createBlank', sizeBytes: size }, never);
  for (const iqn of hosts) await disks.take(disk, { kind: 'publish', initiator: { iqn } }, never);
  return disk;
};

export const drop = async ({ disks }: Pool, ...all: DiskIdentity[]): Promise<void> => {
  for (const disk of all) {
    for (const iqn of [hostA, hostB]) await disks.take(disk, { kind: 'revoke', initiator: { iqn } }, never);
    await disks.take(disk, { kind: 'delete' }, never);
  }
};

export const servedOf = async ({ disks }: Pool, disk: DiskIdentity): Promise<ServedDisk> => {
  const sight = await disks.see(disk, never);
  if (sight.kind === 'absent') throw new Error('absent');
  return sight.served;
};

export const startWorld = async () => {
  const dir = mkdtempSync('/tmp/ovcp-tgt-');
  const lab: IscsiTarget = await startIscsiTarget({ dir });
  const channels: Channels = { open: 0, most: 0 };
  /** Everything that was thrown at us or said to us, for the search for secrets. */
  const said: string[] = [];
  const driver = createIscsiDriver(createServerLinks(counting(channels)));
  const open = (
    folder: string,
    more: Partial<IscsiWish> = {},
    as: { readonly poolName?: string; readonly endpoint?: ServerEndpoint } = {},
  ): Pool => {
    const wish = wishOf(lab, folder, { chap, ...more });
    const identity = identityOf(as.poolName ?? folder);
    const server = driver.open({ identity, wish, endpoints: [as.endpoint ?? endpointOf(lab)] });
    if (server.disks === undefined) throw new Error('no disks');
    return { server, disks: server.disks };
  };
  return {
    dir,
    lab,
    channels,
    said,
    open,
    /** The pool with everything done that its plan wants. */
    prepared: async (folder: string, more: Partial<IscsiWish> = {}): Promise<Pool> => {
      const pool = open(folder, more);
      await settlePool(pool.server);
      return pool;
    },
    /** The Fault a call ends with. */
    rejection: async (promise: Promise<unknown>): Promise<Record<string, unknown>> => {
      const error = await promise.then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(error).toMatchObject({ name: 'Fault' });
      said.push(String(error), JSON.stringify(error), String((error as Error).stack));
      return error as Record<string, unknown>;
    },
    healthOf: async ({ server }: Pool) => {
      const plan = server.plan(await server.see(never));
      said.push(JSON.stringify(plan));
      return { kind: plan.kind, ...plan.health };
    },
    backingOf: (folder: string, { diskUid }: DiskIdentity): string =>
      `${lab.lunFolder}/${folder}/${backingName(diskUid)}.raw`,
    /** Standard output of a program on the server. */
    text: async (...argv: string[]): Promise<string> => (await lab.exec(argv)).stdout,
    stop: async (): Promise<void> => {
      await lab.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
};

export type World = Awaited<ReturnType<typeof startWorld>>;
