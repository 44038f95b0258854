/** Second act: the machine changes, heals, stops, starts and goes away; each step is checked on its host. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { repositoryRoot } from '../lab/operator.ts';
import { virsh, virshOrNothing } from './host-access.ts';
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
import { deleteStorage, outage } from './storage-act.ts';

/** Paths of what the tour applies, as a user types them. */
export const tourFiles = {
  dataDisk: 'deploy/samples/tour/data-disk.yaml',
  attach: 'deploy/samples/tour/attach-data-disk.yaml',
} as const;

const limitMs = 180_000;
const inNamespace = ['-n', machineNamespace];

const kubectl = async ({ stage, voice }: Scene, ...args: readonly string[]): Promise<void> => {
  voice.say(`$ kubectl ${args.map((each) => (/[{ ]/.test(each) ? `'${each}'` : each)).join(' ')}`);
  voice.show(await stage.mustKubectl(args));
};

const patchMachine = (scene: Scene, spec: object): Promise<void> =>
  kubectl(scene, 'patch', 'ovm', machineName, ...inNamespace, '--type=merge', '-p', JSON.stringify({ spec }));

const untilMachine = (scene: Scene, what: string, accept: (machine: Json) => boolean): Promise<Json> =>
  scene.follower.until(
    what,
    () => {
      const machine = machineOf(scene);
      return machine !== undefined && accept(machine) ? machine : undefined;
    },
    limitMs,
  );

const power = (machine: Json): string => textAt(machine, 'status', 'powerState');

/** The number of times the guest has booted, by its own count on its disk. */
const bootsIn = (line: string): number => Number(/ boots=(\d+)/.exec(line)?.[1] ?? 0);

/** Lines of the serial port that come after what is done next. */
const mark = (up: Up): number => up.serial?.lines.length ?? 0;

/** virsh says so, now or soon: host events and API writes are not one moment. */
const virshSays = async (
  scene: Scene,
  what: string,
  args: readonly string[],
  accept: (text: string) => boolean,
): Promise<void> => {
  if (scene.stage.hosts.length === 0) return;
  const access = hostAccessOf(scene, machineOf(scene) ?? {});
  const endMs = scene.nowMs() + 120_000;
  for (;;) {
    const text = await virshOrNothing(access, ...args);
    if (accept(text)) {
      scene.voice.say(`${access.host} $ virsh ${args.join(' ')}`);
      scene.voice.show(text);
      return;
    }
    if (scene.nowMs() > endMs) throw new Error(`${what}: virsh ${args.join(' ')} says\n${text}`);
    await sleep(200, undefined, { signal: scene.signal });
  }
};

const attachDisk = async (scene: Scene, up: Up): Promise<void> => {
  const from = mark(up);
  // On storage servers the machine has a second disk already.
  const device = scene.stage.storage === undefined ? 'vdb' : 'vdc';
  const attach = readFileSync(join(repositoryRoot, tourFiles.attach), 'utf8');
  scene.voice.show(attach);
  await kubectl(scene, 'apply', '--server-side', '-f', tourFiles.dataDisk);
  await kubectl(scene, 'apply', '--server-side', '--field-manager=tour', '-f', tourFiles.attach);
  await untilMachine(scene, 'the attached disk', (it) => {
    const disk = named(listAt(it, 'status', 'disks'), 'data');
    return disk?.['attached'] === true && hasCondition(it, 'Ready');
  });
  await virshSays(scene, 'the data disk', ['domblklist', domainOf(machineOf(scene))], (text) =>
    text.split(/\s+/).includes(device),
  );
  if (up.serial === undefined) return;
  const line = await up.serial.next(new RegExp(`ovcp-guest changed .*disks=\\S*${device}:`), from, limitMs);
  scene.voice.show(line);
  if (bootsIn(line) !== 1) throw new Error(`the guest was restarted for it: ${line}`);
};

const healAfterDestroy = async (scene: Scene, up: Up): Promise<void> => {
  const machine = machineOf(scene) ?? {};
  const access = hostAccessOf(scene, machine);
  const domain = domainOf(machine);
  const id = (await virsh(access, 'domid', domain)).trim();
  scene.voice.say(`${access.host} $ virsh destroy ${domain}`);
  const destroyedMs = scene.nowMs();
  await virsh(access, 'destroy', domain);
  const from = mark(up);
  // The id of a running domain is a new one with each start.
  await virshSays(
    scene,
    'a new start',
    ['domid', domain],
    (text) => /^\d+$/.test(text.trim()) && text.trim() !== id,
  );
  scene.voice.say(`it runs again ${((scene.nowMs() - destroyedMs) / 1000).toFixed(1)} s after virsh destroy`);
  await untilMachine(
    scene,
    'the healed machine',
    (it) => power(it) === 'PoweredOn' && hasCondition(it, 'Ready'),
  );
  if (up.serial === undefined) return;
  const line = await up.serial.next(/ovcp-guest ready /, from, limitMs);
  scene.voice.show(line);
  if (bootsIn(line) < 2) throw new Error(`the guest was not started again: ${line}`);
};

const stopAndStart = async (scene: Scene): Promise<void> => {
  const domain = domainOf(machineOf(scene));
  await patchMachine(scene, { powerState: 'PoweredOff' });
  await untilMachine(
    scene,
    'the stopped machine',
    (it) => power(it) === 'PoweredOff' && hasCondition(it, 'Ready'),
  );
  await virshSays(scene, 'off', ['domstate', domain], (text) => text.trim() === 'shut off');
  await patchMachine(scene, { powerState: 'PoweredOn' });
  await untilMachine(
    scene,
    'the started machine',
    (it) => power(it) === 'PoweredOn' && hasCondition(it, 'Ready'),
  );
  await virshSays(scene, 'on', ['domstate', domain], (text) => text.trim() === 'running');
};

const untilGone = (scene: Scene, kind: string, namespace: string, name: string): Promise<true> =>
  scene.follower.until(
    `${kind} ${name} to go`,
    (it) => (it.get(kind, namespace, name) === undefined ? true : undefined),
    limitMs,
  );

/** The machine goes with the disk made for it; the disk with a life of its own stays until it is deleted itself. */
const deleteAll = async (scene: Scene, up: Up): Promise<void> => {
  const machine = machineOf(scene) ?? {};
  const domain = domainOf(machine);
  const volumeOf = (disk: string): string =>
    textAt(scene.follower.get('VirtualDisk', machineNamespace, disk), 'status', 'volume', 'name');
  const volumes = { root: volumeOf(`${machineName}.root`), data: volumeOf(`${machineName}-data`) };
  up.serial?.stop();
  await kubectl(scene, 'delete', 'ovm', machineName, ...inNamespace, '--wait=false');
  await untilGone(scene, 'VirtualMachine', machineNamespace, machineName);
  for (const disk of ['root', 'db']) {
    await untilGone(scene, 'VirtualDisk', machineNamespace, `${machineName}.${disk}`);
  }
  if (volumeOf(`${machineName}-data`) !== volumes.data) throw new Error('the data disk did not stay');
  await kubectl(scene, 'delete', 'odisk', `${machineName}-data`, ...inNamespace, '--wait=false');
  await untilGone(scene, 'VirtualDisk', machineNamespace, `${machineName}-data`);
  for (const access of scene.stage.hosts) {
    const domains = await virsh(access, 'list', '--all', '--name');
    if (domains.includes(domain)) throw new Error(`the machine is still on ${access.host}`);
    const pools = (await virsh(access, 'pool-list', '--name'))
      .split('\n')
      .filter((name) => name.trim() !== '');
    // libvirt lists what it saw last, and another host may have changed what all of them mount.
    for (const pool of pools) await virsh(access, 'pool-refresh', pool.trim());
    const files = await Promise.all(pools.map((pool) => virsh(access, 'vol-list', pool.trim())));
    scene.voice.say(`${access.host} $ virsh list --all: ${domains.trim() || 'nothing'}`);
    for (const volume of Object.values(volumes)) {
      if (volume !== '' && files.join('').includes(volume))
        throw new Error(`${volume} is still on ${access.host}`);
    }
  }
};

/** The tour ends without the machine. */
export const tour = async (scene: Scene, up: Up): Promise<void> => {
  const { voice, stage } = scene;
  const real = stage.hosts.length > 0;
  await voice.step('a data disk is attached while the machine runs', () => attachDisk(scene, up));
  await voice.step('the machine is stopped and started', () => stopAndStart(scene));
  // The guest still boots: what it says then, it says after both.
  if (real) await voice.step('virsh destroy behind our back: it heals', () => healAfterDestroy(scene, up));
  if (stage.storage !== undefined) await outage(scene, up);
  await voice.step(`the machine is deleted${real ? ', and gone from its host' : ''}`, () =>
    deleteAll(scene, up),
  );
  const { targetBefore } = up;
  if (targetBefore !== undefined) {
    await voice.step('the storage is deleted, and only brick folders are left on its servers', () =>
      deleteStorage(scene, targetBefore),
    );
  }
};
