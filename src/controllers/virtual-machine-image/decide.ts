/** The next step for an image, and why. Pure. */
import { FINALIZER } from '../../api/identity.ts';
import { settled, step, wait } from '../decision.ts';
import { decideDeletion } from './decide-deletion.ts';
import type { Decision } from './decision.ts';
import { isRefused, refusalOf, verdictOfImport } from './refusal.ts';
import { completeCopies, copyKeyOf, hiddenCopies, isComplete, wantedHosts } from './wanted.ts';
import type { HostWorld, ImageSight, ImageWorld, ImportState } from './world.ts';

/** Progress comes by the jobs room; this is for when it forgets us. */
const importPollMs = 60_000;

/** Secrets are not watched; one that was refused is looked at this often, and the server left alone meanwhile. */
const secretPollMs = 10_000;

const hasNewSecret = (state: ImportState, { secretVersion }: ImageSight): boolean =>
  isRefused(state) &&
  state.kind === 'failed' &&
  secretVersion !== undefined &&
  secretVersion !== state.secretVersion;

/** Not begun, or failed and due again: by time, or because the pool takes other sizes or the Secret is another. */
const isDue = (world: ImageWorld, seen: ImageSight, state: ImportState | undefined): boolean =>
  state === undefined ||
  (state.kind === 'failed' &&
    (state.dueMs <= world.monotonicMs ||
      state.maxImageBytes !== world.maxImageBytes ||
      hasNewSecret(state, seen)));

/** Which of the wanted copies are to be begun now. */
export const toImport = (world: ImageWorld, seen: ImageSight): readonly HostWorld[] =>
  refusalOf(world) !== undefined
    ? []
    : wantedHosts(world, seen).filter(
        ({ name }) =>
          !isComplete(seen, name) && isDue(world, seen, world.imports.get(copyKeyOf(world, name))),
      );

export const beginImports = (hosts: readonly HostWorld[]): Decision =>
  step({ kind: 'import', hosts: hosts.map(({ name }) => name) }, 'Importing', 'The image is being fetched.');

/** Something that is wanted and missing, and not being fetched at this moment. */
const decideFailed = (world: ImageWorld, seen: ImageSight): Decision | undefined => {
  for (const { name } of wantedHosts(world, seen)) {
    const state = world.imports.get(copyKeyOf(world, name));
    if (state?.kind === 'failed' && !isComplete(seen, name)) {
      const { health, reason, message } = verdictOfImport(state.fault);
      const dueMs = Math.max(0, state.dueMs - world.monotonicMs);
      const polls = isRefused(state) && world.image.spec.source.credentialsSecretRef !== undefined;
      return wait(health, reason, message, polls ? Math.min(dueMs, secretPollMs) : dueMs);
    }
  }
  return undefined;
};

const decideNowhere = (world: ImageWorld, seen: ImageSight): Decision => {
  const [hidden] = hiddenCopies(world, seen);
  if (hidden !== undefined) {
    return wait('unknown', 'HostUnreachable', `${hidden}, which has the image, cannot be asked.`);
  }
  return wantedHosts(world, seen).length === 0
    ? wait('trouble', 'NoHostsReady', 'No host that reaches the storage pool is ready.')
    : wait('progress', 'Importing', 'The image is being fetched.', importPollMs);
};

const decideCopies = (world: ImageWorld, seen: ImageSight): Decision => {
  const refusal = refusalOf(world);
  if (refusal !== undefined) return settled(refusal.health, refusal.reason, refusal.message);
  const missing = toImport(world, seen);
  if (missing.length > 0) {
    const begin = beginImports(missing);
    return completeCopies(seen).length === 0 ? begin : { ...begin, ...there };
  }
  const failed = decideFailed(world, seen);
  if (failed !== undefined) return failed;
  if (completeCopies(seen).length === 0) return decideNowhere(world, seen);
  const more = wantedHosts(world, seen).some(({ name }) => !isComplete(seen, name));
  return more
    ? wait(there.health, there.reason, there.message, importPollMs)
    : settled(there.health, there.reason, there.message);
};

/**
 * A further copy on its way changes nothing of it: whoever waits for the image (kstatus) has what was asked for, and
 * a machine placed on another host must not make a settled image unsettled again.
 */
const there = { health: 'ok', reason: 'Ready', message: 'The image is there and verified.' } as const;

export const decide = (world: ImageWorld, seen: ImageSight): Decision => {
  const { image } = world;
  const ours = (image.metadata.finalizers ?? []).includes(FINALIZER);
  if (image.metadata.deletionTimestamp !== undefined) {
    return ours
      ? decideDeletion(world, seen, toImport(world, seen))
      : settled('progress', 'Deleting', 'Others hold the object.');
  }
  if (world.pausedBy !== undefined) return settled('progress', 'Paused', `Paused: ${world.pausedBy}.`);
  if (world.poolLack !== undefined) return wait('invalid', world.poolLack.reason, world.poolLack.message);
  if (!ours) return step({ kind: 'addFinalizer' }, 'Importing', 'The image is being fetched.');
  return decideCopies(world, seen);
};
