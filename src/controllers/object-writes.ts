/** The few writes that every kind needs: finalizer and status. */
import { FINALIZER } from '../api/identity.ts';
import { API_VERSION, type ObjectMeta } from '../api/kind.ts';
import type { Resource } from '../kube/contract.ts';
import type { KubeObject } from '../kube/types.ts';
import { addFinalizerPatch, removeFinalizerPatch } from '../runtime/finalizer.ts';
import type { Effect } from '../runtime/pass.ts';
import { FIELD_MANAGER } from './context.ts';

interface Ours {
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** Name, and namespace where there is one. */
const nameOf = ({ name, namespace }: ObjectMeta) => ({
  name,
  ...(namespace === undefined ? {} : { namespace }),
});

export const hasOurFinalizer = ({ metadata }: Ours): boolean =>
  metadata.finalizers?.includes(FINALIZER) === true;

const changeFinalizer = async <T extends KubeObject>(
  resource: Pick<Resource<T>, 'patchJson'>,
  { metadata }: Ours,
  change: 'add' | 'remove',
  effect: Effect,
  signal: AbortSignal,
): Promise<void> => {
  const patch = (change === 'add' ? addFinalizerPatch : removeFinalizerPatch)(metadata, FINALIZER);
  if (patch === undefined) return;
  await effect(`${change} finalizer`, () =>
    resource.patchJson(nameOf(metadata), patch, { fieldManager: FIELD_MANAGER }, signal),
  );
};

export const addFinalizer = <T extends KubeObject>(
  resource: Pick<Resource<T>, 'patchJson'>,
  object: Ours,
  effect: Effect,
  signal: AbortSignal,
): Promise<void> => changeFinalizer(resource, object, 'add', effect, signal);

export const removeFinalizer = <T extends KubeObject>(
  resource: Pick<Resource<T>, 'patchJson'>,
  object: Ours,
  effect: Effect,
  signal: AbortSignal,
): Promise<void> => changeFinalizer(resource, object, 'remove', effect, signal);

/**
 * The complete status; `uid` keeps it from reaching another object of the same name. Answers what the object has now:
 * ours, and what others own of it.
 */
export const writeStatus = async <Status, T extends KubeObject & { readonly status?: Status }>(
  resource: Pick<Resource<T>, 'applyStatus'>,
  { kind, metadata }: Ours,
  status: Status,
  signal: AbortSignal,
): Promise<Status | undefined> => {
  const { uid } = metadata;
  const written = await resource.applyStatus(
    { apiVersion: API_VERSION, kind, metadata: { ...nameOf(metadata), uid }, status },
    { fieldManager: FIELD_MANAGER, force: true },
    signal,
  );
  return written.status;
};

export const referenceTo = ({ kind, metadata }: Ours) => ({
  apiVersion: API_VERSION,
  kind,
  ...nameOf(metadata),
  uid: metadata.uid,
});

/** Whether a change of an object is more than a status that we wrote ourselves. */
export const isNews = (old: Ours | undefined, now: Ours | undefined): boolean =>
  old === undefined ||
  now === undefined ||
  old.metadata.uid !== now.metadata.uid ||
  old.metadata.generation !== now.metadata.generation ||
  old.metadata.deletionTimestamp !== now.metadata.deletionTimestamp ||
  (old.metadata.finalizers ?? []).join() !== (now.metadata.finalizers ?? []).join() ||
  JSON.stringify(old.metadata.annotations) !== JSON.stringify(now.metadata.annotations);

/** Of an annotation in a JSON patch (RFC 6901). */
export const annotationPath = (name: string): string => `/metadata/annotations/${name.replaceAll('/', '~1')}`;
