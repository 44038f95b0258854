/** What differs between target programs: everything else of the server side is common. */
import type { IscsiWish } from '../contract.ts';

export interface TargetSoftware {
  readonly name: IscsiWish['software'];
  /** Its part of the program that runs on the server (program/disks.ts says what it defines). */
  readonly program: string;
  /** Further settings for that part, as plain data. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Whether a disk of this backing grows while a host has it. */
  growsOnline(backing: IscsiWish['backing']): boolean;
  /** The target that serves a disk of a pool. */
  targetOf(diskUid: string, poolUid: string): string;
  /** What to do on the server when the program does not answer: one sentence. */
  readonly howToStart: string;
}
