/** The XML of the gluster command, as plain values. Shapes: cli-rpc-ops.c and cli-xml-output.c of glusterfs. */
import type { Element } from '@xmldom/xmldom';
import { at, childrenOf, parseXml, textAt, wholeNumber } from '../../xml-read.ts';
import type { PeerSeen, TaskProgress, TaskSeen } from './seen.ts';

export interface Answer {
  readonly ok: boolean;
  /** What it says, when it says no. */
  readonly error: string;
  readonly root: Element;
}

/** Throws Fault `bug` (`MalformedAnswer`) for what is not the command's XML. */
export const parseAnswer = (text: string): Answer => {
  const root = parseXml(text, 'cliOutput');
  const error = (textAt(root, 'opErrstr') ?? '').trim() || (textAt(root, 'output') ?? '').trim();
  return { ok: textAt(root, 'opRet') === '0', error, root };
};

const text = (element: Element, ...path: readonly string[]): string => textAt(element, ...path)?.trim() ?? '';
const count = (element: Element | undefined, name: string): number | undefined =>
  wholeNumber(textAt(element, name));

const peerOf = (element: Element): PeerSeen => {
  const names = childrenOf(at(element, 'hostnames'), 'hostname').map(
    (name) => name.textContent?.trim() ?? '',
  );
  const state = text(element, 'stateStr');
  const own = text(element, 'hostname');
  return {
    uuid: text(element, 'uuid'),
    names: [...new Set([own, ...names])],
    connected: text(element, 'connected') === '1',
    inCluster: own === 'localhost' || text(element, 'state') === '3',
    state: state === '' ? 'unknown' : state,
  };
};

/** `pool list`: the asked server's own uuid, and all peers, itself among them as `localhost`. */
export const parsePeers = (root: Element): { readonly uuid: string; readonly peers: readonly PeerSeen[] } => {
  const peers = childrenOf(at(root, 'peerStatus'), 'peer').map(peerOf);
  return { uuid: peers.find(({ names }) => names[0] === 'localhost')?.uuid ?? '', peers };
};

export interface VolumeInfo {
  readonly id: string;
  readonly status: string;
  readonly typeName: string;
  readonly replica: number;
  readonly arbiters: number;
  readonly disperse: number;
  readonly bricks: readonly { readonly id: string; readonly hostUuid: string; readonly arbiter: boolean }[];
  readonly options: Readonly<Record<string, string>>;
}

/** `volume info V`; undefined when there is no such volume. */
export const parseInfo = (root: Element): VolumeInfo | undefined => {
  const volume = at(root, 'volInfo', 'volumes', 'volume');
  if (volume === undefined) return undefined;
  const options = childrenOf(at(volume, 'options'), 'option').map((option) => [
    text(option, 'name'),
    textAt(option, 'value') ?? '',
  ]);
  return {
    id: text(volume, 'id'),
    status: text(volume, 'statusStr'),
    typeName: text(volume, 'typeStr'),
    replica: Math.max(1, count(volume, 'replicaCount') ?? 1),
    arbiters: count(volume, 'arbiterCount') ?? 0,
    disperse: count(volume, 'disperseCount') ?? 0,
    bricks: childrenOf(at(volume, 'bricks'), 'brick').map((brick) => ({
      id: text(brick, 'name'),
      hostUuid: text(brick, 'hostUuid'),
      arbiter: text(brick, 'isArbiter') === '1',
    })),
    options: Object.fromEntries(options) as Record<string, string>,
  };
};

export interface BrickStatus {
  readonly peer: string;
  readonly path: string;
  readonly up: boolean;
  readonly totalBytes: number | undefined;
  readonly freeBytes: number | undefined;
}

/** `volume status V detail`: bricks of servers that are down are missing. */
export const parseDetail = (root: Element): readonly BrickStatus[] =>
  childrenOf(at(root, 'volStatus', 'volumes', 'volume'), 'node').map((node) => ({
    peer: text(node, 'peerid'),
    path: text(node, 'path'),
    up: text(node, 'status') === '1',
    totalBytes: count(node, 'sizeTotal'),
    freeBytes: count(node, 'sizeFree'),
  }));

// gf_defrag_status_t of glusterfs: 0 not started, 1 in progress, 2 stopped, 3 completed, 4 failed; 5 to 8 with fix-layout.
const STATES: Readonly<Record<string, TaskSeen['state']>> = {
  '0': 'notStarted',
  '1': 'inProgress',
  '2': 'stopped',
  '3': 'completed',
  '4': 'failed',
  '5': 'inProgress',
  '6': 'stopped',
  '7': 'completed',
  '8': 'failed',
  // "reset due to replace-brick"
  '9': 'notStarted',
};

/** Tasks of `volume status V`, without progress. */
export const parseTasks = (root: Element): readonly TaskSeen[] =>
  childrenOf(at(root, 'volStatus', 'volumes', 'volume', 'tasks'), 'task').map((task) => ({
    kind: text(task, 'type') === 'Remove brick' ? 'removeBrick' : 'rebalance',
    id: text(task, 'id'),
    state: STATES[text(task, 'status')] ?? 'inProgress',
    bricks: childrenOf(at(task, 'params'), 'brick').map((brick) => brick.textContent?.trim() ?? ''),
    progress: undefined,
  }));

/** `rebalance V status` and `remove-brick V … status`: the sum over all servers, and the state that is furthest behind. */
export const parseProgress = (
  root: Element,
): { readonly state: TaskSeen['state']; readonly progress: TaskProgress } | undefined => {
  const report = at(root, 'volRebalance') ?? at(root, 'volRemoveBrick');
  const nodes = childrenOf(report, 'node');
  if (nodes.length === 0) return undefined;
  const states = nodes.map((node) => STATES[text(node, 'status')] ?? 'inProgress');
  const worst = (['failed', 'inProgress', 'notStarted', 'stopped'] as const).find((state) =>
    states.includes(state),
  );
  const sum = (name: string): number => nodes.reduce((total, node) => total + (count(node, name) ?? 0), 0);
  const progress = {
    files: sum('files'),
    bytes: sum('size'),
    failures: sum('failures'),
    skipped: sum('skipped'),
  };
  return { state: worst ?? 'completed', progress };
};

export interface BrickHeal {
  readonly id: string;
  readonly pending: number;
  readonly splitBrain: number;
}

/** `heal V info summary`: bricks that could not be asked are missing. */
export const parseHeal = (root: Element): readonly BrickHeal[] =>
  childrenOf(at(root, 'healInfo', 'bricks'), 'brick').flatMap((brick) => {
    const pending = count(brick, 'numberOfEntriesInHealPending');
    const splitBrain = count(brick, 'numberOfEntriesInSplitBrain');
    if (pending === undefined || splitBrain === undefined) return [];
    return [{ id: text(brick, 'name'), pending, splitBrain }];
  });

/** `heal V info` and `heal V info split-brain`: what each brick that could be asked lists, by gfid with a name where one is known. */
export const parseEntries = (
  root: Element,
): readonly { readonly id: string; readonly files: ReadonlyMap<string, string> }[] =>
  childrenOf(at(root, 'healInfo', 'bricks'), 'brick')
    .filter((brick) => text(brick, 'status') === 'Connected')
    .map((brick) => ({
      id: text(brick, 'name'),
      files: new Map(
        childrenOf(brick, 'file').map((file) => [
          file.getAttribute('gfid') ?? file.textContent?.trim() ?? '',
          file.textContent?.trim() ?? '',
        ]),
      ),
    }));
