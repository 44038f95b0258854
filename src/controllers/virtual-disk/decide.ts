/** The next step for a disk, and why. Pure. */
import { FINALIZER } from '../../api/identity.ts';
import type { VolumeSeen } from '../../drivers/hypervisor/host-storage.ts';
import { settled, step, wait } from '../decision.ts';
import { claimOf, homeOf, isLeaving } from './claim.ts';
import { decideFill, decideRegrow } from './decide-block.ts';
import { decideDeletion } from './decide-deletion.ts';
import { decideMove } from './decide-move.ts';
import { decideServed } from './decide-served.ts';
import type { Decision } from './decision.ts';
import { wantedBytes } from './wanted-bytes.ts';
import type { DiskSight, DiskWorld } from './world.ts';

/** The volume on the disk's host, when somebody looked. */
export const volumeAt = (seen: DiskSight | undefined, home: string | undefined): VolumeSeen | undefined => {
  const found = seen?.volumes.find(({ host }) => host === home)?.sight;
  return found?.kind === 'present' ? found.volume : undefined;
};

const decideCopy = (world: DiskWorld, home: string, from: string): Decision => {
  const { job, volume, disk } = world;
  switch (job?.kind) {
    case 'queued':
    case 'running':
      return wait('progress', 'Copying', 'The disk is being filled.', 30_000);
    case 'failed':
      return step({ kind: 'failCopy' }, 'Copying', job.fault.message);
    case 'done':
    case undefined: {
      const work = {
        kind: 'copy',
        from,
        volume,
        format: world.block === undefined ? disk.spec.format : 'raw',
        sizeBytes: wantedBytes(world),
      } as const;
      return step({ kind: 'copy', host: home, work }, 'Copying', 'The disk is being filled.');
    }
    default:
      return job satisfies never;
  }
};

const decideMake = (world: DiskWorld, home: string): Decision => {
  const { source, volume, disk } = world;
  const sizeBytes = wantedBytes(world);
  if (world.block !== undefined && (source.kind === 'blank' || source.kind === 'image'))
    return decideFill(world, home, sizeBytes);
  switch (source.kind) {
    case 'lack':
      return wait(
        source.lack.reason.startsWith('WaitingFor') ? 'progress' : 'invalid',
        source.lack.reason,
        source.lack.message,
      );
    case 'blank':
      return step(
        {
          kind: 'store',
          host: home,
          step: { kind: 'createBlank', volume, format: disk.spec.format, sizeBytes },
        },
        'Creating',
        'The disk is being made.',
      );
    case 'disk':
      return source.inUseBy === undefined
        ? decideCopy(world, home, source.volume)
        : wait(
            'progress',
            'DiskInUse',
            `VirtualDisk ${source.name} is in use by ${source.inUseBy}; it is copied once it is free.`,
          );
    case 'image':
      if (!source.readyOn.some((host) => host === undefined || host === home)) {
        return wait('progress', 'WaitingForImage', `Image ${source.name} is not on ${home} yet.`);
      }
      return source.linked
        ? step(
            {
              kind: 'store',
              host: home,
              step: { kind: 'createLinked', volume, backing: source.file, sizeBytes },
            },
            'Creating',
            'The disk is being made.',
          )
        : decideCopy(world, home, source.file);
    default:
      return source satisfies never;
  }
};

/**
 * A disk that nobody holds is brought to its size before a claim is granted, so that nobody resizes under a machine
 * that starts; one that is held is grown by its running machine.
 */
const decideGrow = (world: DiskWorld, home: string, volume: VolumeSeen): Decision | undefined => {
  const sizeBytes = wantedBytes(world);
  if (volume.sizeBytes >= sizeBytes) return undefined;
  const holder = world.disk.status?.claim?.vmName;
  // It may be on its way because there is no room to grow.
  if (world.noRoom !== undefined || (holder === undefined && isLeaving(world))) return undefined;
  return holder === undefined
    ? step(
        { kind: 'store', host: home, step: { kind: 'grow', volume: volume.name, sizeBytes } },
        'Growing',
        'The disk is being grown.',
      )
    : wait('progress', 'Growing', `The disk is grown by machine ${holder} while it runs.`);
};

const decidePresent = (world: DiskWorld, seen: DiskSight, home: string, volume: VolumeSeen): Decision => {
  const grow =
    world.block === undefined ? decideGrow(world, home, volume) : decideRegrow(world, seen, home, volume);
  if (grow !== undefined) return grow;
  const claim = claimOf(world, seen, home);
  return claim === undefined
    ? settled('ok', 'Available', 'The disk exists and nobody uses it.')
    : settled('ok', 'Attached', `Machine ${claim.vmName} uses the disk.`);
};

const decideHomeless = (world: DiskWorld): Decision => {
  if (world.source.kind === 'lack') {
    const { reason, message } = world.source.lack;
    return reason.startsWith('WaitingFor')
      ? wait('progress', reason, message)
      : wait('invalid', reason, message);
  }
  return world.shared
    ? wait('trouble', 'NoHostsReady', 'No host that reaches the storage pool is ready.')
    : settled('ok', 'WaitingForFirstUse', 'The disk is made on the host of the first machine that uses it.');
};

const decideAt = (world: DiskWorld, seen: DiskSight, home: string): Decision => {
  const host = world.hosts.find(({ name }) => name === home);
  if (host?.declaredDown !== undefined) {
    return wait(
      'trouble',
      'DiskLost',
      `${home}, which held the disk, was declared gone: ${host.declaredDown}.`,
    );
  }
  const looked = seen.volumes.find((it) => it.host === home);
  if (looked === undefined)
    return wait('unknown', 'StorageNotReady', `The storage pool cannot be looked at on ${home}.`);
  const made = world.disk.status?.volume !== undefined || world.move !== undefined;
  const there = looked.sight.kind === 'present' ? looked.sight.volume : undefined;
  if (there?.complete === true || there?.growing === true) return decidePresent(world, seen, home, there);
  // What was there once is never made anew: an empty disk in place of lost data helps nobody.
  if (made)
    return wait(
      'trouble',
      'DiskLost',
      `The volume of the disk is gone from ${home}; somebody removed it there.`,
    );
  return decideMake(world, home);
};

const decideWhereItIs = (world: DiskWorld, seen: DiskSight): Decision => {
  if (world.poolLack !== undefined) return wait('invalid', world.poolLack.reason, world.poolLack.message);
  if (world.served !== undefined) return decideServed(world, seen);
  const home = homeOf(world);
  return home === undefined ? decideHomeless(world) : decideAt(world, seen, home);
};

export const decide = (world: DiskWorld, seen: DiskSight): Decision => {
  const { disk } = world;
  const ours = (disk.metadata.finalizers ?? []).includes(FINALIZER);
  if (disk.metadata.deletionTimestamp !== undefined) {
    return ours ? decideDeletion(world, seen) : settled('progress', 'Deleting', 'Others hold the object.');
  }
  if (world.pausedBy !== undefined) return settled('progress', 'Paused', `Paused: ${world.pausedBy}.`);
  if (!ours && world.poolLack === undefined && world.noRoom !== undefined)
    return wait('trouble', 'OverProvisioned', world.noRoom);
  if (!ours && world.poolLack === undefined)
    return step({ kind: 'addFinalizer' }, 'Creating', 'The disk is being made.');
  const decision =
    world.move === undefined || !ours
      ? decideWhereItIs(world, seen)
      : decideMove(world, seen, () => decideWhereItIs(world, seen));
  // It is used as it is, and not as large as it shall be.
  return world.noRoom !== undefined && decision.plan.kind === 'settled' && decision.health === 'ok'
    ? wait('trouble', 'OverProvisioned', world.noRoom)
    : decision;
};
