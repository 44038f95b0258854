/** What a disk is filled with through the operator. */
import type { Chunk } from '../../drivers/hypervisor/host-storage.ts';
import { readQcow2 } from '../../media/qcow2-read.ts';
import { Fault } from '../../runtime/fault.ts';
import type { ServedSource } from './decision.ts';
import type { GatherDeps } from './gather.ts';

/**
 * The file of an image as the raw content of a disk, through the operator: neither the host nor the server has to
 * know of the other (docs/adr/0013-images-stream-through-the-operator.md).
 */
export async function* contentOf(
  { context }: Pick<GatherDeps, 'context'>,
  { reader, file }: Extract<ServedSource, { kind: 'image' }>,
  signal: AbortSignal,
): AsyncGenerator<Chunk, void, void> {
  const session = context.fleet.session(reader.pool);
  if (session === undefined)
    throw new Fault('unreachable', `${reader.name} is not connected.`, { reason: 'HostUnreachable' });
  const storage = session.pool.hostStorage(reader.id);
  const sight = await storage.see(reader.place, file, signal);
  if (sight.kind === 'absent' || !sight.volume.complete)
    throw new Fault('conflict', `The image is no longer complete on ${reader.name}.`);
  yield* readQcow2((offset, length) => storage.read(reader.place, file, { offset, length }, signal));
}
