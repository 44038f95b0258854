import { z } from 'zod';
import { immutable, matching } from './kit.ts';

/**
 * What LVM takes for a group (lvm2, validate_name), and short enough for names of volumes: device mapper has 127
 * characters for both together, in which each hyphen counts twice.
 */
const GROUP_NAME = /^[A-Za-z0-9_+][A-Za-z0-9_+.-]{0,39}$/;

export const lvmSpec = z
  .object({
    volumeGroup: immutable(
      matching(40, GROUP_NAME, 'must be the name of a volume group such as vg0'),
      'lvm.volumeGroup',
    ).describe(
      'Volume group that exists on each host, and that no other host sees. What others keep in it stays as it is.',
    ),
  })
  .describe('A volume group of each host: one logical volume for each disk.');
