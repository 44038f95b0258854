import { type AllowedNamespaces, allowsNamespace } from '../api/namespaces.ts';
import type { ControllerContext } from './context.ts';

/** Whether objects of a namespace may name an object with these `allowedNamespaces`. */
export const mayUse = (
  { kinds }: Pick<ControllerContext, 'kinds'>,
  namespace: string,
  allowed: AllowedNamespaces,
): boolean => {
  const labels = kinds.namespaces.store.get(namespace)?.metadata.labels;
  return labels === undefined ? allowed.from === 'All' : allowsNamespace(allowed, labels);
};
