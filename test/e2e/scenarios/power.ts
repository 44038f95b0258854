/** Power: what the spec wishes, what the guest does by itself, and what happens then. On the machine `web-1`. */
import { describe, expect, it } from 'vitest';
import { conditionOf, is, type Lab, type Placed, team } from '../harness/lab.ts';

/** With its milliseconds: two tokens of one second would be one token. */
const now = (): string => new Date().toISOString();

/** virsh and the operator hear of an event each for itself: what the one has told the other may still have to say. */
const untilLast = (lab: Lab, placed: Placed, event: string): Promise<true> =>
  lab.pulse.until(`virsh says ${event}`, () => (placed.lifecycle().at(-1) === event ? true : undefined), {
    explain: () => placed.lifecycle().join(', '),
  });

/** Starts and stops so far. */
const turns = (placed: Placed): readonly string[] =>
  placed.lifecycle().filter((it) => /^(Started|Stopped)/.test(it));

/** Waits until libvirt says that the machine was started once more than before `act`. */
export const untilStartedAgain = async (
  lab: Lab,
  name: string,
  act: () => Promise<unknown>,
): Promise<Placed> => {
  const placed = lab.placed(name);
  const starts = (): number => placed.lifecycle().filter((it) => it.startsWith('Started')).length;
  const before = starts();
  await act();
  await lab.pulse.until(`${name} started again`, () => (starts() > before ? true : undefined), {
    explain: () => placed.lifecycle().join(', '),
  });
  return lab.untilReady(name);
};

export const power = (lab: () => Lab): void => {
  describe('power', () => {
    /** Boots of the guest so far, as its disk remembers them. */
    let boots = 0;

    it('off by the spec asks the guest by ACPI, which shuts down by itself', async () => {
      const web = lab().placed('web-1');
      boots = (await web.facts()).boots;
      await lab().patch('machine', 'web-1', { powerState: 'PoweredOff' });
      await lab().untilReady('web-1', 'PoweredOff');
      expect(await web.state()).toBe('shut off (shutdown)');
      await untilLast(lab(), web, 'Stopped Shutdown');
      expect(lab().mirror.get('machine', 'web-1', team)?.status.powerState).toBe('PoweredOff');
    });

    it('on by the spec starts it, with its disk as it was', async () => {
      await untilStartedAgain(lab(), 'web-1', () =>
        lab().patch('machine', 'web-1', { powerState: 'PoweredOn' }),
      );
      expect((await lab().placed('web-1').facts()).boots).toBe(boots + 1);
    });

    it('is cycled once by a restart token, and not again by one that is reverted', async () => {
      const web = lab().placed('web-1');
      const before = await web.pid();
      const token = now();
      await untilStartedAgain(lab(), 'web-1', () =>
        lab().patch('machine', 'web-1', { restartRequestedAt: token }),
      );
      await lab().until('machine', 'web-1', (it) => it?.status?.restartHandledAt === token);
      const after = await web.pid();
      expect(after).not.toBe(before);
      const events = turns(web);
      for (const restartRequestedAt of ['2020-01-01T00:00:00Z', token, null]) {
        await lab().patch('machine', 'web-1', { restartRequestedAt });
        await lab().untilReady('web-1');
      }
      expect(await web.pid()).toBe(after);
      expect(turns(web)).toEqual(events);
      expect((await web.facts()).boots).toBe(boots + 2);
    });

    it('comes back with restartPolicy Always when the guest powers itself off', async () => {
      const web = lab().placed('web-1');
      await untilStartedAgain(lab(), 'web-1', () => web.end('poweroff'));
      expect(turns(web).at(-2)).toBe('Stopped Shutdown');
    });

    it('of a guest that ignores ACPI is cut when its time is over', async () => {
      const web = lab().placed('web-1');
      expect((await web.facts()).boots).toBe(boots + 3);
      await web.ask('killall -STOP acpid qemu-ga');
      await lab().patch('machine', 'web-1', {
        powerState: 'PoweredOff',
        shutdown: { mode: 'GracefulThenHard', timeoutSeconds: 12 },
      });
      const asked = await lab().until('machine', 'web-1', (it) => is(it, 'Reconciling', 'True', 'Stopping'));
      expect(conditionOf(asked, 'Reconciling')?.message).toContain('up to 12 s');
      await lab().untilReady('web-1', 'PoweredOff');
      expect(await web.state()).toBe('shut off (destroyed)');
      await untilLast(lab(), web, 'Stopped Destroyed');
    });

    it('stays off with restartPolicy Never when the guest powers itself off, which is healthy', async () => {
      await untilStartedAgain(lab(), 'web-1', () =>
        lab().patch('machine', 'web-1', {
          powerState: 'PoweredOn',
          restartPolicy: 'Never',
          shutdown: { timeoutSeconds: 60 },
        }),
      );
      const web = lab().placed('web-1');
      await web.facts();
      await web.end('poweroff');
      await lab().untilReady('web-1', 'GuestPoweredOff');
      expect(await web.state()).toBe('shut off (shutdown)');
    });

    it('comes back with restartPolicy OnFailure when QEMU is killed, and not with Never', async () => {
      const web = await untilStartedAgain(lab(), 'web-1', () =>
        lab().patch('machine', 'web-1', { restartPolicy: 'OnFailure', restartRequestedAt: now() }),
      );
      const kill = async () => web.host.exec(['kill', '-9', String(await web.pid())]);
      await untilStartedAgain(lab(), 'web-1', kill);
      expect(turns(web).at(-2)).toBe('Stopped Failed');
      await lab().patch('machine', 'web-1', { restartPolicy: 'Never' });
      await lab().untilReady('web-1');
      await kill();
      await lab().untilReady('web-1', 'GuestPoweredOff');
      expect(await web.state()).toMatch(/^shut off \((failed|crashed)\)$/);
      await untilStartedAgain(lab(), 'web-1', () =>
        lab().patch('machine', 'web-1', { restartPolicy: 'Always', restartRequestedAt: now() }),
      );
    });
  });
};
