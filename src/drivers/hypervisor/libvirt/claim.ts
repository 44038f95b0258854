/**
 * A cluster's claim on a host: a network filter that nothing uses, because a filter is the one durable thing that any
 * libvirt host can hold without anything of ours installed. Its uuid is derived from the cluster's id, its one rule
 * does nothing and carries the id as comment.
 */
import { uuidV5 } from '../../../api/identity.ts';
import { errorCodes } from '../../../wire/libvirt/errors.ts';
import type { Remote } from './remote.ts';
import { saidNo } from './to-fault.ts';
import { at, attribute, el, parseXml, textAt, toXml } from './xml.ts';

const CLAIM_NAME = 'ovcp-claim';
/** Namespace of claims' uuids. */
const CLAIM_NAMESPACE = '5f0c1d0e-6c46-5a7e-9a2f-0c6c5d9f1b57';

const claimUuid = (clusterId: string): string => uuidV5(CLAIM_NAMESPACE, clusterId);

const claimXml = (clusterId: string): string =>
  toXml(
    el(
      'filter',
      { name: CLAIM_NAME, chain: 'root' },
      el('uuid', {}, claimUuid(clusterId)),
      el('rule', { action: 'continue', direction: 'inout', priority: 0 }, el('all', { comment: clusterId })),
    ),
  );

/** The cluster that holds the host; `unknown` for a claim whose text was tampered with; undefined for none. */
export const readClaim = async (remote: Remote, signal: AbortSignal): Promise<string | undefined> => {
  try {
    const { nwfilter } = await remote.call('NWFILTER_LOOKUP_BY_NAME', { name: CLAIM_NAME }, signal);
    const { xml } = await remote.call('NWFILTER_GET_XML_DESC', { nwfilter, flags: 0 }, signal);
    const root = parseXml(xml, 'filter');
    const clusterId = attribute(at(root, 'rule', 'all'), 'comment');
    const genuine = clusterId !== undefined && claimUuid(clusterId) === textAt(root, 'uuid')?.toLowerCase();
    return genuine ? clusterId : 'unknown';
  } catch (error) {
    if (saidNo(error, errorCodes.noNwfilter, errorCodes.noSupport, errorCodes.invalidArgument))
      return undefined;
    throw error;
  }
};

/** Claims a free host, replaces a foreign claim when told to, and answers whose claim is there in the end. */
export const putClaim = async (
  remote: Remote,
  clusterId: string,
  takeOver: boolean,
  signal: AbortSignal,
): Promise<string | undefined> => {
  const holder = await readClaim(remote, signal);
  if (holder === clusterId || (holder !== undefined && !takeOver)) return holder;
  try {
    if (holder !== undefined) {
      const { nwfilter } = await remote.call('NWFILTER_LOOKUP_BY_NAME', { name: CLAIM_NAME }, signal);
      await remote.call('NWFILTER_UNDEFINE', { nwfilter }, signal);
    }
    await remote.call('NWFILTER_DEFINE_XML', { xml: claimXml(clusterId) }, signal);
  } catch (error) {
    if (saidNo(error, errorCodes.noSupport)) return undefined;
    // Somebody else was a moment faster: theirs is there now.
    if (!saidNo(error, errorCodes.operationFailed)) throw error;
  }
  return readClaim(remote, signal);
};
