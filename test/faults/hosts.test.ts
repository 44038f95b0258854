/** Trouble with hosts: gone, slow, listed twice, full. Unknown is never dead (I3), and one host is no other's trouble. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conditionOf } from './api.ts';
import { type Lab, startLab } from './lab.ts';
import { blank, hostPool, machine } from './objects.ts';
import { setScene } from './scene.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
  await lab.start();
});
afterAll(() => lab.close());

/** What a pass waits for at most before it gives up (src/runtime/pass.ts), which nobody but the dead host's may do. */
const beforeGivingUpMs = 40_000;

const mutations = (host: string): number => lab.world.calls.log().filter((call) => call.host === host).length;

describe('a host that cannot be reached', () => {
  it('at create: nothing is placed there; it is said why, and made up for', async () => {
    const scene = await setScene(lab, 'atcreate', { hosts: [{ name: 'atcreate-1' }] });
    lab.world.host.partition('atcreate-1');
    await scene.told('Host', 'atcreate.atcreate-1', 'Reachable', 'False');
    await scene.make('m', { disks: [blank('root', scene.name)] });
    const { message } = await scene.told('VirtualMachine', 'm', 'Ready', 'False', 'NoHostFits');
    expect(message).toBe('No host fits: atcreate.atcreate-1: the host cannot be reached.');
    lab.world.host.heal('atcreate-1');
    await scene.running();
  });

  it('one of two, at create: the other one is taken, and nobody waits for the dead (I18)', async () => {
    const scene = await setScene(lab, 'onedead');
    lab.world.host.partition('onedead-1', { hang: true });
    await scene.told('Host', 'onedead.onedead-1', 'Reachable', 'False');
    await scene.make('m', { disks: [blank('root', scene.name)] });
    await scene.running();
    expect(scene.domain()?.host).toBe('onedead-2');
    lab.world.host.heal('onedead-1');
  });

  it('during create: the choice stands, nothing is started elsewhere, and it goes on when the host is back', async () => {
    const scene = await setScene(lab, 'during');
    let cut: string | undefined;
    const unhook = lab.world.calls.hook((call, phase) => {
      if (
        cut === undefined &&
        call.method === 'define' &&
        phase === 'before' &&
        scene.hosts.includes(call.host)
      ) {
        cut = call.host;
        lab.world.host.partition(call.host);
      }
    });
    await scene.make('m', { disks: [blank('root', scene.name)] });
    const { message } = await scene.told('VirtualMachine', 'm', 'Ready', 'Unknown', 'HostUnreachable');
    unhook();
    expect(message).toContain(`${cut}`);
    const other = scene.hosts.find((host) => host !== cut) ?? '';
    expect(scene.vm()?.status?.host).toBe(`during.${cut}`);
    expect(lab.world.get(other).machines.size).toBe(0);
    lab.world.host.heal(cut ?? '');
    await scene.running();
    expect(scene.domain()?.host).toBe(cut);
  });

  it('for long (F9, F10): Unknown, never restarted elsewhere, and the same machine when it is back', async () => {
    const scene = await setScene(lab, 'forlong');
    await scene.make('m', { disks: [blank('root', scene.name)] });
    await scene.running();
    const home = scene.domain()?.host ?? '';
    const other = scene.hosts.find((host) => host !== home) ?? '';
    const [before, started] = [mutations(other), scene.domain()?.machine.startedMs];
    lab.world.host.partition(home);
    const ready = await scene.told('VirtualMachine', 'm', 'Ready', 'Unknown', 'HostUnreachable');
    expect(ready.message).toContain(`forlong.${home}`);
    expect(conditionOf(scene.vm(), 'Running')?.status).toBe('Unknown');
    expect(scene.vm()?.status?.powerState).toBe('Unknown');
    // Whoever asks for a restart, a stop or a start meanwhile is not obeyed elsewhere.
    await scene.patch('m', { restartRequestedAt: '2100-01-01T00:00:00Z' });
    await scene.patch('m', { powerState: 'PoweredOff' });
    await scene.patch('m', { powerState: 'PoweredOn' });
    await lab.api.until(
      'the spec is looked at',
      () => scene.vm()?.status?.observedGeneration === scene.vm()?.metadata.generation,
    );
    expect(mutations(other)).toBe(before);
    expect(scene.domain()?.machine.startedMs).toBe(started);
    lab.world.host.heal(home);
    await scene.running();
    await lab.api.until(
      'the restart is acted on',
      () => scene.vm()?.status?.['restartHandledAt'] === '2100-01-01T00:00:00Z',
    );
    expect(scene.domain()?.host).toBe(home);
    expect(mutations(other)).toBe(before);
  });

  it('with a call that hangs: the delete waits, says for whom, and ends when the host is back (I9)', async () => {
    const scene = await setScene(lab, 'hangs');
    await scene.make('m', { disks: [blank('root', scene.name)], shutdown: { mode: 'Hard' } });
    await scene.running();
    const home = scene.domain()?.host ?? '';
    lab.world.host.partition(home, { hang: true });
    await scene.told('Host', `hangs.${home}`, 'Reachable', 'False');
    await lab.api.remove('VirtualMachine', 'm', scene.name);
    const { message } = await scene.told('VirtualMachine', 'm', 'Deleting', 'True', 'HostUnreachable');
    expect(message).toBe(
      `Deleting waits for hangs.${home}, which cannot be reached and may hold the machine.`,
    );
    lab.world.host.heal(home);
    await scene.gone('VirtualMachine', 'm');
    expect(lab.world.get(home).machines.size).toBe(0);
  });

  it('that loses power: what ran there runs again there, and not elsewhere', async () => {
    const scene = await setScene(lab, 'power');
    await scene.make('m', { disks: [blank('root', scene.name)] });
    await scene.running();
    const home = scene.domain()?.host ?? '';
    lab.world.host.powerLoss(home);
    await scene.told('VirtualMachine', 'm', 'Ready', 'Unknown', 'HostUnreachable');
    lab.world.host.powerOn(home);
    await scene.running();
    expect(scene.domain()).toMatchObject({ host: home, machine: { power: { kind: 'running' } } });
  });
});

it('declaredDown: the machine says so, its delete ends, and others take its room (I3, I9)', async () => {
  const scene = await setScene(lab, 'down');
  await scene.make('m', { disks: [blank('root', scene.name)] });
  await scene.running();
  const home = scene.domain()?.host ?? '';
  lab.world.host.powerLoss(home);
  await scene.told('VirtualMachine', 'm', 'Ready', 'Unknown', 'HostUnreachable');
  await lab.api.patch('Host', `down.${home}`, undefined, { spec: { declaredDown: { reason: 'burnt' } } });
  const { message } = await scene.told('VirtualMachine', 'm', 'Ready', 'False', 'HostLost');
  expect(message).toBe(`down.${home}, which held the machine, was declared gone: burnt.`);
  const { message: disk } = await scene.told('VirtualDisk', 'm.root', 'Ready', 'False', 'DiskLost');
  expect(disk).toContain(`down.${home}`);
  // The burnt host still has it all: nobody can ask it, and the administrator said that nobody needs to.
  lab.checker.forgive(/down-|down\/m/);
  await lab.api.remove('VirtualMachine', 'm', scene.name);
  await scene.gone('VirtualDisk', 'm.root');
  await scene.gone('VirtualMachine', 'm');
  await scene.make('next', { disks: [blank('root', scene.name)] });
  await scene.running('next');
  expect(scene.domain('next')?.host).not.toBe(home);
});

it('the same host listed in two pools: the second one says so and takes no machine', async () => {
  const scene = await setScene(lab, 'first', { hosts: [{ name: 'shared-host' }] });
  await lab.api.apply(hostPool('second', [{ name: 'shared-host' }]), machine('n', scene.name, 'second'));
  const { message } = await scene.told('Host', 'second.shared-host', 'Claimed', 'False', 'DuplicateHost');
  expect(message).toContain('first.shared-host');
  await scene.told('VirtualMachine', 'n', 'Ready', 'False', 'NoHostFits');
  expect(conditionOf(lab.api.get('Host', 'first.shared-host'), 'Schedulable')?.status).toBe('True');
  await scene.make('m');
  await scene.running();
  await lab.api.remove('VirtualMachine', 'n', scene.name);
  await scene.gone('VirtualMachine', 'n');
  await lab.api.remove('HostPool', 'second');
  await scene.gone('HostPool', 'second');
  expect(conditionOf(scene.vm(), 'Ready')?.status).toBe('True');
});

it('one dead host does not delay the others (I18)', async () => {
  const scene = await setScene(lab, 'blast');
  const [dead = '', alive = ''] = scene.hosts;
  const names = Array.from({ length: 20 }, (_, at) => `m${at}`);
  await Promise.all(names.map((name) => scene.make(name)));
  await Promise.all(names.map((name) => scene.running(name)));
  const on = (host: string): string[] => names.filter((name) => scene.domain(name)?.host === host);
  const [there, here] = [on(dead), on(alive)];
  expect(there.length).toBeGreaterThan(0);
  lab.world.host.partition(dead, { hang: true });
  // All of the dead host's machines are asked for something that hangs; the living one's are done meanwhile.
  await Promise.all(there.map((name) => scene.patch(name, { powerState: 'PoweredOff' })));
  await Promise.all(here.map((name) => scene.patch(name, { powerState: 'PoweredOff' })));
  await lab.api.until(
    'the machines of the living host are off',
    () => here.every((name) => scene.vm(name)?.status?.powerState === 'PoweredOff'),
    beforeGivingUpMs,
  );
  for (const name of there) expect(scene.domain(name)?.machine.power.kind).toBe('running');
  lab.world.host.heal(dead);
  await lab.api.until(
    'the others follow',
    () => there.every((name) => scene.vm(name)?.status?.powerState === 'PoweredOff'),
    300_000,
  );
});

it('200 machines at once never oversubscribe small hosts (I15)', async () => {
  const scene = await setScene(lab, 'small', {
    hosts: Array.from({ length: 6 }, (_, at) => ({ name: `small-${at}`, cpus: 16, memory: '4Gi' })),
  });
  // 6 hosts of 4 GiB hold 96 machines of 256 MiB.
  const names = Array.from({ length: 200 }, (_, at) => `m${at}`);
  await Promise.all(names.map((name) => scene.make(name)));
  const count = (reason: string): number =>
    names.filter((name) => conditionOf(scene.vm(name), 'Ready')?.reason === reason).length;
  await lab.api.until(
    '96 run and 104 wait',
    () => count('Running') === 96 && count('NoHostFits') === 104,
    300_000,
  );
  const perHost = scene.hosts.map((host) => lab.world.get(host).machines.size);
  expect(perHost).toEqual([16, 16, 16, 16, 16, 16]);
  expect(lab.checker.atRest()).toEqual([]);
  // Room that becomes free is taken.
  const [first = ''] = names.filter((name) => conditionOf(scene.vm(name), 'Ready')?.reason === 'Running');
  await lab.api.remove('VirtualMachine', first, scene.name);
  await lab.api.until(
    'the next one runs',
    () => count('Running') === 96 && count('NoHostFits') === 103,
    300_000,
  );
  await Promise.all(names.map((name) => lab.api.remove('VirtualMachine', name, scene.name)));
  await lab.api.until('all are gone', () => names.every((name) => scene.vm(name) === undefined), 300_000);
});

it('keeps every invariant meanwhile', () => {
  expect(lab.checker.atRest()).toEqual([]);
});
