import { expect, it } from 'vitest';
import { readObject } from './read.ts';
import { virtualDisk } from './virtual-disk.ts';

const metadata = { name: 'd' };
const spec = { size: '1Gi', storagePoolRef: { name: 'p' } };

it('fills in defaults and drops what nobody knows', () => {
  const read = readObject(virtualDisk, { metadata, spec: { ...spec, later: 1 }, status: { host: 'a.b' } });
  expect(read).toEqual({
    kind: 'object',
    object: {
      metadata,
      spec: {
        ...spec,
        source: { type: 'Blank' },
        format: 'qcow2',
        reclaimPolicy: 'Delete',
        deletionProtection: false,
      },
      status: { host: 'a.b' },
    },
  });
});

it('says why a spec cannot be read', () => {
  const read = readObject(virtualDisk, { metadata, spec: { ...spec, size: 'big' } });
  expect(read).toEqual({
    kind: 'unreadable',
    message: 'size: size must be a quantity between 1Mi and 64Ti, such as 4Gi',
  });
});

it('reads an object whose status was spoilt by hand as one without status', () => {
  const read = readObject(virtualDisk, { metadata, spec, status: { host: 7 } });
  expect(read.kind === 'object' && 'status' in read.object).toBe(false);
  expect(read.kind).toBe('object');
});
