/** Bad input: refused by the API server where it can know, else a condition that a person understands. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Route } from '../../../hack/lab/http-server.ts';
import { run } from '../../../hack/lab/process.ts';
import { conditionOf, is, type Lab } from '../harness/lab.ts';
import { disk, hostPool, image, machine, templated } from '../harness/objects.ts';
import { filesOf } from './trouble.ts';

interface Wrong {
  readonly what: string;
  readonly reason: string;
  readonly message: RegExp;
  readonly route: (lab: Lab) => Promise<Route> | Route;
}

const made = async (lab: Lab, name: string, ...args: string[]): Promise<Route> => {
  const path = join(lab.dir, name);
  await run(['qemu-img', 'create', '-q', '-f', 'qcow2', ...args.slice(0, -1), path, ...args.slice(-1)]);
  return { kind: 'file', content: { path } };
};

const wrongImages: readonly Wrong[] = [
  {
    what: 'whose URL is gone',
    reason: 'ImageUrlNotFound',
    message: /404/,
    route: () => ({ kind: 'status', status: 404 }),
  },
  {
    what: 'whose URL redirects to itself',
    reason: 'ImageRedirectLoop',
    message: /redirect/i,
    route: (lab) => ({ kind: 'redirect', location: `${lab.files.url}/wrong.qcow2` }),
  },
  {
    what: 'that breaks off',
    reason: 'ImageTruncated',
    message: /broke off after \d+ of \d+ bytes/,
    route: (lab) => ({ kind: 'truncated', content: { path: lab.image.qcow2Path }, bytes: 100_000 }),
  },
  {
    what: 'of 40 GiB in a small file',
    reason: 'ImageTooLarge',
    message: /over the limit of 10737418240 bytes/,
    route: (lab) => made(lab, 'huge.qcow2', '40G'),
  },
  {
    what: 'with a backing file',
    reason: 'ImageFormatRefused',
    message: /backing/i,
    route: (lab) => made(lab, 'backed.qcow2', '-u', '-b', '/etc/passwd', '-F', 'raw', '1M'),
  },
];

const digestOf = async (route: Route): Promise<string> => {
  if (route.kind !== 'file' || !('path' in route.content)) return '0'.repeat(64);
  return (await run(['sha256sum', route.content.path])).stdout.slice(0, 64);
};

export const badInput = (lab: () => Lab): void => {
  describe('bad input', () => {
    it.each(wrongImages.map((wrong) => [wrong.what, wrong] as const))(
      'an image %s is a condition, and nothing of it stays',
      async (_, wrong) => {
        const name = wrong.reason.toLowerCase();
        const route = await wrong.route(lab());
        lab().files.setRoute('/wrong.qcow2', route);
        await lab().apply(image(name, `${lab().files.url}/wrong.qcow2`, `sha256:${await digestOf(route)}`));
        const refused = await lab().until('image', name, (it) => is(it, 'Ready', 'False', wrong.reason));
        expect(conditionOf(refused, 'Ready')?.message).toMatch(wrong.message);
        expect(conditionOf(refused, 'Ready')?.message).not.toContain('/etc/passwd');
        await lab().remove('image', name);
        await lab().untilGone('image', name);
        expect(await filesOf(lab(), refused.metadata.uid)).toEqual([]);
      },
    );

    it('an image from an address that is not allowed is refused', async () => {
      await lab().apply(image('inside', 'http://169.254.169.254/latest', `sha256:${'0'.repeat(64)}`));
      await lab().until('image', 'inside', (it) => is(it, 'Ready', 'False', 'ImageUrlRefused'));
      await lab().remove('image', 'inside');
      await lab().untilGone('image', 'inside');
    });

    it('a pool that is forbidden and one that is absent get the same words', async () => {
      const forbidden = hostPool('theirs', []);
      await lab().applyAsAdmin({
        ...forbidden,
        spec: { ...forbidden.spec, allowedNamespaces: { from: 'None' } },
      });
      const words: string[] = [];
      for (const name of ['theirs', 'nobodys']) {
        await lab().apply(machine(`in-${name}`, { hostPoolRef: { name }, disks: [] }));
        const told = await lab().until('machine', `in-${name}`, (it) =>
          is(it, 'Ready', 'False', 'HostPoolNotFound'),
        );
        words.push(conditionOf(told, 'Ready')?.message.replaceAll(name, 'NAME') ?? name);
      }
      expect(words[0]).toBe(words[1]);
      await lab().remove('machine', 'in-theirs', 'in-nobodys');
      for (const name of ['in-theirs', 'in-nobodys']) await lab().untilGone('machine', name);
      await lab().remove('pool', 'theirs');
      await lab().untilGone('pool', 'theirs');
    });

    it('memory above every host is said of each host', async () => {
      await lab().apply(machine('giant', { memory: '16Ti', disks: [] }));
      const told = await lab().until('machine', 'giant', (it) => is(it, 'Ready', 'False', 'NoHostFits'));
      const hosts = (told.status.unplaced as { host: string }[]).map(({ host }) => host);
      expect(hosts.toSorted()).toEqual(['kvm.node1', 'kvm.node2']);
      await lab().remove('machine', 'giant');
      await lab().untilGone('machine', 'giant');
    });

    it('a machine without its network, image or size says which', async () => {
      await lab().apply(
        machine('lacks-network', {
          disks: [],
          networks: [{ name: 'eth0', networkRef: { name: 'nowhere' } }],
        }),
        machine('lacks-image', { disks: [templated('root', { imageRef: { name: 'no-image' } })] }),
        machine('lacks-size', { disks: [], cpu: null, memory: null, sizeRef: { name: 'no-size' } }),
      );
      const told = async (name: string, reason: string): Promise<string> => {
        const it = await lab().until('machine', name, (thing) => is(thing, 'Ready', 'False', reason));
        return conditionOf(it, 'Ready')?.message ?? '';
      };
      expect(await told('lacks-network', 'NetworkNotFound')).toContain('nowhere');
      expect(await told('lacks-image', 'ImageNotFound')).toContain('no-image');
      expect(await told('lacks-size', 'SizeNotFound')).toContain('no-size');
      const names = ['lacks-network', 'lacks-image', 'lacks-size'];
      await lab().remove('machine', ...names);
      for (const name of names) await lab().untilGone('machine', name);
    });

    it('a disk does not shrink, and two devices have no one place in the order of boot', async () => {
      await lab().apply(disk('shrinking', '8Mi'));
      await expect(lab().patch('disk', 'shrinking', { size: '4Mi' })).rejects.toThrow(
        'a disk can only grow: size must not become smaller',
      );
      await lab().remove('disk', 'shrinking');
      await lab().untilGone('disk', 'shrinking');
      const twice = ['a', 'b'].map((name) => templated(name, {}, { bootOrder: 1 }));
      await expect(lab().apply(machine('twice', { disks: twice }))).rejects.toThrow(
        'two devices have the same bootOrder',
      );
    });
  });
};
