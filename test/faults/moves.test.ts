/** Disks that move between storage pools of every sort: where their data is at any moment, whatever comes between. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Condition, conditionOf, type Thing } from './api.ts';
import { type DiskData, diskDataIn, holdCalls, marker, spoilNextCopy, written } from './disk-data.ts';
import { type Lab, startLab } from './lab.ts';
import { blank, disk, image, namespace, storagePool } from './objects.ts';
import type { OperatorProcess } from './operator-process.ts';
import { type Scene, setScene } from './scene.ts';

const AT = 'moves';
/** One folder for all hosts; a folder on each is the pool of the scene. */
const SHARE = 'moves-share';
const SAN = 'moves-san';
const OTHER_SAN = 'moves-other-san';
const CLOSED = 'moves-closed';
const hard = { shutdown: { mode: 'Hard', timeoutSeconds: 1 } };
const whole = written(marker);

describe('a disk on its way to another storage pool', () => {
  let lab: Lab;
  let scene: Scene;
  let operator: OperatorProcess;

  beforeAll(async () => {
    lab = await startLab();
    lab.world.guests.setDefault({ shutdownMs: 10 });
    operator = await lab.start();
    scene = await setScene(lab, AT);
    const server = (serves: string) => ({
      topology: 'Shared',
      roles: ['Disks'],
      simulated: { server: { serves } },
    });
    await lab.api.apply(
      storagePool(SHARE, [AT], { topology: 'Shared' }),
      storagePool(SAN, [AT], server('Disks')),
      storagePool(OTHER_SAN, [AT], server('Disks')),
      storagePool(CLOSED, [AT], { allowedNamespaces: { from: 'None' } }),
      namespace('moves-b'),
    );
    for (const pool of [SHARE, SAN, OTHER_SAN, CLOSED])
      await scene.told('StoragePool', pool, 'Ready', 'True');
  });
  afterAll(() => lab.close());

  const data = (): DiskData => diskDataIn(lab, AT);
  const thing = (name: string): Thing => data().thing(name);
  const uidOf = (name: string): string => thing(name).metadata.uid;
  const poolUid = (pool: string): string => lab.api.get('StoragePool', pool)?.metadata.uid ?? '';
  const filesOf = (name: string) => data().filesOf(name);
  const copies = (name: string): number => data().copies(name);
  const contentOf = (name: string): string => data().contentOf(name);
  const hold = (method: string) => holdCalls(lab, method);
  const make = async (name: string, pool: string, more: object = {}): Promise<void> => {
    await lab.api.apply(disk(name, AT, pool, more));
    await scene.told('VirtualDisk', name, 'Ready', 'True', 'Available');
    data().fill(name);
  };
  const moveTo = (name: string, pool: string): Promise<Thing> =>
    lab.api.patch('VirtualDisk', name, AT, { spec: { storagePoolRef: { name: pool } } });
  const isAt = (name: string, pool: string): Promise<unknown> =>
    lab.api.until(
      `${name} is in ${pool}`,
      () => {
        const { status, metadata } = thing(name);
        const volume = status?.['volume'] as { readonly pool?: string } | undefined;
        return (
          volume?.pool === poolUid(pool) &&
          metadata.annotations?.['ovcp.dev/move'] === undefined &&
          status?.['move'] === undefined &&
          status?.observedGeneration === metadata.generation &&
          conditionOf(thing(name), 'Ready')?.reason === 'Available'
        );
      },
      60_000,
    );
  const told = (name: string, reason: string, status = 'False'): Promise<Condition> =>
    scene.told('VirtualDisk', name, 'Ready', status, reason);
  const drop = async (name: string): Promise<void> => {
    const uid = uidOf(name);
    await lab.api.remove('VirtualDisk', name, AT);
    await scene.gone('VirtualDisk', name);
    expect(data().isAnywhere(uid)).toBe(false);
  };
  it('goes through pools of every sort with its data, and is in one place at the end', async () => {
    await make('walks', SHARE);
    for (const pool of [SAN, AT, SHARE, AT, SAN, SHARE]) {
      await moveTo('walks', pool);
      await isAt('walks', pool);
      expect(contentOf('walks'), pool).toBe(whole);
      expect(copies('walks'), pool).toBe(1);
      expect(thing('walks').status?.host !== undefined, pool).toBe(pool === AT);
    }
    await scene.make('user', { disks: [{ name: 'data', diskRef: { name: 'walks' } }], ...hard });
    await scene.running('user');
    await lab.api.remove('VirtualMachine', 'user', AT);
    await scene.gone('VirtualMachine', 'user');
    await drop('walks');
  });

  it('waits for the machine that uses it, and says which', async () => {
    await make('used', SHARE);
    await scene.make('holder', { disks: [{ name: 'data', diskRef: { name: 'used' } }], ...hard });
    await scene.running('holder');
    await moveTo('used', SAN);
    const waiting = await told('used', 'MovesWhenDetached', 'True');
    expect(waiting.message).toContain('holder');
    expect(scene.domain('holder')?.machine.power).toEqual({ kind: 'running' });
    // Another start of the same machine finds it where it is.
    await scene.patch('holder', { restartRequestedAt: '2100-01-01T00:00:00Z' });
    await scene.running('holder');
    expect(copies('used')).toBe(1);
    expect(lab.storage.disks.has(uidOf('used'))).toBe(false);
    await scene.patch('holder', { powerState: 'PoweredOff' });
    await isAt('used', SAN);
    expect(contentOf('used')).toBe(whole);
    await scene.patch('holder', { powerState: 'PoweredOn' });
    await scene.running('holder');
    expect(scene.domain('holder')?.machine.running?.disks[0]?.attachment.kind).toBe('network');
    await lab.api.remove('VirtualMachine', 'holder', AT);
    await scene.gone('VirtualMachine', 'holder');
    await drop('used');
  });

  it('does not start a machine while its disk is on its way', async () => {
    await make('awaited', SAN);
    const copying = hold('storage.finish');
    await moveTo('awaited', SHARE);
    await copying.held;
    await scene.make('waits', { disks: [{ name: 'data', diskRef: { name: 'awaited' } }], ...hard });
    const lack = await scene.told('VirtualMachine', 'waits', 'StorageReady', 'False', 'WaitingForDisk');
    expect(lack.message).toContain(SHARE);
    expect(thing('awaited').status).toMatchObject({ move: { from: SAN, to: SHARE } });
    expect(scene.domain('waits')?.machine.running).toBeUndefined();
    copying.release();
    await scene.running('waits');
    expect(contentOf('awaited')).toBe(whole);
    expect(copies('awaited')).toBe(1);
    await lab.api.remove('VirtualMachine', 'waits', AT);
    await scene.gone('VirtualMachine', 'waits');
    await drop('awaited');
  });

  it('stays when the spec is changed back, and goes elsewhere when it names a third pool', async () => {
    await make('turns', SAN);
    const first = hold('storage.finish');
    await moveTo('turns', SHARE);
    await first.held;
    await moveTo('turns', SAN);
    first.release();
    await isAt('turns', SAN);
    expect(copies('turns')).toBe(1);
    const second = hold('storage.finish');
    await moveTo('turns', SHARE);
    await second.held;
    await moveTo('turns', AT);
    second.release();
    await isAt('turns', AT);
    expect(contentOf('turns')).toBe(whole);
    expect(copies('turns')).toBe(1);
    await drop('turns');
  });

  it('goes with both copies when it is deleted on its way', async () => {
    await make('goes', SAN);
    const copying = hold('storage.finish');
    await moveTo('goes', SHARE);
    await copying.held;
    await lab.api.remove('VirtualDisk', 'goes', AT);
    await lab.api.until('it is going', () => thing('goes').metadata.deletionTimestamp !== undefined);
    const { uid } = thing('goes').metadata;
    copying.release();
    await scene.gone('VirtualDisk', 'goes');
    expect(data().isAnywhere(uid)).toBe(false);
  });

  it('finds its way after the operator died and its status was lost', async () => {
    await make('lost', SAN);
    const copying = hold('storage.finish');
    await moveTo('lost', SHARE);
    await copying.held;
    operator.kill();
    copying.release();
    await operator.ended;
    await lab.api.patch('VirtualDisk', 'lost', AT, { status: null }, 'status');
    operator = await lab.start();
    await isAt('lost', SHARE);
    expect(contentOf('lost')).toBe(whole);
    expect(copies('lost')).toBe(1);
    await drop('lost');
  });

  it.each([
    [SAN, SHARE],
    [SHARE, SAN],
  ])('is not believed to be copied from %s to %s before it was read back', async (from, to) => {
    await make('checked', from);
    const copy = spoilNextCopy(lab, uidOf('checked'));
    // It is told for a moment only: the copy is made again.
    const said: { readonly message: string; readonly isWhole: boolean }[] = [];
    const leave = lab.api.stores.VirtualDisk.subscribe(({ new: now }) => {
      const ready = conditionOf(now, 'Ready');
      if (ready?.reason !== 'CopyDiffers') return;
      said.push({ message: ready.message, isWhole: data().contents('checked').includes(whole) });
    });
    await moveTo('checked', to);
    await isAt('checked', to);
    leave();
    copy.leave();
    expect(said).toContainEqual({
      message: `The copy in StoragePool ${to} is not what was read from ${from}: it is given up and made again.`,
      isWhole: true,
    });
    expect(copy.spoilt()).toBe(1);
    expect(contentOf('checked')).toBe(whole);
    expect(copies('checked')).toBe(1);
    await drop('checked');
  });

  it('stays whole where it is while there is no room for it', async () => {
    await make('large', SAN);
    const share = lab.world
      .hosts()
      .flatMap((host) => host.places.values().toArray())
      .find((place) => place.poolUid === poolUid(SHARE));
    const room = share?.directory.capacityBytes ?? 0;
    if (share !== undefined) share.directory.capacityBytes = 0;
    await moveTo('large', SHARE);
    await told('large', 'StoragePoolFull', 'Unknown');
    expect(contentOf('large')).toBe(whole);
    await moveTo('large', SAN);
    await isAt('large', SAN);
    if (share !== undefined) share.directory.capacityBytes = room;
    expect(copies('large')).toBe(1);
    await drop('large');
  });

  it('waits for a server that does not answer, and is used where it is when the move is called off', async () => {
    await make('far', SHARE);
    const volume = lab.storage.volumes.get(SAN);
    for (const brick of ['a1', 'a2']) lab.storage.setBrick(SAN, brick, false);
    await moveTo('far', SAN);
    await lab.api.until('it waits', () => conditionOf(thing('far'), 'Ready')?.status === 'Unknown');
    await moveTo('far', SHARE);
    await isAt('far', SHARE);
    for (const brick of ['a1', 'a2']) lab.storage.setBrick(SAN, brick, true);
    expect(volume).toBeDefined();
    await scene.told('StoragePool', SAN, 'Ready', 'True');
    await moveTo('far', SAN);
    await isAt('far', SAN);
    expect(contentOf('far')).toBe(whole);
    await drop('far');
  });

  it('grows after it arrived, when both are asked for at once', async () => {
    await make('grows', SAN);
    await lab.api.patch('VirtualDisk', 'grows', AT, {
      spec: { size: '2Gi', storagePoolRef: { name: SHARE } },
    });
    await lab.api.until('it is there and larger', () => {
      const { status } = thing('grows');
      const volume = status?.['volume'] as { readonly pool?: string } | undefined;
      return status?.['size'] === '2Gi' && volume?.pool === poolUid(SHARE);
    });
    expect(contentOf('grows')).toBe(whole);
    await drop('grows');
  });

  it('goes nowhere it may not be, and says why', async () => {
    await make('kept', SAN);
    for (const [pool, reason] of [
      ['nowhere', 'StoragePoolNotFound'],
      [CLOSED, 'StoragePoolNotFound'],
      [OTHER_SAN, 'Unsupported'],
    ] as const) {
      await moveTo('kept', pool);
      const { message } = await told('kept', reason);
      expect(message).toContain(SAN);
    }
    await moveTo('kept', SAN);
    await isAt('kept', SAN);
    expect(copies('kept')).toBe(1);
    await drop('kept');
  });

  it('keeps both pools until it is through', async () => {
    await lab.api.apply(storagePool('moves-old', [AT], { topology: 'Shared' }));
    await scene.told('StoragePool', 'moves-old', 'Ready', 'True');
    await make('last', 'moves-old');
    const copying = hold('storage.import');
    await moveTo('last', AT);
    await copying.held;
    await lab.api.remove('StoragePool', 'moves-old');
    const { message } = await scene.told(
      'StoragePool',
      'moves-old',
      'Ready',
      'False',
      'WaitingForDependents',
    );
    expect(message).toContain(`${AT}/last`);
    copying.release();
    await isAt('last', AT);
    await scene.gone('StoragePool', 'moves-old');
    expect(contentOf('last')).toBe(whole);
    await drop('last');
  });

  it('takes a disk that stands on an image along, and the image needs it no more', async () => {
    await lab.api.apply(image('tiny', AT, SHARE, lab.image.url, lab.image.checksum));
    await lab.api.apply(disk('linked', AT, SHARE, { source: { type: 'Image', imageRef: { name: 'tiny' } } }));
    await told('linked', 'Available', 'True');
    expect(filesOf('linked')[0]?.backingPath).toBeDefined();
    await moveTo('linked', AT);
    await isAt('linked', AT);
    expect(filesOf('linked')[0]?.backingPath).toBeUndefined();
    expect(thing('linked').status).toMatchObject({ volume: { standalone: true } });
    await scene.make('boots', {
      disks: [blank('root', AT), { name: 'data', diskRef: { name: 'linked' } }],
      cloudInit: { hostname: 'boots' },
      ...hard,
    });
    await scene.running('boots');
    const attachment = scene
      .domain('boots')
      ?.machine.running?.disks.find(({ name }) => name === 'data')?.attachment;
    expect(attachment).toMatchObject({ kind: 'file', backing: [] });
    await lab.api.remove('VirtualMachineImage', 'tiny', AT);
    await scene.gone('VirtualMachineImage', 'tiny');
    await lab.api.remove('VirtualMachine', 'boots', AT);
    await scene.gone('VirtualMachine', 'boots');
    await drop('linked');
  });

  it('breaks no invariant on the way', async () => {
    await operator.quiet();
    expect(lab.checker.atRest()).toEqual([]);
    expect([...lab.storage.disks.keys()]).toEqual([]);
  });
});
