/** Disks that hosts log in to themselves: when a host is logged in and out, and what is seen of its paths. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diskTargetIqn, unitWwn } from '../../src/api/identity.ts';
import type { SimulatedLogin } from '../../src/drivers/hypervisor/simulated/state.ts';
import type { Thing } from './api.ts';
import { type Lab, startLab } from './lab.ts';
import { blank, disk } from './objects.ts';
import type { OperatorProcess } from './operator-process.ts';
import { type San, setSan } from './san.ts';
import { type Scene, setScene } from './scene.ts';

const SAN = 'lan-san';
const GIB = 1024 ** 3;
const hard = { shutdown: { mode: 'Hard', timeoutSeconds: 1 } };

describe('disks that hosts log in to', () => {
  let lab: Lab;
  let scene: Scene;
  let operator: OperatorProcess;
  let san: San;

  beforeAll(async () => {
    lab = await startLab();
    lab.world.guests.setDefault({ shutdownMs: 10 });
    operator = await lab.start();
    scene = await setScene(lab, 'logins');
    san = await setSan(lab, scene, SAN, { serves: 'Disks', attach: 'Host' });
  });
  afterAll(() => lab.close());

  const uidOf = (name: string): string => san.disk(name).metadata.uid;
  /** Hosts that are logged in to the disk. */
  const loginsOf = (name: string): readonly { readonly host: string; readonly login: SimulatedLogin }[] => {
    const targetIqn = diskTargetIqn(uidOf(name));
    return lab.world
      .hosts()
      .flatMap(({ name: host, logins }) =>
        [...logins.values()]
          .filter((login) => login.targetIqn === targetIqn)
          .map((login) => ({ host, login })),
      );
  };
  const pool = (): Thing | undefined => lab.api.get('StoragePool', SAN);
  const pathsOn = (host: string): unknown => {
    const hosts = pool()?.status?.['hosts'] as readonly { name: string; paths?: unknown }[] | undefined;
    return hosts?.find(({ name }) => name === `logins.${host}`)?.paths;
  };

  it('log in right before the machine starts, and out before the server lets the host out', async () => {
    const root = {
      name: 'root',
      template: { size: '1Gi', storagePoolRef: { name: SAN }, imageRef: { name: 'tiny' } },
    };
    const order: string[] = [];
    const unhook = lab.world.calls.hook(({ method, subject }, phase) => {
      if (phase === 'after' && method.startsWith('login.') && method !== 'login.see') {
        const target = lab.storage.fabric.targets.get(subject ?? '');
        order.push(`${method} ${target?.admitted.size ?? 0}`);
      }
      if (phase === 'after' && method === 'start') order.push(method);
    });
    await scene.make('boots', { disks: [root], ...hard });
    await scene.running('boots');
    const home = san.homeOf('boots');
    expect(scene.domain('boots')?.machine.running?.disks[0]?.attachment).toEqual({
      kind: 'block',
      path: `/dev/disk/by-id/wwn-0x${unitWwn(uidOf('boots.root'))}`,
      format: 'raw',
    });
    expect(loginsOf('boots.root')).toMatchObject([
      { host: home, login: { initiator: san.iqnOf(home), cut: false, sizeBytes: GIB } },
    ]);
    await san.drop('boots');
    await scene.gone('VirtualDisk', 'boots.root');
    unhook();
    expect(order).toEqual(['login.connect 1', 'start', 'login.disconnect 1']);
    expect(lab.world.hosts().flatMap(({ logins }) => [...logins])).toEqual([]);
    expect([...lab.storage.fabric.targets.keys()]).toEqual([]);
  });

  it('pass from one host to the next', async () => {
    await lab.api.apply(disk('moves', 'logins', SAN));
    const named = { disks: [{ name: 'data', diskRef: { name: 'moves' } }], ...hard };
    await scene.make('first', named);
    await scene.running('first');
    await scene.make('second', named);
    await scene.told('VirtualMachine', 'second', 'Ready', 'False', 'DiskInUse');
    await scene.patch('first', { powerState: 'PoweredOff' });
    await scene.running('second');
    expect(loginsOf('moves').map(({ host }) => host)).toEqual([san.homeOf('second')]);
    expect(san.admitted('moves')).toEqual([san.iqnOf(san.homeOf('second'))]);
    await san.drop('first', 'second');
    await lab.api.until('nobody is logged in', () => loginsOf('moves').length === 0);
    await lab.api.remove('VirtualDisk', 'moves', 'logins');
    await scene.gone('VirtualDisk', 'moves');
  });

  it('come and go with a running machine, and grow under it', async () => {
    await scene.make('plugs', { disks: [blank('root', 'logins')], ...hard });
    await scene.running('plugs');
    await lab.api.apply(disk('extra', 'logins', SAN));
    const extra = { name: 'extra', diskRef: { name: 'extra' } };
    await scene.patch('plugs', { disks: [blank('root', 'logins'), extra] });
    const shown = () => scene.domain('plugs')?.machine.running?.disks.find(({ name }) => name === 'extra');
    await lab.api.until('the disk is plugged in', () => shown() !== undefined);
    await lab.api.patch('VirtualDisk', 'extra', 'logins', { spec: { size: '2Gi' } });
    await lab.api.until('the machine has two GiB', () => shown()?.sizeBytes === 2 * GIB);
    expect(loginsOf('extra')).toMatchObject([{ login: { sizeBytes: 2 * GIB } }]);
    await scene.patch('plugs', { disks: [blank('root', 'logins')] });
    await lab.api.until('the disk is out', () => shown() === undefined);
    await lab.api.until('nobody is logged in', () => loginsOf('extra').length === 0);
    await lab.api.until('nobody is let in', () => san.admitted('extra').length === 0);
    expect(scene.domain('plugs')?.machine.power).toEqual({ kind: 'running' });
    await san.drop('plugs');
    await lab.api.remove('VirtualDisk', 'extra', 'logins');
    await scene.gone('VirtualDisk', 'extra');
  });

  it('show their paths, and say when one is down', async () => {
    await scene.make('shown', { disks: [blank('root', SAN)], ...hard });
    await scene.running('shown');
    const home = san.homeOf('shown');
    const up = [{ portal: 'simulated:3260', state: 'Up' }];
    await lab.api.until('the path is shown', () => JSON.stringify(pathsOn(home)) === JSON.stringify(up));
    for (const { login } of loginsOf('shown.root')) login.cut = true;
    const told = await scene.told('StoragePool', SAN, 'Ready', 'True', 'PathDown');
    expect(told.message).toBe(`logins.${home} has no path to simulated:3260; its machines wait for it.`);
    expect(pathsOn(home)).toMatchObject([{ state: 'Down', message: '1 disk of 1 have no path there.' }]);
    for (const { login } of loginsOf('shown.root')) login.cut = false;
    await scene.told('StoragePool', SAN, 'Ready', 'True', 'Ready');
    await san.drop('shown');
    await scene.gone('VirtualDisk', 'shown.root');
    await lab.api.until('no path is shown', () => pathsOn(home) === undefined);
  });

  it('are logged in to again after the host lost its power', async () => {
    await scene.make('again', { disks: [blank('root', SAN)], ...hard });
    await scene.running('again');
    const home = san.homeOf('again');
    operator.kill();
    await operator.ended;
    lab.world.host.powerLoss(home);
    lab.world.host.powerOn(home);
    expect(loginsOf('again.root')).toEqual([]);
    expect(scene.domain('again')?.machine.power.kind).toBe('off');
    operator = await lab.start();
    await lab.api.until('it runs again', () => scene.domain('again')?.machine.power.kind === 'running');
    expect(loginsOf('again.root').map(({ host }) => host)).toEqual([home]);
    await san.drop('again');
    await scene.gone('VirtualDisk', 'again.root');
  });

  it('are let go of by the host even when their status was lost while nobody used them', async () => {
    await scene.make('lost', { disks: [blank('root', SAN)], ...hard });
    await scene.running('lost');
    operator.kill();
    await operator.ended;
    lab.world.hand.destroy(scene.uuid('lost'));
    await lab.api.patch('VirtualDisk', 'lost.root', 'logins', { status: null }, 'status');
    await lab.api.patch('VirtualMachine', 'lost', 'logins', { spec: { powerState: 'PoweredOff' } });
    operator = await lab.start();
    await lab.api.until('nobody is logged in', () => loginsOf('lost.root').length === 0);
    await lab.api.until('nobody is let in', () => san.admitted('lost.root').length === 0);
    await san.drop('lost');
    await scene.gone('VirtualDisk', 'lost.root');
  });

  it('are let go of by a host that was declared gone and came back', async () => {
    await lab.api.apply(disk('left', 'logins', SAN));
    const named = { disks: [{ name: 'data', diskRef: { name: 'left' } }], ...hard };
    await scene.make('there', named);
    await scene.running('there');
    const home = san.homeOf('there');
    lab.world.host.partition(home);
    lab.world.hand.destroy(scene.uuid('there'));
    lab.world.hand.undefine(scene.uuid('there'));
    await lab.api.patch('Host', `logins.${home}`, undefined, { spec: { declaredDown: { reason: 'fire' } } });
    await lab.api.remove('VirtualMachine', 'there', 'logins');
    await scene.gone('VirtualMachine', 'there');
    await lab.api.until('the server lets it out', () => san.admitted('left').length === 0);
    expect(loginsOf('left').map(({ host }) => host)).toEqual([home]);
    lab.world.host.heal(home);
    await lab.api.patch('Host', `logins.${home}`, undefined, { spec: { declaredDown: null } });
    await lab.api.until('nobody is logged in', () => loginsOf('left').length === 0, 90_000);
    await lab.api.remove('VirtualDisk', 'left', 'logins');
    await scene.gone('VirtualDisk', 'left');
  });

  it('break no invariant on the way', async () => {
    await operator.quiet();
    expect(lab.checker.atRest()).toEqual([]);
    expect(lab.world.hosts().flatMap(({ logins }) => [...logins])).toEqual([]);
    expect(lab.storage.fabric.targets.size).toBe(0);
  });
});
