/** What gluster says when it says no, as faults. Texts: glusterd-*.c of glusterfs 10 and 11; there are no numbers for them. */
import { Fault, type FaultKind } from '../../../runtime/fault.ts';
import { safeText } from '../../../runtime/text.ts';

interface Meaning {
  readonly text: RegExp;
  readonly kind: FaultKind;
  readonly reason?: string;
  /** What to do, added to what gluster said. */
  readonly hint?: string;
}

const MEANINGS: readonly Meaning[] = [
  {
    text: /another transaction|locking failed|please try again|volume lock|operation timed out/i,
    kind: 'busy',
  },
  {
    text: /is already part of a volume|containing or be contained|already exists on brick/i,
    kind: 'invalid',
    reason: 'BrickInUse',
    hint: 'The folder holds what is left of a volume, perhaps of one that was deleted; nothing is written over it. Give another path, or remove the folder on the server if its content is not needed.',
  },
  {
    text: /in the root partition|is a mount point|multiple bricks of a replicate volume/i,
    kind: 'invalid',
    reason: 'BrickUnsuitable',
    hint: 'Give a folder on a file system of its own, each brick of a set on another server; or set force, if this is meant.',
  },
  {
    text: /failed to create brick directory|failed to get .*real ?path|no such file or directory/i,
    kind: 'invalid',
    reason: 'PathNotFound',
    hint: 'The folder above the brick must exist on the server.',
  },
  { text: /quorum not met|quorum is not met|server quorum/i, kind: 'unreachable', reason: 'QuorumLost' },
  {
    text: /another cluster|part of different cluster|already has existing volumes|belongs to a different/i,
    kind: 'denied',
    reason: 'PeerInOtherCluster',
    hint: 'The server belongs to another cluster and is left alone.',
  },
  {
    text: /not in 'peer in cluster'|not connected|peers are down|transport endpoint|connection refused|no route to host/i,
    kind: 'unreachable',
    reason: 'ServerUnreachable',
  },
  {
    text: /option .*does not exist|is not valid|invalid (number|value)|out of range/i,
    kind: 'invalid',
    reason: 'OptionRefused',
  },
  { text: /cannot set .* for a non-/i, kind: 'invalid', reason: 'OptionRefused' },
  {
    text: /does not exist|already exists|already started|not in the started state|not started|has been started|incorrect brick|earlier remove-brick|migration is in progress/i,
    kind: 'conflict',
  },
  { text: /no space left|disk quota exceeded/i, kind: 'unreachable', reason: 'StoragePoolFull' },
];

/** A refusal of the gluster command on `server`. */
export const refusal = (server: string, said: string): Fault => {
  const meaning = MEANINGS.find(({ text }) => text.test(said));
  const words = safeText(said, 300).replace(/\.$/, '');
  const message = `Gluster on server ${server} answered: ${words}.${meaning?.hint === undefined ? '' : ` ${meaning.hint}`}`;
  if (meaning === undefined) {
    return new Fault('unreachable', message, { reason: 'RequestFailed', where: server });
  }
  return new Fault(meaning.kind, message, {
    ...(meaning.reason === undefined ? {} : { reason: meaning.reason }),
    where: server,
  });
};

/** An answer that is not XML: the command is missing, its daemon is down, or it did not understand us. */
export const noAnswer = (server: string, code: number, said: string): Fault => {
  if (code === 127 || /command not found/i.test(said)) {
    const message = `The server ${server} has no gluster command: install glusterfs-server there.`;
    return new Fault('unsupported', message, { reason: 'SoftwareMissing', where: server });
  }
  if (/connection failed|daemon is operational|request timed out/i.test(said) || said.trim() === '') {
    const message = `The Gluster daemon of server ${server} does not answer; glusterd may be stopped there.`;
    return new Fault('unreachable', message, { reason: 'ServerUnreachable', where: server });
  }
  return refusal(server, said.split('\n')[0] ?? '');
};
