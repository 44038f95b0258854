/** First act: the quickstart is applied, and the machine is followed until it runs and has an address. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listen, virsh } from './host-access.ts';
import { conditionOf, hasCondition, type Json, listAt, textAt } from './json.ts';
import { fillSamples, readSamples } from './quickstart.ts';
import {
  domainOf,
  hostAccessOf,
  machineName,
  machineNamespace,
  machineOf,
  type Scene,
  type Up,
} from './scene.ts';
import { shortPath } from './stage.ts';
import { showDisks, targetInventory, untilStorageReady } from './storage-act.ts';

/** Writes what is applied where a person can read it, and says what differs from the samples. */
const applyQuickstart = async ({ stage, voice }: Scene): Promise<void> => {
  const folder = join(stage.dir, 'quickstart');
  mkdirSync(folder, { recursive: true });
  const { demoHosts: hosts, image, storage } = stage;
  const samples = readSamples(storage !== undefined);
  const filled = fillSamples(samples, { hosts, image, storage: storage?.parts });
  for (const { folder: origin, file, text, changes } of filled) {
    writeFileSync(join(folder, file), text);
    voice.say(`${origin}/${file}${changes.length === 0 ? '' : ', with this changed:'}`);
    if (changes.length > 0) voice.show(changes.join('\n'));
  }
  voice.say(`$ kubectl apply --server-side -f ${shortPath(folder)}`);
  voice.show(await stage.mustKubectl(['apply', '--server-side', '-f', folder]));
};

/** Ready, running and with an address: what a user waits for. */
const isUp = (machine: Json): boolean =>
  hasCondition(machine, 'Ready') &&
  textAt(machine, 'status', 'powerState') === 'PoweredOn' &&
  textAt(machine, 'status', 'ipAddress') !== '';

/** Objects that were applied together are seen one by one, so a missing reference is believed only after a while. */
const stallLimitMs = 15_000;

/** Ends a wait that cannot get better, with the object's own words. */
const stallGuard = (nowMs: () => number): ((object: Json | undefined) => void) => {
  let sinceMs: number | undefined;
  return (object) => {
    if (object === undefined || !hasCondition(object, 'Stalled')) {
      sinceMs = undefined;
      return;
    }
    sinceMs ??= nowMs();
    if (nowMs() - sinceMs < stallLimitMs) return;
    const message = textAt(conditionOf(object, 'Ready'), 'message');
    throw new Error(`${textAt(object, 'kind')} ${textAt(object, 'metadata', 'name')}: ${message}`);
  };
};

const untilMachine = (scene: Scene, what: string, accept: (machine: Json) => boolean): Promise<Json> => {
  const guard = stallGuard(scene.nowMs);
  const look = (): Json | undefined => {
    const machine = machineOf(scene);
    guard(machine);
    return machine !== undefined && accept(machine) ? machine : undefined;
  };
  return scene.follower.until(what, look, 300_000);
};

const isPlaced = (machine: Json): boolean =>
  textAt(machine, 'status', 'host') !== '' && domainOf(machine) !== '';

/** Asks virsh, and compares with what the API says. */
const askVirsh = async (scene: Scene, machine: Json): Promise<void> => {
  const { voice } = scene;
  const access = hostAccessOf(scene, machine);
  const domain = domainOf(machine);
  const ask = async (...args: readonly string[]): Promise<string> => {
    voice.say(`${access.host} $ virsh ${args.join(' ')}`);
    const answer = await virsh(access, ...args);
    voice.show(answer);
    return answer;
  };
  const [card] = listAt(machine, 'status', 'networks');
  const told = {
    list: await ask('list', '--all'),
    uuid: await ask('domuuid', domain),
    disks: await ask('domblklist', domain),
    cards: await ask('domiflist', domain),
    leases: await ask('domifaddr', domain),
  };
  const problems = [
    new RegExp(`^ *\\d+ +${domain} +running$`, 'm').test(told.list) ? '' : `${domain} does not run`,
    told.uuid.trim() === textAt(machine, 'status', 'uuid') ? '' : 'its UUID is another one',
    told.disks.includes('vda') ? '' : 'it has no disk',
    told.cards.includes(textAt(card, 'mac')) ? '' : `no card has the address ${textAt(card, 'mac')}`,
    told.leases.includes(textAt(machine, 'status', 'ipAddress')) ? '' : 'the lease is another one',
  ].filter((problem) => problem !== '');
  if (problems.length > 0) throw new Error(`virsh says otherwise: ${problems.join('; ')}`);
};

/** What the guest announced: `ovcp-guest ready hostname=web-1 ip=eth0:192.168.150.12 …`. */
const checkGuest = (line: string, machine: Json): void => {
  const address = textAt(machine, 'status', 'ipAddress');
  for (const word of [`hostname=${machineName}`, `:${address}`]) {
    if (!line.includes(word)) throw new Error(`the guest does not say ${word}: ${line}`);
  }
};

/** The pool's hosts are ready, one line each. */
const untilHostsReady = (scene: Scene): Promise<Json> => {
  const { demoHosts } = scene.stage;
  const pool = demoHosts.kind === 'own' ? demoHosts.pool : 'kvm';
  return scene.follower.until(
    `HostPool ${pool}`,
    (it) => {
      const object = it.get('HostPool', '', pool);
      return object !== undefined && hasCondition(object, 'Ready') ? object : undefined;
    },
    120_000,
  );
};

const untilImageReady = (scene: Scene): Promise<true> =>
  scene.follower.until(
    'a copied image',
    (it) =>
      hasCondition(it.get('VirtualMachineImage', machineNamespace, 'tiny'), 'Ready') ? true : undefined,
    300_000,
  );

export const bringUpMachine = async (scene: Scene): Promise<Up> => {
  const { stage, voice, signal } = scene;
  const targetBefore = stage.storage === undefined ? undefined : await targetInventory(scene);
  await voice.step('the quickstart is applied', () => applyQuickstart(scene));
  await voice.step('the hosts are ready', () => untilHostsReady(scene));
  if (stage.storage !== undefined) {
    await voice.step('a volume is made on three servers, and mounted on the hosts', () =>
      untilStorageReady(scene),
    );
    await voice.step('the image is copied to the volume', () => untilImageReady(scene));
  }
  const placed = await voice.step('the machine has a host', () =>
    untilMachine(scene, 'a host for the machine', isPlaced),
  );
  const serial = stage.guestSpeaks
    ? listen(hostAccessOf(scene, placed), domainOf(placed), signal)
    : undefined;
  const machine = await voice.step('the machine runs and has an address', () =>
    untilMachine(scene, 'a running machine with an address', isUp),
  );
  if (serial !== undefined) {
    await voice.step("the guest's own serial line", async () => {
      const line = await serial.next(/ovcp-guest ready /, 0, 120_000);
      voice.show(line);
      checkGuest(line, machine);
    });
  }
  if (stage.hosts.length > 0) {
    await voice.step('virsh on the host says the same', () => askVirsh(scene, machine));
  }
  const up: Up = { machine, serial, targetBefore };
  if (stage.storage !== undefined) {
    await voice.step('its disks are on the storage servers', () => showDisks(scene, up));
  }
  return up;
};

/** The part of `kubectl describe` that tells what happened: conditions, one to a line, and events. */
export const showStory = async (scene: Scene): Promise<void> => {
  const { stage, voice } = scene;
  const conditions = listAt(machineOf(scene), 'status', 'conditions').map((each) =>
    [
      textAt(each, 'type').padEnd(20),
      textAt(each, 'status').padEnd(6),
      textAt(each, 'reason').padEnd(18),
      textAt(each, 'message'),
    ].join(' '),
  );
  const described = await stage.mustKubectl(['describe', 'ovm', machineName, '-n', machineNamespace]);
  voice.say(`$ kubectl describe ovm ${machineName} -n ${machineNamespace}     (conditions and events)`);
  voice.show([...conditions, described.slice(described.indexOf('\nEvents:') + 1)].join('\n'));
};
