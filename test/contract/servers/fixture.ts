/** What the laws of storage servers need to know of a driver: how to open it, and hands that do not go through it. */
import type { PoolIdentity, StorageServer } from '../../../src/drivers/storage/contract.ts';

/** What somebody does on the servers without the driver. */
export interface ServerHands {
  /** Everything there is on the servers, in a text that changes when any of it does. */
  snapshot(): Promise<string>;
  /** What a host mounts is there and is started. */
  isServed(pool: PoolIdentity): Promise<boolean>;
  /** Makes what the pool would make, before it does. */
  makeForeign(pool: PoolIdentity): Promise<void>;
  /** Takes a part away that the others can do without, and brings it back. */
  breakPart?(pool: PoolIdentity): Promise<void>;
  mendPart?(pool: PoolIdentity): Promise<void>;
  /** The next call that changes something happens, and its answer is lost. */
  loseReply?(): Promise<void>;
  /** Nobody can be asked any more, and again. */
  cutOff?(): Promise<void>;
  reconnect?(): Promise<void>;
}

export interface ServerFixture {
  /** A pool that no other law has. */
  newPool(): Promise<PoolIdentity>;
  /** A session for the pool; the wish is the same each time. */
  open(pool: PoolIdentity): StorageServer;
  readonly hands: ServerHands;
  teardown(): Promise<void>;
}

export interface ServerDriver {
  readonly name: string;
  /** Law ids that cannot be shown with this driver, and why. */
  readonly notSupported: Readonly<Record<string, string>>;
  /** Why it cannot run on this machine; undefined when it can. Under CI it has to run all the same. */
  readonly missing?: () => string | undefined;
  start(): Promise<ServerFixture>;
}

export interface ServerLaw {
  readonly id: string;
  readonly title: string;
  readonly check: (fixture: ServerFixture) => Promise<void>;
}
