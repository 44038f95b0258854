/**
 * The id of this installation is part of every UUID on hosts: another one by mistake would make every machine look
 * foreign. So it is given explicitly and kept in the cluster, and a start with another one is refused.
 */
import type { Resource } from './kube/contract.ts';
import type { ConfigMap } from './kube/core-kinds.ts';
import { Fault, isFault } from './runtime/fault.ts';

/** ConfigMap in the operator's namespace; key `clusterId`. */
export const CLUSTER_CONFIG_MAP = 'ovcp-cluster';

type Maps = Pick<Resource<ConfigMap>, 'get' | 'create'>;

const create = async (
  maps: Maps,
  namespace: string,
  clusterId: string,
  signal: AbortSignal,
): Promise<ConfigMap | undefined> => {
  const metadata = { namespace, name: CLUSTER_CONFIG_MAP };
  try {
    return await maps.create({ metadata, data: { clusterId } }, signal);
  } catch (error) {
    if (isFault(error, 'conflict') && error.reason === 'NotFound') {
      throw new Fault('invalid', `The namespace ${namespace} does not exist; create it first.`, {
        reason: 'NamespaceNotFound',
        cause: error,
      });
    }
    if (isFault(error, 'conflict')) return maps.get(metadata, signal);
    throw error;
  }
};

/** Keeps the id at the first start. Throws Fault `invalid`, reason `ClusterIdMismatch`, when another one is kept. */
export const keepClusterId = async (
  maps: Maps,
  namespace: string,
  clusterId: string,
  signal: AbortSignal,
): Promise<void> => {
  const kept =
    (await maps.get({ namespace, name: CLUSTER_CONFIG_MAP }, signal)) ??
    (await create(maps, namespace, clusterId, signal));
  const known = kept?.data?.['clusterId'];
  if (known !== clusterId) {
    throw new Fault(
      'invalid',
      `The cluster id is "${clusterId}", but ConfigMap ${namespace}/${CLUSTER_CONFIG_MAP} says "${known ?? ''}": ` +
        'machines on hosts carry that one. Start with it, or delete the ConfigMap if that is really meant.',
      { reason: 'ClusterIdMismatch' },
    );
  }
};
