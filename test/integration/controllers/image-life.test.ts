import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Route } from '../../../hack/lab/http-server.ts';
import {
  conditionOf,
  copiesOf,
  type ImageLab,
  type ImageOperator,
  imageAt,
  isReady,
  mib,
  startImageLab,
  uidOf,
} from './image-lab.ts';
import { has, machine, type Thing } from './operator-lab.ts';

let lab: ImageLab;
let operator: ImageOperator;
const disk = randomBytes(mib);

beforeAll(async () => {
  lab = await startImageLab();
});
afterAll(async () => lab?.close());

const imageOf = (name: string, path: string, spec: object = {}, bytes: Uint8Array = disk) =>
  imageAt(lab, name, path, bytes, spec);

const hasCopies = (thing: Thing | undefined, count: number): boolean => {
  const all = (copiesOf(thing) ?? []) as readonly { readonly state: string }[];
  return all.length === count && all.every(({ state }) => state === 'Ready');
};

/** Half of it comes, and the rest never does. */
const half = (bytes: Uint8Array): Route => ({
  kind: 'held',
  content: { bytes },
  bytes: bytes.byteLength / 2,
  until: new Promise(() => undefined),
});

describe('an operator that ends and starts again', () => {
  afterEach(async () => operator.kill());

  it('begins an interrupted import anew', async () => {
    operator = await lab.startImages();
    const bytes = randomBytes(4 * mib);
    lab.server.setRoute('/slow', half(bytes));
    await lab.apply(imageOf('slow', '/slow', {}, bytes));
    const begun = await lab.image('slow', (it) => /"percent":[1-9]/.test(JSON.stringify(it?.status ?? {})));
    expect(copiesOf(begun)).toMatchObject([{ host: 'kvm.n2', state: 'Importing' }]);
    expect(has(begun, 'Reconciling', 'True', 'Importing')).toBe(true);
    await operator.kill();
    expect(lab.file('kvm.n2', uidOf(begun))).toMatchObject({ complete: false });
    lab.serve('/slow', bytes);
    operator = await lab.startImages();
    const image = await lab.image('slow', isReady);
    expect(copiesOf(image)).toEqual([{ host: 'kvm.n2', state: 'Ready' }]);
    expect(lab.file('kvm.n2', uidOf(image))).toMatchObject({ complete: true, sizeBytes: 4 * mib });
  });

  it('neither writes nor fetches what is settled, and does not fetch a refused file once more', async () => {
    operator = await lab.startImages();
    lab.serve('/settled', disk);
    await lab.apply(imageOf('settled', '/settled'), imageOf('refused', '/settled', {}, randomBytes(8)));
    await lab.image('settled', isReady);
    await lab.image('refused', (it) => has(it, 'Stalled', 'True', 'ImageChecksumMismatch'));
    await operator.quiet();
    await operator.kill();
    const versions = () =>
      Promise.all(
        ['settled', 'refused'].map(
          async (name) => (await lab.get('virtualmachineimage', name, 'default'))?.metadata.resourceVersion,
        ),
      );
    const before = await versions();
    lab.world.calls.clearLog();
    operator = await lab.startImages();
    await operator.quiet();
    expect(await versions()).toEqual(before);
    expect(lab.downloads('/settled')).toBe(2);
    expect(lab.world.calls.log()).toEqual([]);
  });

  it('removes what a killed operator left of an image that was deleted meanwhile', async () => {
    operator = await lab.startImages();
    lab.server.setRoute('/half', half(disk));
    await lab.apply(imageOf('half', '/half'));
    const image = await lab.image('half', (it) => copiesOf(it) !== undefined);
    await expect.poll(() => lab.file('kvm.n2', uidOf(image))?.complete).toBe(false);
    await operator.kill();
    expect(lab.file('kvm.n2', uidOf(image))).toMatchObject({ complete: false });
    await lab.drop('virtualmachineimage', 'half');
    operator = await lab.startImages();
    await lab.gone('half');
    expect(lab.file('kvm.n2', uidOf(image))).toBeUndefined();
    expect(lab.downloads('/half')).toBe(1);
  });

  it('cancels an import on deletion and leaves nothing', async () => {
    operator = await lab.startImages();
    lab.server.setRoute('/endless', half(disk));
    await lab.apply(imageOf('endless', '/endless'));
    const image = await lab.image('endless', (it) => has(it, 'Ready', 'False', 'Importing'));
    await lab.drop('virtualmachineimage', 'endless');
    await lab.gone('endless');
    expect(lab.file('kvm.n2', uidOf(image))).toBeUndefined();
  });
});

describe('an image whose status was wiped', () => {
  beforeAll(async () => {
    operator = await lab.startImages();
  });
  afterAll(async () => operator.kill());

  const wipe = (name: string) =>
    lab.setStatus(
      'virtualmachineimage',
      name,
      { copies: null, conditions: null, virtualSize: null },
      'default',
    );

  it('is found again where it lies, without a download', async () => {
    lab.serve('/wiped', disk);
    await lab.apply(imageOf('wiped', '/wiped'));
    const image = await lab.image('wiped', isReady);
    await wipe('wiped');
    const again = await lab.image('wiped', isReady);
    expect(again?.status).toMatchObject({ copies: [{ host: 'kvm.n2', state: 'Ready' }], virtualSize: '1Mi' });
    expect(lab.downloads('/wiped')).toBe(1);
    expect(lab.file('kvm.n2', uidOf(image))).toMatchObject({ complete: true });
  });

  it('is looked for on every host when it is deleted', async () => {
    const image = await lab.image('wiped', isReady);
    await operator.kill();
    await wipe('wiped');
    await lab.drop('virtualmachineimage', 'wiped');
    lab.world.host.partition('n1');
    operator = await lab.startImages();
    const held = await lab.image('wiped', (it) => has(it, 'Deleting', 'True', 'HostUnreachable'));
    expect(conditionOf(held, 'Deleting')?.message).toBe(
      'Deleting waits for kvm.n1, which cannot be asked and may have a copy.',
    );
    lab.world.host.heal('n1');
    await lab.gone('wiped');
    expect(lab.file('kvm.n2', uidOf(image))).toBeUndefined();
  });
});

describe('an image in a shared pool', () => {
  afterAll(async () => operator.kill());

  it('is fetched once for all hosts and removed once', async () => {
    await lab.furnishPool('everywhere', { topology: 'Shared' });
    operator = await lab.startImages();
    lab.serve('/common', disk);
    await lab.apply(imageOf('common', '/common', { storagePoolRef: { name: 'everywhere' } }));
    const image = await lab.image('common', isReady);
    expect(copiesOf(image)).toEqual([{ state: 'Ready' }]);
    expect(lab.downloads('/common')).toBe(1);
    const there = () =>
      ['kvm.n1', 'kvm.n2'].map((host) => lab.file(host, uidOf(image), 'qcow2', 'everywhere')?.complete);
    expect(there()).toEqual([true, true]);
    await lab.drop('virtualmachineimage', 'common');
    await lab.gone('common');
    expect(there()).toEqual([undefined, undefined]);
  });
});

describe('images that are used', () => {
  beforeAll(async () => {
    operator = await lab.startImages();
  });
  afterAll(async () => operator.kill());

  const iso = Buffer.alloc(64 * 1024);
  iso.write('\x01CD001\x01', 16 * 2048, 'latin1');

  it('fetches a second copy where a machine has it in its drive, and stays until the machine lets go', async () => {
    lab.serve('/cd.iso', iso);
    await lab.apply(imageOf('cd', '/cd.iso', { format: 'iso' }, iso));
    const first = await lab.image('cd', isReady);
    expect(copiesOf(first)).toEqual([{ host: 'kvm.n2', state: 'Ready' }]);
    await lab.apply(machine('viewer', 'kvm', { cdroms: [{ name: 'cd', imageRef: { name: 'cd' } }] }));
    await lab.setStatus('virtualmachine', 'viewer', { host: 'kvm.n1' }, 'default');
    const both = await lab.image('cd', (it) => hasCopies(it, 2));
    expect(copiesOf(both)).toEqual([
      { host: 'kvm.n1', state: 'Ready' },
      { host: 'kvm.n2', state: 'Ready' },
    ]);
    expect(has(both, 'Reconciling', 'False')).toBe(true);
    expect(lab.file('kvm.n1', uidOf(both), 'iso')).toMatchObject({ complete: true, format: 'iso' });
    await lab.drop('virtualmachineimage', 'cd');
    const held = await lab.image('cd', (it) => has(it, 'Deleting', 'True', 'WaitingForDependents'));
    expect(conditionOf(held, 'Deleting')?.message).toBe(
      'Deleting waits until machine viewer no longer needs the image.',
    );
    await lab.drop('virtualmachine', 'viewer');
    await lab.gone('cd');
    expect(['kvm.n1', 'kvm.n2'].map((host) => lab.file(host, uidOf(both), 'iso'))).toEqual([
      undefined,
      undefined,
    ]);
  });

  const clone = (name: string, image: string) => ({
    apiVersion: 'ovcp.dev/v1alpha1',
    kind: 'VirtualDisk',
    metadata: { name, namespace: 'default' },
    spec: {
      size: '2Mi',
      storagePoolRef: { name: 'local' },
      source: { type: 'Image', imageRef: { name: image } },
    },
  });

  it('leaves the copy that a linked clone stands on and removes the other', async () => {
    lab.serve('/base', disk);
    await lab.apply(imageOf('base', '/base'));
    await lab.image('base', isReady);
    await lab.apply(clone('root', 'base'));
    await lab.setStatus('virtualdisk', 'root', { host: 'kvm.n1' }, 'default');
    const image = await lab.image('base', (it) => hasCopies(it, 2));
    const uid = uidOf(image);
    const file = `ovcp-image-${uid}.qcow2`;
    const place = await lab.place();
    const home = lab.world.get('n1').places.get(place.path)?.directory;
    home?.volumes.set('ovcp-disk-root.qcow2', {
      name: 'ovcp-disk-root.qcow2',
      format: 'qcow2',
      sizeBytes: 2 * mib,
      allocatedBytes: 1,
      backingPath: `${place.path}/${file}`,
      complete: true,
      digest: undefined,
      bytes: undefined,
    });
    await lab.drop('virtualmachineimage', 'base');
    const held = await lab.image('base', (it) => has(it, 'Deleting', 'True', 'WaitingForDependents'));
    expect(conditionOf(held, 'Deleting')?.message).toContain('VirtualDisk root');
    const volume = { pool: place.poolUid, name: 'ovcp-disk-root.qcow2', format: 'qcow2' };
    await lab.setStatus(
      'virtualdisk',
      'root',
      { host: 'kvm.n1', volume, image: { uid, name: 'base' } },
      'default',
    );
    await lab.gone('base');
    expect(lab.file('kvm.n1', uid)).toMatchObject({ complete: true });
    expect(lab.file('kvm.n2', uid)).toBeUndefined();
  });

  it('waits for a host that may have a copy, and for no host that was declared gone', async () => {
    lab.serve('/far', disk);
    await lab.apply(imageOf('far', '/far'));
    const image = await lab.image('far', isReady);
    lab.world.host.partition('n2');
    await lab.drop('virtualmachineimage', 'far');
    const waiting = await lab.image('far', (it) => has(it, 'Deleting', 'True', 'HostUnreachable'));
    expect(conditionOf(waiting, 'Deleting')?.message).toContain('kvm.n2');
    lab.world.host.heal('n2');
    await lab.gone('far');
    expect(lab.file('kvm.n2', uidOf(image))).toBeUndefined();

    await lab.apply(imageOf('lost', '/far'));
    await lab.image('lost', isReady);
    lab.world.host.partition('n2');
    await lab.drop('virtualmachineimage', 'lost');
    await lab.image('lost', (it) => has(it, 'Deleting', 'True', 'HostUnreachable'));
    const declaredDown = JSON.stringify({ spec: { declaredDown: { reason: 'burnt' } } });
    await lab.plane.mustKubectl(['patch', 'host.ovcp.dev', 'kvm.n2', '--type=merge', '-p', declaredDown]);
    await lab.gone('lost');
  });
});
