/** Brings what the suites on real servers need: Debian packages, the control plane's binaries, the guest image. */
import { ensureControlPlaneBinaries } from '../lab/control-plane-binaries.ts';
import { ensureGuestImage } from '../lab/guest-image.ts';
import {
  ensureDebianPackages,
  glusterPackages,
  guestImagePackages,
  iscsiTargetPackages,
  kvmHostPackages,
} from '../lab/packages.ts';

await ensureDebianPackages([
  ...kvmHostPackages,
  ...guestImagePackages,
  ...glusterPackages,
  ...iscsiTargetPackages,
]);
await ensureControlPlaneBinaries();
await ensureGuestImage();
