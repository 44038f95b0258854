import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sampleQcow2 } from '../../../src/media/qcow2-sample.ts';
import {
  checksumOf,
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
import { has } from './operator-lab.ts';

let lab: ImageLab;
let operator: ImageOperator;
const disk = randomBytes(mib);

beforeAll(async () => {
  lab = await startImageLab();
});
afterAll(async () => lab?.close());

const imageOf = (name: string, path: string, spec: object = {}, bytes: Uint8Array = disk) =>
  imageAt(lab, name, path, bytes, spec);

describe('images on a real API server', () => {
  beforeAll(async () => {
    operator = await lab.startImages();
  });
  afterAll(async () => operator.kill());

  it('fetches a good image onto the host with most room, tells all of it, and then writes no more', async () => {
    lab.serve('/good.raw', disk);
    await lab.apply(imageOf('good', '/good.raw'));
    const image = await lab.image('good', isReady);
    expect(image?.status).toMatchObject({
      copies: [{ host: 'kvm.n2', state: 'Ready' }],
      virtualSize: '1Mi',
      digest: checksumOf(disk),
      observedGeneration: 1,
    });
    expect([has(image, 'Reconciling', 'False'), has(image, 'Stalled', 'False')]).toEqual([true, true]);
    expect(image?.metadata.finalizers).toEqual(['ovcp.dev/protect']);
    expect(lab.file('kvm.n2', uidOf(image))).toMatchObject({
      complete: true,
      sizeBytes: mib,
      format: 'qcow2',
    });
    expect(lab.file('kvm.n1', uidOf(image))).toBeUndefined();
    await operator.quiet();
    const after = await lab.get('virtualmachineimage', 'good', 'default');
    expect(after?.metadata.resourceVersion).toBe(image?.metadata.resourceVersion);
    expect(lab.downloads('/good.raw')).toBe(1);
    const writes = (await lab.plane.audit()).filter(
      ({ verb, name, userAgent }) => verb === 'patch' && name === 'good' && userAgent === 'ovcp-operator',
    );
    expect(writes.length, 'finalizer and one status').toBe(2);
    expect(operator.told.filter((it) => it.startsWith('good '))).toEqual(['good Normal Ready']);
  });

  const qcow2 = (header: Parameters<typeof sampleQcow2>[0]): Buffer => sampleQcow2(header);
  it.each([
    ['checksum', 'raw', () => randomBytes(5000), 'ImageChecksumMismatch', /has the checksum sha256:/],
    [
      'backing',
      'qcow2',
      () => qcow2({ backingOffset: 512n, backingSize: 12 }),
      'ImageFormatRefused',
      /backing file/,
    ],
    ['not-qcow2', 'qcow2', () => randomBytes(70_000), 'ImageFormatRefused', /not|qcow2/],
  ] as const)('gives up on %s for good', async (name, format, make, reason, words) => {
    const bytes = make();
    lab.serve(`/${name}`, bytes);
    const wanted = name === 'checksum' ? disk : bytes;
    await lab.apply(imageOf(name, `/${name}`, { format }, wanted));
    const image = await lab.image(name, (it) => has(it, 'Stalled', 'True', reason));
    expect(conditionOf(image, 'Ready')).toMatchObject({ status: 'False', reason });
    expect(conditionOf(image, 'Ready')?.message).toMatch(words);
    expect(has(image, 'Reconciling', 'False')).toBe(true);
    expect(copiesOf(image)).toMatchObject([{ host: 'kvm.n2', state: 'Failed' }]);
    expect(lab.file('kvm.n2', uidOf(image))).toBeUndefined();
    await operator.quiet();
    expect(lab.downloads(`/${name}`)).toBe(1);
    expect(operator.told.filter((it) => it.startsWith(`${name} `))).toEqual([`${name} Warning ${reason}`]);
  });

  it('refuses a disk of 40 TiB in a file of a few KiB before fetching the rest', async () => {
    const bytes = qcow2({ virtualSize: 40n << 40n });
    lab.serve('/huge', bytes);
    await lab.apply(imageOf('huge', '/huge', { format: 'qcow2' }, bytes));
    const image = await lab.image('huge', (it) => has(it, 'Stalled', 'True', 'ImageTooLarge'));
    expect(conditionOf(image, 'Ready')?.message).toMatch(
      /virtual size .* is over the limit of 107374182400 bytes/,
    );
  });

  it('takes an image at once that was too large when the pool is told to take larger ones', async () => {
    const bytes = sampleQcow2({ virtualSize: 200n << 30n });
    lab.serve('/large', bytes);
    await lab.apply(imageOf('large', '/large', { format: 'qcow2' }, bytes));
    await lab.image('large', (it) => has(it, 'Stalled', 'True', 'ImageTooLarge'));
    const patch = JSON.stringify({ spec: { maxImageSize: '300Gi' } });
    await lab.plane.mustKubectl(['patch', 'storagepool', 'local', '--type=merge', '-p', patch]);
    const image = await lab.image('large', isReady);
    expect(image?.status).toMatchObject({ virtualSize: '200Gi' });
  });

  it('says that the file is not there', async () => {
    await lab.apply(imageOf('missing', '/missing'));
    const image = await lab.image('missing', (it) => has(it, 'Stalled', 'True', 'ImageUrlNotFound'));
    expect(conditionOf(image, 'Ready')?.message).toContain('answered with status 404');
  });

  it('says that the server redirects without end', async () => {
    lab.server.setRoute('/loop', { kind: 'redirect', location: '/loop' });
    await lab.apply(imageOf('loop', '/loop'));
    const image = await lab.image('loop', (it) => has(it, 'Stalled', 'True', 'ImageRedirectLoop'));
    expect(conditionOf(image, 'Ready')?.message).toContain('redirects more than 5 times');
  });

  it('tries again after a download that broke off', async () => {
    lab.server.setRoute('/cut', { kind: 'truncated', content: { bytes: disk }, bytes: 100_000 });
    await lab.apply(imageOf('cut', '/cut'));
    const image = await lab.image('cut', (it) => has(it, 'Ready', 'False', 'ImageTruncated'));
    expect([has(image, 'Reconciling', 'True'), has(image, 'Stalled', 'False')]).toEqual([true, true]);
    expect(lab.file('kvm.n2', uidOf(image))).toBeUndefined();
    lab.serve('/cut', disk);
    await lab.image('cut', isReady);
  });

  it('waits for its Secret and uses it once it is there', async () => {
    const route = { kind: 'file', content: { bytes: disk } } as const;
    lab.server.setRoute('/private', { kind: 'basicAuth', user: 'alice', password: 's3cret-word', route });
    const source = {
      url: `${lab.server.url}/private`,
      checksum: checksumOf(disk),
      credentialsSecretRef: { name: 'images' },
    };
    await lab.apply(imageOf('private', '/private', { source }));
    const image = await lab.image('private', (it) => has(it, 'Ready', 'False', 'SecretNotFound'));
    expect(conditionOf(image, 'Ready')?.message).toBe(
      'The import failed: Secret images does not exist in this namespace.',
    );
    expect(lab.downloads('/private')).toBe(0);
    const stringData = { username: 'alice', password: 's3cret-word' };
    const metadata = { name: 'images', namespace: 'default' };
    await lab.apply({ apiVersion: 'v1', kind: 'Secret', metadata, stringData });
    const done = await lab.image('private', isReady);
    expect(JSON.stringify(done)).not.toContain('s3cret-word');
  });

  it('is fetched as soon as the Secret that the server refused is another one', async () => {
    const route = { kind: 'file', content: { bytes: disk } } as const;
    lab.server.setRoute('/refusing', { kind: 'basicAuth', user: 'bob', password: 'right-word', route });
    const secret = (password: string) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'rotated', namespace: 'default' },
      stringData: { username: 'bob', password },
    });
    const source = {
      url: `${lab.server.url}/refusing`,
      checksum: checksumOf(disk),
      credentialsSecretRef: { name: 'rotated' },
    };
    await lab.apply(secret('wrong-word'), imageOf('refusing', '/refusing', { source }));
    const image = await lab.image('refusing', (it) => has(it, 'Ready', 'False', 'CredentialsRefused'));
    expect(conditionOf(image, 'Ready')?.message).toContain('answered with status 401');
    const asked = lab.downloads('/refusing');
    await lab.apply(secret('right-word'));
    const done = await lab.image('refusing', isReady);
    expect(lab.downloads('/refusing')).toBe(asked + 1);
    expect(JSON.stringify([image, done])).not.toMatch(/(right|wrong)-word/);
  });

  it('says the same of a pool that is absent and of one it may not use', async () => {
    await lab.apply(
      imageOf('poolless', '/good.raw', { storagePoolRef: { name: 'nowhere' } }),
      {
        apiVersion: 'ovcp.dev/v1alpha1',
        kind: 'StoragePool',
        metadata: { name: 'secluded' },
        spec: {
          driver: 'simulated',
          hostPoolRefs: [{ name: 'kvm' }],
          topology: 'HostLocal',
          roles: ['Images'],
          allowedNamespaces: { from: 'Selector', selector: { matchLabels: { team: 'b' } } },
        },
      },
      imageOf('forbidden', '/good.raw', { storagePoolRef: { name: 'secluded' } }),
    );
    const messages = await Promise.all(
      ['poolless', 'forbidden'].map(async (name) => {
        const image = await lab.image(name, (it) => has(it, 'Stalled', 'True', 'StoragePoolNotFound'));
        return conditionOf(image, 'Ready')?.message.replace(/nowhere|secluded/, 'X');
      }),
    );
    expect(messages).toEqual(
      Array(2).fill('StoragePool X does not exist, or this namespace may not use it.'),
    );
  });
});

describe('an operator that may not fetch from loopback', () => {
  afterEach(async () => operator.kill());

  it('refuses the address without asking it', async () => {
    operator = await lab.startImages({ allowedCidrs: [] });
    lab.serve('/inner', disk);
    await lab.apply(imageOf('inner', '/inner'));
    const image = await lab.image('inner', (it) => has(it, 'Stalled', 'True', 'ImageUrlRefused'));
    expect(conditionOf(image, 'Ready')?.message).toContain('is in a private or special network');
    expect(lab.downloads('/inner')).toBe(0);
    await lab.drop('virtualmachineimage', 'inner');
    await lab.gone('inner');
  });
});
