/** Brings what the suites on real servers need: Debian packages, the control plane's binaries, the guest images. */
import { ensureControlPlaneBinaries } from '../lab/control-plane-binaries.ts';
import { ensureGuestImage } from '../lab/guest-image.ts';
import {
  ensureDebianPackages,
  glusterPackages,
  guestImagePackages,
  iscsiTargetPackages,
  kvmHostPackages,
  storageGuestPackages,
} from '../lab/packages.ts';
import { ensureStorageGuestImage } from '../lab/storage-guest-image.ts';

await ensureDebianPackages([
  ...kvmHostPackages,
  ...guestImagePackages,
  ...glusterPackages,
  ...storageGuestPackages,
  ...iscsiTargetPackages,
]);
await ensureControlPlaneBinaries();
await ensureGuestImage();
await ensureStorageGuestImage();
