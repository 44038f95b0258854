import { describe, expect, it } from 'vitest';
import { type Circumstances, choose, isOn } from './choose.ts';

const bookworm = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n';
const root: Circumstances = { env: {}, isRoot: true, osRelease: bookworm, platform: 'linux' };

describe('choose', () => {
  it('takes KVM hosts on Debian 12, 13 and testing as root', () => {
    expect(choose(root)).toEqual({ kind: 'lab' });
    expect(choose({ ...root, osRelease: 'ID=debian\nVERSION_ID="13"\n' })).toEqual({ kind: 'lab' });
    expect(choose({ ...root, osRelease: 'ID=debian\n' })).toEqual({ kind: 'lab' });
  });

  it('says why the hosts are simulated', () => {
    expect(choose({ ...root, isRoot: false })).toEqual({
      kind: 'simulated',
      why: 'KVM hosts on this machine need root, so the hosts are simulated.',
    });
    for (const osRelease of ['ID=fedora\nVERSION_ID=43\n', 'ID=debian\nVERSION_ID="11"\n', undefined]) {
      expect(choose({ ...root, osRelease })).toEqual({
        kind: 'simulated',
        why: 'This is not Debian 12 or later, so the hosts are simulated.',
      });
    }
    expect(choose({ ...root, env: { HOSTS: 'simulated' } })).toEqual({ kind: 'simulated' });
  });

  it("takes the user's own cluster and hosts when both are named, wherever it runs", () => {
    const env = { KUBECONFIG: '/k', HOSTPOOL: 'pool.yaml' };
    expect(choose({ ...root, isRoot: false, osRelease: undefined, env })).toEqual({
      kind: 'own',
      kubeconfig: '/k',
      hostPoolFile: 'pool.yaml',
    });
    expect(choose({ ...root, env: { KUBECONFIG: '/k' } })).toEqual({ kind: 'lab' });
  });

  it('refuses what it cannot do', () => {
    expect(choose({ ...root, env: { HOSTPOOL: 'pool.yaml' } }).kind).toBe('wrong');
    expect(choose({ ...root, env: { HOSTS: 'real' } })).toEqual({
      kind: 'wrong',
      message: 'HOSTS may be "simulated"; it is "real".',
    });
    expect(choose({ ...root, platform: 'darwin' }).kind).toBe('wrong');
  });
});

it('reads switches as people write them', () => {
  expect(['1', 'yes', 'TRUE', 'on'].map(isOn)).toEqual([true, true, true, true]);
  expect(['0', 'no', '', undefined].map(isOn)).toEqual([false, false, false, false]);
});
