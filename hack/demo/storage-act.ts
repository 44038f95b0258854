/**
 * The part of the storage servers: a volume on three of them, a LUN on a fourth, the death of one and its healing.
 * What is true is asked of gluster, tgtadm and the guest.
 */
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { diskTargetIqn, hostInitiatorIqn } from '../../src/api/identity.ts';
import { virsh } from './host-access.ts';
import { hasCondition, type Json, listAt, named, textAt } from './json.ts';
import {
  domainOf,
  hostAccessOf,
  machineName,
  machineNamespace,
  machineOf,
  type Scene,
  type Up,
} from './scene.ts';
import { askServer, storageOf, targetLines, targetPart, volumeLines, waitingIn } from './storage-look.ts';

const volume = 'gv0';
const san = 'san';
const image = 'tiny';
const limitMs = 240_000;
const showTargets = ['tgtadm', '--lld', 'iscsi', '--op', 'show', '--mode', 'target'] as const;

const poolOf = (scene: Scene, name: string): Json | undefined => scene.follower.get('StoragePool', '', name);

const serverNames = (scene: Scene): readonly string[] =>
  storageOf(scene).parts.gluster.servers.map(({ name }) => name);

/** The server that is asked, and the one that dies. */
const firstOf = (scene: Scene): string => serverNames(scene)[0] ?? '';
const lastOf = (scene: Scene): string => serverNames(scene).at(-1) ?? '';

const must = (holds: boolean, otherwise: string): void => {
  if (!holds) throw new Error(otherwise);
};

/** Every target and file of the target server, ours or not. */
export const targetInventory = async (scene: Scene): Promise<string> => {
  const { run, target, parts } = storageOf(scene);
  const files = await run(target, ['find', dirname(parts.iscsi.folder), '/etc/tgt', '-type', 'f']);
  return `${await run(target, showTargets)}\n${files.trim().split('\n').toSorted().join('\n')}`;
};

export const untilStorageReady = async (scene: Scene): Promise<void> => {
  const isReady = (name: string): boolean => {
    const pool = poolOf(scene, name);
    return (
      hasCondition(pool, 'Ready') && textAt(pool, 'status', 'hostsReady') === `${scene.stage.hosts.length}`
    );
  };
  await scene.follower.until(
    'ready storage pools',
    () => ([volume, san].every(isReady) ? true : undefined),
    limitMs,
  );
  const info = volumeLines(await askServer(scene, firstOf(scene), 'gluster', 'volume', 'info', volume)).join(
    '\n',
  );
  scene.voice.show(info);
  must(info.includes('Number of Bricks: 1 x 3 = 3'), 'the volume has not three copies');
  for (const { address, name } of storageOf(scene).parts.gluster.servers) {
    must(info.includes(`: ${address}:`), `the volume has no brick on ${name}`);
  }
};

const diskOf = (scene: Scene, name: string): Json | undefined =>
  scene.follower.get('VirtualDisk', machineNamespace, `${machineName}.${name}`);

const bricksHold = async (scene: Scene): Promise<void> => {
  const { run, parts } = storageOf(scene);
  const file = textAt(diskOf(scene, 'root'), 'status', 'volume', 'name');
  const list = ['ls', `${parts.gluster.brickFolder}/${volume}`] as const;
  const [first, ...others] = serverNames(scene);
  const files = await askServer(scene, first ?? '', ...list);
  scene.voice.show(files);
  must(file !== '' && files.includes(file), `${file} is not on ${first}`);
  for (const server of others) {
    must((await run(server, list)) === files, `${server} has other files than ${first}`);
  }
  scene.voice.say(`${others.join(' and ')} hold the same`);
};

const targetServes = async (scene: Scene): Promise<void> => {
  const uid = textAt(diskOf(scene, 'db'), 'metadata', 'uid');
  const host = scene.follower.get('Host', '', textAt(machineOf(scene), 'status', 'host'));
  const shown = await askServer(scene, storageOf(scene).target, ...showTargets);
  const part = targetPart(shown, diskTargetIqn(uid)) ?? '';
  scene.voice.show(targetLines(part).join('\n'));
  const initiator = hostInitiatorIqn(textAt(host, 'metadata', 'uid'));
  must(part.includes(`Initiator: ${initiator} `), `the host has no session: ${initiator}`);
};

/** A shell command in the guest, and what it printed. */
const inGuest = async (scene: Scene, { serial }: Up, command: string): Promise<string> => {
  if (serial === undefined) throw new Error('the guest has no serial line');
  scene.voice.say(`${machineName} # ${command}`);
  const answer = await serial.ask(command, limitMs);
  scene.voice.show(answer);
  return answer;
};

/** Name in the guest of the disk on the LUN: it told the sizes of its disks when it was ready. */
const lunDevice = ({ serial }: Up): string => {
  const ready = serial?.lines.findLast((line) => line.startsWith('ovcp-guest ready ')) ?? '';
  const device = /\b(vd[a-z]):67108864\b/.exec(ready)?.[1];
  if (device === undefined) throw new Error(`the guest has no disk of 64 MiB: ${ready}`);
  return `/dev/${device}`;
};

/** Both disks, where their bytes are. */
export const showDisks = async (scene: Scene, up: Up): Promise<void> => {
  await bricksHold(scene);
  await targetServes(scene);
  const device = lunDevice(up);
  const kept = await inGuest(scene, up, `echo kept on a LUN > ${device}; sync; head -n 1 ${device}`);
  must(kept === 'kept on a LUN', 'the guest does not read what it wrote');
};

/** Between the partition table and the first partition of the lab's image there is room. */
const rootSector = 1500;

const killServer = async (scene: Scene, up: Up): Promise<void> => {
  const access = hostAccessOf(scene, machineOf(scene) ?? {});
  const domain = domainOf(machineOf(scene));
  const id = await virsh(access, 'domid', domain);
  const dying = lastOf(scene);
  scene.voice.say(`${dying} loses its power: glusterd, brick and sshd are gone`);
  await storageOf(scene).off(dying);
  const text = `written without ${dying}`;
  const write = `echo ${text} | dd of=/dev/vda bs=512 seek=${rootSector} conv=sync,fsync 2>/dev/null`;
  const forget = 'echo 3 > /proc/sys/vm/drop_caches';
  const read = `dd if=/dev/vda bs=512 skip=${rootSector} count=1 2>/dev/null | head -n 1`;
  const answer = await inGuest(scene, up, `${write}; ${forget}; ${read}`);
  // The guest's kernel may say a word of its own on the same line.
  must(answer.split('\n').includes(text), `the guest does not read from its root disk what it wrote`);
  must((await virsh(access, 'domid', domain)) === id, 'the machine was started anew meanwhile');
};

const untilDegraded = async (scene: Scene): Promise<void> => {
  const isDegraded = (pool: Json | undefined): boolean =>
    textAt(pool, 'status', 'health', 'state') === 'Degraded' &&
    textAt(named(listAt(pool, 'status', 'components'), 'a/a3'), 'state') === 'Down' &&
    Number(textAt(pool, 'status', 'heal', 'pending')) > 0;
  const pool = await scene.follower.until(
    'a pool that says Degraded',
    () => {
      const found = poolOf(scene, volume);
      return isDegraded(found) ? found : undefined;
    },
    limitMs,
  );
  must(hasCondition(pool, 'Ready'), 'the pool cannot be used any more');
  scene.voice.show(`Degraded: ${textAt(pool, 'status', 'health', 'message')}`);
  scene.voice.say('$ kubectl get osp');
  scene.voice.show(await scene.stage.mustKubectl(['get', 'osp']));
};

/** Gluster's own count, told whenever it changes, until nothing waits on any brick. */
const untilHealed = async (scene: Scene): Promise<void> => {
  const { run } = storageOf(scene);
  const command = ['gluster', 'volume', 'heal', volume, 'info', 'summary'] as const;
  scene.voice.say(`${firstOf(scene)} $ ${command.join(' ')}`);
  const endMs = scene.nowMs() + limitMs;
  for (let told = ''; ; ) {
    const bricks = waitingIn(await run(firstOf(scene), command));
    const now = bricks
      .map(({ entries }, at) => `${serverNames(scene)[at]}: ${entries ?? 'not connected'}`)
      .join(', ');
    if (now !== told) scene.voice.show(`entries that wait for healing, ${now}`);
    told = now;
    if (bricks.length === 3 && bricks.every(({ entries }) => entries === 0)) return;
    must(scene.nowMs() < endMs, `healing did not end: ${now}`);
    await sleep(1000, undefined, { signal: scene.signal });
  }
};

const bringBack = async (scene: Scene): Promise<void> => {
  const dead = lastOf(scene);
  await storageOf(scene).on(dead);
  scene.voice.say(`${dead} has power again`);
  await untilHealed(scene);
  await scene.follower.until(
    'a healthy pool',
    () => {
      const pool = poolOf(scene, volume);
      const isWell =
        textAt(pool, 'status', 'health', 'state') === 'Healthy' &&
        textAt(pool, 'status', 'heal', 'pending') === '0';
      return isWell ? true : undefined;
    },
    limitMs,
  );
};

/** One server of three dies and comes back. */
export const outage = async (scene: Scene, up: Up): Promise<void> => {
  const { voice } = scene;
  const dying = lastOf(scene);
  await voice.step(`the Gluster server ${dying} dies, and the machine goes on`, () => killServer(scene, up));
  await voice.step('its pool says Degraded, and why', () => untilDegraded(scene));
  await voice.step(`${dying} comes back, and all is healed`, () => bringBack(scene));
};

const untilGone = (scene: Scene, kind: string, namespace: string, name: string): Promise<true> =>
  scene.follower.until(
    `${kind} ${name} to go`,
    (it) => (it.get(kind, namespace, name) === undefined ? true : undefined),
    limitMs,
  );

/** The pools go with what was made for them; `before` is the target server's inventory of the beginning. */
export const deleteStorage = async (scene: Scene, before: string): Promise<void> => {
  const { stage, voice } = scene;
  const uid = textAt(poolOf(scene, volume), 'metadata', 'uid');
  for (const args of [
    ['delete', 'oimg', image, '-n', machineNamespace, '--wait=false'],
    ['delete', 'osp', volume, san, '--wait=false'],
  ]) {
    voice.say(`$ kubectl ${args.join(' ')}`);
    voice.show(await stage.mustKubectl(args));
  }
  await untilGone(scene, 'VirtualMachineImage', machineNamespace, image);
  for (const name of [volume, san]) await untilGone(scene, 'StoragePool', '', name);
  const volumes = await askServer(scene, firstOf(scene), 'gluster', 'volume', 'info');
  voice.show(volumes || 'No volumes present');
  must(!volumes.includes(`Volume Name: ${volume}`), 'the volume is still there');
  const { gluster } = storageOf(scene).parts;
  for (const server of serverNames(scene)) {
    const left = await askServer(scene, server, 'ls', `${gluster.brickFolder}/${volume}`);
    voice.show(left || 'nothing in it');
    // Gluster keeps the folder of a brick; in it is the mark that says which pool was mounted from it.
    const others = left.split('\n').filter((file) => file !== '' && !file.startsWith('ovcp-pool-'));
    must(others.length === 0, `files are left on ${server}: ${others.join(', ')}`);
  }
  must((await targetInventory(scene)) === before, 'the target server is not as it was');
  voice.say(`${storageOf(scene).target} is as it was: somebody else's target, and nothing of ours`);
  for (const access of stage.hosts) {
    const pools = await virsh(access, 'pool-list', '--all', '--details');
    must(!pools.includes(uid), `${access.host} still knows the volume`);
  }
};
