/** Differences of disks, CD-ROM drives and NICs. Pure; `compareShapes` in differences.ts puts them together. */
import type { Difference } from './differences.ts';
import {
  type Attachment,
  type CdromShape,
  type DiskShape,
  filesOf,
  type NetworkAttachment,
  type NicBackend,
  type NicShape,
} from './shape.ts';

const gib = 1024 ** 3;
const mib = 1024 ** 2;

const sizeText = (bytes: number): string => {
  if (bytes % gib === 0) {
    return `${bytes / gib}Gi`;
  }
  return bytes % mib === 0 ? `${bytes / mib}Mi` : `${bytes}`;
};

// The last element alone: where a host keeps its files is no tenant's business.
const fileName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const fileText = (file: { readonly path: string; readonly format: string }): string =>
  `${fileName(file.path)} (${file.format})`;
const authText = ({ auth }: NetworkAttachment): string =>
  auth === undefined
    ? 'without credentials'
    : `with credentials ${auth.secretUuid.slice(0, 8)} of ${auth.user}`;
const lunText = (attachment: NetworkAttachment): string => {
  const { portal, targetIqn, lun, initiator } = attachment;
  const where = `${targetIqn}/${lun} at ${portal.address}:${portal.port}`;
  return `iSCSI ${where} for ${initiator} ${authText(attachment)}`;
};
const attachmentText = (attachment: Attachment): string => {
  switch (attachment.kind) {
    case 'file':
      return filesOf(attachment).map(fileText).join(' over ');
    case 'network':
      return lunText(attachment);
    case 'block':
      return `device ${fileName(attachment.path)}`;
    default:
      return attachment satisfies never;
  }
};
const attachmentKey = (attachment: Attachment): string => {
  switch (attachment.kind) {
    case 'file':
      return filesOf(attachment)
        .map((file) => `${file.format}:${file.path}`)
        .join('\n');
    case 'block':
      return `block:${attachment.path}`;
    case 'network': {
      const { protocol, portal, targetIqn, lun, initiator, auth } = attachment;
      const { address, port } = portal;
      return JSON.stringify([
        protocol,
        address,
        port,
        targetIqn,
        lun,
        initiator,
        auth?.user,
        auth?.secretUuid,
      ]);
    }
    default:
      return attachment satisfies never;
  }
};

const diskText = (disk: DiskShape): string =>
  disk.sizeBytes === 0 ? disk.bus : `${sizeText(disk.sizeBytes)} ${disk.bus}`;
const orderText = (order: number | undefined): string => (order === undefined ? 'none' : String(order));

/** Pairs two lists by key; a key twice on one side keeps its last item. */
const paired = <T>(
  desired: readonly T[],
  seen: readonly T[],
  keyOf: (item: T) => string,
): { readonly wish?: T; readonly sight?: T }[] => {
  const wishes = new Map(desired.map((item) => [keyOf(item), item]));
  const sights = new Map(seen.map((item) => [keyOf(item), item]));
  return [...new Set([...wishes.keys(), ...sights.keys()])].map((key) => {
    const [wish, sight] = [wishes.get(key), sights.get(key)];
    return { ...(wish === undefined ? {} : { wish }), ...(sight === undefined ? {} : { sight }) };
  });
};

const bootDifference = (
  path: string,
  wish: { readonly bootOrder?: number | undefined },
  sight: { readonly bootOrder?: number | undefined },
): Difference[] =>
  wish.bootOrder === sight.bootOrder
    ? []
    : [
        {
          path: `${path}.bootOrder`,
          from: orderText(sight.bootOrder),
          to: orderText(wish.bootOrder),
          change: { kind: 'bootOrder' },
        },
      ];

const sizeDifference = (path: string, wish: DiskShape, sight: DiskShape): Difference[] => {
  if (sight.sizeBytes === 0 || wish.sizeBytes === sight.sizeBytes) {
    return [];
  }
  const change: Difference['change'] =
    wish.sizeBytes > sight.sizeBytes ? { kind: 'diskGrow', disk: wish } : { kind: 'diskShrink' };
  return [{ path: `${path}.size`, from: sizeText(sight.sizeBytes), to: sizeText(wish.sizeBytes), change }];
};

const sameDiskDifferences = (wish: DiskShape, sight: DiskShape): Difference[] => {
  const path = `spec.disks[${wish.name}]`;
  const found = [...sizeDifference(path, wish, sight), ...bootDifference(path, wish, sight)];
  if (wish.bus !== sight.bus) {
    found.push({ path: `${path}.bus`, from: sight.bus, to: wish.bus, change: { kind: 'diskRebuild' } });
  }
  if (attachmentKey(wish.attachment) !== attachmentKey(sight.attachment)) {
    const [from, to] = [attachmentText(sight.attachment), attachmentText(wish.attachment)];
    found.push({ path, from, to, change: { kind: 'diskRebuild' } });
  }
  return found;
};

/** A disk that a person attached by hand has no serial of ours; its name tells it apart. */
const diskKey = (disk: DiskShape): string => (disk.serial === '' ? `name:${disk.name}` : disk.serial);

export const diskDifferences = (desired: readonly DiskShape[], seen: readonly DiskShape[]): Difference[] =>
  paired(desired, seen, diskKey).flatMap(({ wish, sight }): Difference[] => {
    if (wish !== undefined && sight !== undefined) {
      return sameDiskDifferences(wish, sight);
    }
    if (wish !== undefined) {
      const path = `spec.disks[${wish.name}]`;
      return [{ path, from: 'none', to: diskText(wish), change: { kind: 'diskAttach', disk: wish } }];
    }
    if (sight !== undefined) {
      const path = `spec.disks[${sight.name}]`;
      return [{ path, from: diskText(sight), to: 'none', change: { kind: 'diskDetach', seen: sight } }];
    }
    return [];
  });

const seedName = 'ovcp-seed';
const cdromPath = (name: string): string => (name === seedName ? 'spec.cloudInit' : `spec.cdroms[${name}]`);
const mediaText = (cdrom: CdromShape): string => (cdrom.path === undefined ? 'empty' : fileName(cdrom.path));

const sameCdromDifferences = (wish: CdromShape, sight: CdromShape): Difference[] => {
  const path = cdromPath(wish.name);
  const found = bootDifference(path, wish, sight);
  if (wish.path !== sight.path) {
    const change = { kind: 'media', cdrom: wish } as const;
    found.push({ path, from: mediaText(sight), to: mediaText(wish), change });
  }
  return found;
};

export const cdromDifferences = (desired: readonly CdromShape[], seen: readonly CdromShape[]): Difference[] =>
  paired(desired, seen, (cdrom) => cdrom.name).flatMap(({ wish, sight }): Difference[] => {
    if (wish !== undefined && sight !== undefined) {
      return sameCdromDifferences(wish, sight);
    }
    if (wish !== undefined) {
      const [path, to] = [cdromPath(wish.name), mediaText(wish)];
      return [{ path, from: 'none', to, change: { kind: 'cdromAdd' } }];
    }
    if (sight !== undefined) {
      const [path, from] = [cdromPath(sight.name), mediaText(sight)];
      return [{ path, from, to: 'none', change: { kind: 'cdromRemove' } }];
    }
    return [];
  });

const backendText = (backend: NicBackend): string => {
  switch (backend.kind) {
    case 'bridge':
      return backend.vlan === undefined
        ? `bridge ${backend.bridge}`
        : `bridge ${backend.bridge} vlan ${backend.vlan}`;
    case 'network':
      return `network ${backend.network}`;
    default:
      return backend satisfies never;
  }
};

const guardText = ({ guard }: NicShape): string => {
  if (!guard.mac && !guard.ip) {
    return 'off';
  }
  const parts = guard.mac ? ['MAC'] : [];
  if (guard.ip) {
    parts.push(guard.ips.length === 0 ? 'IP by DHCP' : `IP ${guard.ips.toSorted().join(' ')}`);
  }
  return parts.join(' and ');
};

const nicText = (nic: NicShape): string => `${nic.mac} on ${backendText(nic.backend)}`;

const sameNicDifferences = (wish: NicShape, sight: NicShape): Difference[] => {
  const path = `spec.networks[${wish.name}]`;
  const both = { nic: wish, seen: sight };
  const rows: readonly (Difference & { readonly same: boolean })[] = [
    {
      path: `${path}.linkState`,
      from: sight.link,
      to: wish.link,
      change: { kind: 'nicLink', ...both },
      same: wish.link === sight.link,
    },
    {
      path,
      from: backendText(sight.backend),
      to: backendText(wish.backend),
      change: { kind: 'nicNetwork', ...both },
      same: backendText(wish.backend) === backendText(sight.backend),
    },
    {
      path: `${path}.antiSpoofing`,
      from: guardText(sight),
      to: guardText(wish),
      change: { kind: 'nicGuard', ...both },
      same: guardText(wish) === guardText(sight),
    },
    {
      path: `${path}.model`,
      from: sight.model,
      to: wish.model,
      change: { kind: 'nicModel' },
      same: wish.model === sight.model,
    },
  ];
  return [
    ...rows.filter((row) => !row.same).map(({ path, from, to, change }) => ({ path, from, to, change })),
    ...bootDifference(path, wish, sight),
  ];
};

export const nicDifferences = (desired: readonly NicShape[], seen: readonly NicShape[]): Difference[] =>
  paired(desired, seen, (nic) => nic.mac.toLowerCase()).flatMap(({ wish, sight }): Difference[] => {
    if (wish !== undefined && sight !== undefined) {
      return sameNicDifferences(wish, sight);
    }
    if (wish !== undefined) {
      const path = `spec.networks[${wish.name}]`;
      return [{ path, from: 'none', to: nicText(wish), change: { kind: 'nicAttach', nic: wish } }];
    }
    if (sight !== undefined) {
      const path = `spec.networks[${sight.name}]`;
      return [{ path, from: nicText(sight), to: 'none', change: { kind: 'nicDetach', seen: sight } }];
    }
    return [];
  });
