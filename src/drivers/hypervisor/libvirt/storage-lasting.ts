/**
 * What was written is still there after the host lost power. `qemu-img convert` ends with its output in the host's
 * memory (its cache mode is `unsafe`), an upload does as well, and libvirt has no call that writes a file back. A
 * resize does: `qemu-img resize` writes the header, also for the size that is there, and then flushes the whole file.
 */
import { errorCodes } from '../../../wire/libvirt/errors.ts';
import { handleOf, type Shelf } from './storage-volumes.ts';
import { saidNo } from './to-fault.ts';

/** Linux writes back by itself what is older than 30 s, and looks every 5 s (vm.dirty_*_centisecs). */
const WRITE_BACK_MS = 60_000;

/** Answers whether it could be done: a raw file is resized without a flush, and one that is longer than its disk is not. */
export const flush = async (shelf: Shelf, name: string, signal: AbortSignal): Promise<boolean> => {
  if (!name.endsWith('.qcow2')) return false;
  const vol = handleOf(shelf.place, name);
  const { capacity } = await shelf.remote.call('STORAGE_VOL_GET_INFO', { vol }, signal);
  try {
    await shelf.remote.call('STORAGE_VOL_RESIZE', { vol, capacity, flags: 0 }, signal);
    return true;
  } catch (error) {
    if (!saidNo(error, errorCodes.invalidArgument)) throw error;
    return false;
  }
};

export const makeLasting = async (shelf: Shelf, name: string, signal: AbortSignal): Promise<void> => {
  if (!(await flush(shelf, name, signal))) await shelf.sleep(WRITE_BACK_MS, signal);
};
