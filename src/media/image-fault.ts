import { Fault } from '../runtime/fault.ts';

/** The content is of a kind we do not take: wrong magic, backing file, encryption, broken header. */
export const refusedFormat = (message: string): Fault =>
  new Fault('invalid', message, { reason: 'ImageFormatRefused' });

/** The content, or what it claims to be, is over an absolute limit in bytes. */
export const tooLarge = (what: string, limitBytes: number): Fault =>
  new Fault('invalid', `${what} is over the limit of ${limitBytes} bytes`, { reason: 'ImageTooLarge' });
