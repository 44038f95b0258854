/** Bad input: each test shows the sentence that a person reads. */
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isFault } from '../../src/runtime/fault.ts';
import { conditionOf, type Manifest } from './api.ts';
import { type Lab, startLab } from './lab.ts';
import {
  blank,
  card,
  disk,
  hostPool,
  machine,
  marked,
  namespace,
  network,
  secret,
  size,
  storagePool,
} from './objects.ts';
import { type Scene, setScene } from './scene.ts';

let lab: Lab;
let scene: Scene;
const lines: string[] = [];
const nobody = { allowedNamespaces: { from: 'Selector', selector: { matchLabels: { team: 'other' } } } };

beforeAll(async () => {
  lab = await startLab();
  await lab.start({ lines });
  scene = await setScene(lab, 'input');
});
afterAll(() => lab.close());

const refused = async (manifest: Manifest): Promise<string> => {
  try {
    await lab.api.create(manifest);
  } catch (error) {
    if (isFault(error)) return error.message;
    throw error;
  }
  throw new Error('it was accepted');
};

const readyOf = (name: string, reason: string) =>
  scene.told('VirtualMachine', name, 'Ready', 'False', reason).then(({ message }) => message);

const dropMachine = async (name: string): Promise<void> => {
  await lab.api.remove('VirtualMachine', name, scene.name);
  await scene.gone('VirtualMachine', name);
};

describe('what is not there and what may not be used are told alike (S10)', () => {
  it('a HostPool', async () => {
    await lab.api.apply(
      hostPool('secret-pool', [{ name: 'secret-1' }], nobody),
      machine('no-pool', scene.name, 'nowhere'),
      machine('bad-pool', scene.name, 'secret-pool'),
    );
    const [absent, forbidden] = await Promise.all([
      readyOf('no-pool', 'HostPoolNotFound'),
      readyOf('bad-pool', 'HostPoolNotFound'),
    ]);
    expect(absent).toBe('HostPool nowhere does not exist, or this namespace may not use it.');
    expect(forbidden).toBe(absent.replace('nowhere', 'secret-pool'));
    expect(lab.world.find('secret-1')?.machines.size ?? 0).toBe(0);
    await Promise.all([dropMachine('no-pool'), dropMachine('bad-pool')]);
  });

  it('a VirtualNetwork', async () => {
    await lab.api.apply(network('secret-net', scene.name, nobody));
    await scene.make('no-net', { networks: [card('eth0', 'nowhere')] });
    await scene.make('bad-net', { networks: [card('eth0', 'secret-net')] });
    const [absent, forbidden] = await Promise.all([
      readyOf('no-net', 'NetworkNotFound'),
      readyOf('bad-net', 'NetworkNotFound'),
    ]);
    expect(absent).toBe('VirtualNetwork nowhere does not exist, or this namespace may not use it.');
    expect(forbidden).toBe(absent.replace('nowhere', 'secret-net'));
    expect(scene.vm('bad-net')?.status?.host).toBeUndefined();
    await Promise.all([dropMachine('no-net'), dropMachine('bad-net')]);
  });

  it('a StoragePool, in a template and in a disk', async () => {
    await lab.api.apply(
      storagePool('secret-store', [scene.name], nobody),
      disk('no-store', scene.name, 'nowhere'),
      disk('bad-store', scene.name, 'secret-store'),
    );
    await scene.make('no-store', { disks: [blank('root', 'nowhere')] });
    await scene.make('bad-store', { disks: [blank('root', 'secret-store')] });
    for (const kind of ['VirtualMachine', 'VirtualDisk'] as const) {
      const [absent, forbidden] = await Promise.all([
        scene.told(kind, 'no-store', 'Ready', 'False', 'StoragePoolNotFound'),
        scene.told(kind, 'bad-store', 'Ready', 'False', 'StoragePoolNotFound'),
      ]);
      expect(absent.message).toBe('StoragePool nowhere does not exist, or this namespace may not use it.');
      expect(forbidden.message).toBe(absent.message.replace('nowhere', 'secret-store'));
    }
    await Promise.all([dropMachine('no-store'), dropMachine('bad-store')]);
  });

  it('a size, an image and a disk; what is made later is found', async () => {
    const { sizeRef, ...rest } = { sizeRef: { name: 'huge' } };
    expect(rest).toEqual({});
    await lab.api.apply({
      ...machine('no-size', scene.name, scene.name),
      spec: { hostPoolRef: { name: scene.name }, sizeRef },
    });
    await scene.make('no-image', { disks: [blank('root', scene.name, { imageRef: { name: 'ghost' } })] });
    await scene.make('no-disk', { disks: [{ name: 'data', diskRef: { name: 'ghost' } }] });
    expect(await readyOf('no-size', 'SizeNotFound')).toBe('VirtualMachineSize huge does not exist.');
    expect(await readyOf('no-image', 'ImageNotFound')).toBe(
      'VirtualMachineImage ghost does not exist in this namespace.',
    );
    expect(await readyOf('no-disk', 'DiskNotFound')).toBe(
      'VirtualDisk ghost does not exist in this namespace.',
    );
    await lab.api.apply(size('huge', 1, '128Mi'), disk('ghost', scene.name, scene.name));
    await scene.running('no-size');
    await scene.running('no-disk');
    await Promise.all([dropMachine('no-size'), dropMachine('no-image'), dropMachine('no-disk')]);
  });
});

it('memory above every host: says of each host why not, and starts when room comes', async () => {
  await scene.make('big', { memory: '1Ti' });
  expect(await readyOf('big', 'NoHostFits')).toBe(
    'No host fits: input.input-1: 1048576 MiB of memory wanted, 262144 MiB free (and 1 more, see status.unplaced).',
  );
  expect(scene.vm('big')?.status?.['unplaced']).toMatchObject([
    { host: 'input.input-1', reason: 'InsufficientMemory' },
    { host: 'input.input-2', reason: 'InsufficientMemory' },
  ]);
  await lab.api.patch('HostPool', scene.name, undefined, {
    spec: {
      simulated: {
        hosts: [
          { name: 'input-1', cpus: 64, memory: '2Ti' },
          { name: 'input-2', cpus: 64, memory: '256Gi' },
        ],
      },
    },
  });
  await scene.running('big');
  expect(scene.domain('big')?.host).toBe('input-1');
  await dropMachine('big');
});

it('a domain of that name which somebody else made is left alone (S11)', async () => {
  await scene.make('taken', { powerState: 'PoweredOff', disks: [{ name: 'd', diskRef: { name: 'later' } }] });
  await readyOf('taken', 'DiskNotFound');
  const uid = scene.vm('taken')?.metadata.uid ?? '';
  const foreign = lab.world.hand.defineForeign('input-1', `${scene.name}.taken.${uid.slice(0, 8)}`, {
    running: true,
  });
  await lab.api.apply(disk('later', scene.name, scene.name));
  expect(await readyOf('taken', 'NameTaken')).toBe(
    `input.input-1 has a machine named ${scene.name}.taken.${uid.slice(0, 8)} that is not ours; it is left alone.`,
  );
  expect(conditionOf(scene.vm('taken'), 'Stalled')?.status).toBe('True');
  expect(lab.world.hand.machine(foreign)?.machine.power.kind).toBe('running');
  await dropMachine('taken');
  expect(lab.world.hand.machine(foreign)?.machine.power.kind).toBe('running');
});

it('deletion protection refuses, says how to go on, and gives way', async () => {
  await scene.make('safe', { deletionProtection: true });
  await scene.running('safe');
  await expect(lab.api.remove('VirtualMachine', 'safe', scene.name)).rejects.toThrow(
    'VirtualMachine input/safe is protected: set spec.deletionProtection to false before deleting it',
  );
  await scene.patch('safe', { deletionProtection: false });
  await dropMachine('safe');
});

it('the pause annotation: nothing is done, and it is said; later all is made up for', async () => {
  await lab.api.apply(
    marked(machine('paused', scene.name, scene.name), {
      annotations: { 'ovcp.dev/paused': 'ann: moving racks' },
    }),
  );
  const told = await scene.told('VirtualMachine', 'paused', 'Paused', 'True');
  expect(told.message).toBe('Paused: ann: moving racks.');
  expect(scene.domain('paused')).toBeUndefined();
  await lab.api.patch('VirtualMachine', 'paused', scene.name, {
    metadata: { annotations: { 'ovcp.dev/paused': null } },
  });
  await scene.running('paused');
  await lab.api.patch('VirtualMachine', 'paused', scene.name, {
    metadata: { annotations: { 'ovcp.dev/paused': 'ann' } },
  });
  await scene.told('VirtualMachine', 'paused', 'Paused', 'True');
  lab.world.hand.destroy(scene.uuid('paused'));
  await scene.patch('paused', { memory: '512Mi' });
  await lab.api.until('paused status', () => scene.vm('paused')?.status?.powerState === 'PoweredOff');
  expect(scene.domain('paused')?.machine.power.kind).toBe('off');
  await lab.api.patch('VirtualMachine', 'paused', scene.name, {
    metadata: { annotations: { 'ovcp.dev/paused': null } },
  });
  await scene.running('paused');
  expect(scene.domain('paused')?.machine.running?.memoryMiB).toBe(512);
  await dropMachine('paused');
});

describe('hostile strings', () => {
  const canary = 'CANARY-d1f0c0ffee';

  it('a Secret is in no status, event or line of the log (I20, S27)', async () => {
    const mention = `#cloud-config\npassword: ${canary}\n`;
    await lab.api.apply(secret('user-data', scene.name, { userData: mention, wrong: canary }));
    const withSecret = (key: object) => ({
      disks: [blank('root', scene.name)],
      cloudInit: { hostname: 'x', ...key },
    });
    await scene.make('leaky', withSecret({ userDataSecretRef: { name: 'user-data' } }));
    await scene.make('keyless', withSecret({ networkDataSecretRef: { name: 'user-data' } }));
    await scene.running('leaky');
    expect(await readyOf('keyless', 'SecretInvalid')).toBe('Secret user-data has no key networkData.');
    await lab.api.patch('Secret', 'user-data', scene.name, {
      stringData: { networkData: `{"${canary}": [` },
    });
    await scene.patch('keyless', { memory: '300Mi' });
    await lab.api.until(
      'a verdict on bad network data',
      () => conditionOf(scene.vm('keyless'), 'Ready')?.reason !== 'SecretInvalid',
    );
    lab.world.calls.fail({ method: 'destroy', fault: 'unreachable', times: 1 });
    const events = await lab.plane.mustKubectl(['get', 'events', '-A', '-o', 'json']);
    const objects = JSON.stringify(Object.values(lab.api.stores).flatMap((store) => store.list()));
    const seeds = lab.world
      .hosts()
      .flatMap((host) => [...host.directories.values()].flatMap(({ volumes }) => [...volumes.values()]));
    // The guest does get it: the scan below would be worth nothing otherwise.
    expect(seeds.some(({ bytes }) => bytes !== undefined && Buffer.from(bytes).includes(canary))).toBe(true);
    for (const text of [canary, Buffer.from(canary).toString('base64').slice(0, 16)]) {
      expect(events).not.toContain(text);
      expect(objects).not.toContain(text);
      expect(lines.join('\n')).not.toContain(text);
    }
    await Promise.all([dropMachine('leaky'), dropMachine('keyless')]);
  });

  const nasty = ['<x/>', ']]>', '&amp;', "';--", '$(id)', '../../etc', '\u202e', '__proto__', 'constructor'];

  it('markup and prototype names in free text fields change nothing else (S2, S18)', async () => {
    const annotations = Object.fromEntries(nasty.map((text, at) => [`example.org/a${at}`, text]));
    const labels = { constructor: 'prototype', 'example.org/constructor': 'toString' };
    const manifest = marked(
      machine('nasty', scene.name, scene.name, {
        disks: [blank('constructor', scene.name)],
        networks: [card('tostring', scene.name)],
        cloudInit: {
          userData: `#cloud-config\n# ${nasty.join(' ')}\n`,
          sshAuthorizedKeys: ['ssh-ed25519 AAAA <b>&"\'$(id)'],
        },
      }),
      { annotations, labels },
    );
    await lab.api.apply(manifest, machine('constructor', scene.name, scene.name), namespace('constructor'));
    await lab.api.apply(machine('valueof', 'constructor', scene.name));
    await Promise.all([scene.running('nasty'), scene.running('constructor')]);
    await lab.api.until('a machine in namespace constructor', () => {
      const vm = lab.api.get('VirtualMachine', 'valueof', 'constructor');
      return conditionOf(vm, 'Ready')?.status === 'True';
    });
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.keys(Object.prototype)).toEqual([]);
    const shown = inspect([scene.domain('nasty')?.machine.running, scene.domain('nasty')?.machine.record], {
      depth: 9,
    });
    for (const text of nasty.slice(0, 7)) expect(shown).not.toContain(text);
    await Promise.all([dropMachine('nasty'), dropMachine('constructor')]);
    await lab.api.remove('VirtualMachine', 'valueof', 'constructor');
    await lab.api.until(
      'valueof is gone',
      () => lab.api.get('VirtualMachine', 'valueof', 'constructor') === undefined,
    );
  });

  it('fields that reach a host or a file refuse them at admission', async () => {
    const vm = (spec: object): Manifest => machine('refused', scene.name, scene.name, spec);
    for (const text of ['<x/>', ']]>', '$(id)', '../../etc', '\u202e', 'a\u0000b', 'x'.repeat(1_000_000)]) {
      for (const spec of [
        { disks: [{ ...blank('root', scene.name), name: text }] },
        { networks: [{ name: 'eth0', networkRef: { name: text } }] },
        { networks: [{ name: text, networkRef: { name: 'x' } }] },
        { cpu: { cores: 1, model: text } },
        { cloudInit: { hostname: text } },
        { hostPoolRef: { name: text } },
        { networks: [{ ...card('eth0', 'x'), macAddress: text }] },
      ]) {
        expect(await refused(vm(spec))).toMatch(
          /VirtualMachine|spec\.|metadata|Invalid|too long|limit|large/i,
        );
      }
    }
  });

  it('a guest that lies about itself is not believed', async () => {
    await scene.make('liar', { networks: [card('eth0', scene.name)] });
    await scene.running('liar');
    const { uuid, domain } = { uuid: scene.uuid('liar'), domain: scene.domain('liar') };
    const mac = domain?.machine.running?.nics[0]?.mac ?? '';
    lab.world.guests.set(uuid, {
      claims: {
        hostname: '<script>alert(1)</script>',
        os: 'x'.repeat(100_000),
        addresses: [
          { mac, ips: ['not-an-ip', '<b>', '192.168.150.9', ...Array<string>(500).fill('10.0.0.1')] },
        ],
      },
    });
    lab.world.hand.editLive(uuid, (shape) => ({ ...shape }));
    await lab.api.until(
      'the claimed address',
      () => scene.vm('liar')?.status?.['ipAddress'] === '192.168.150.9',
    );
    const status = JSON.stringify(scene.vm('liar')?.status);
    expect(status).not.toContain('script');
    expect(status).not.toContain('<b>');
    expect(status.length).toBeLessThan(8_000);
    await dropMachine('liar');
  });
});

it('keeps every invariant meanwhile', () => {
  expect(lab.checker.atRest()).toEqual([]);
});
