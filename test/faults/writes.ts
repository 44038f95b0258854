/** What operators wrote, by the API server's own audit log. */
import type { ControlPlane } from '../../hack/lab/control-plane.ts';

/** Writes so far about objects of these names, without Events: `verb resource/subresource name`. */
export const writesOf = async (
  plane: Pick<ControlPlane, 'audit'>,
  names: readonly string[],
): Promise<readonly string[]> =>
  (await plane.audit())
    .filter(({ userAgent, name }) => userAgent === 'ovcp-operator' && names.includes(name))
    .filter(({ resource }) => resource !== 'events')
    .map(({ verb, resource, subresource, name }) => `${verb} ${resource}/${subresource} ${name}`);
