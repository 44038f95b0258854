import { bytesOf } from '../../api/quantity.ts';
import type { DiskWorld } from './world.ts';

/** What the disk shall measure: an image or a source may be larger than what was asked for. */
export const wantedBytes = ({ disk, source }: DiskWorld): number => {
  const asked = bytesOf(disk.spec.size);
  switch (source.kind) {
    case 'image':
      return Math.max(asked, source.virtualSizeBytes);
    case 'disk':
      return Math.max(asked, source.sizeBytes);
    case 'blank':
    case 'lack':
      return asked;
    default:
      return source satisfies never;
  }
};
