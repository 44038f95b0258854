import type { Brick, ServerStep } from '../contract.ts';

/** Content of a step; `server` is the one that takes it. */
export type GlusterStep = { readonly server: string } & (
  | { readonly kind: 'probe'; readonly address: string }
  | { readonly kind: 'create' }
  | { readonly kind: 'mark'; readonly made: boolean }
  | { readonly kind: 'profile' }
  | { readonly kind: 'setOptions'; readonly options: Readonly<Record<string, string>> }
  | { readonly kind: 'start' }
  | { readonly kind: 'addSet'; readonly set: string }
  | { readonly kind: 'rebalance' }
  | { readonly kind: 'rebalanced' }
  /** `from` as the volume has it; `blind`: it is down, and what the others know has to be looked at before. */
  | { readonly kind: 'replaceBrick'; readonly from: string; readonly to: Brick; readonly blind: boolean }
  | { readonly kind: 'emptyBricks' | 'dropBricks' | 'keepBricks'; readonly bricks: readonly string[] }
  | { readonly kind: 'stop' }
  | { readonly kind: 'delete' }
  | { readonly kind: 'unmark' }
);

const WHAT: Readonly<Record<GlusterStep['kind'], string>> = {
  probe: 'probe peer',
  create: 'create volume',
  mark: 'mark volume',
  profile: 'set profile for machines',
  setOptions: 'set options',
  start: 'start volume',
  addSet: 'add replica set',
  rebalance: 'start rebalance',
  rebalanced: 'note rebalance',
  replaceBrick: 'replace brick',
  emptyBricks: 'move data off bricks',
  dropBricks: 'remove bricks',
  keepBricks: 'keep bricks',
  stop: 'stop volume',
  delete: 'delete volume',
  unmark: 'release volume',
};

export const stepOf = (detail: GlusterStep): ServerStep => ({ what: WHAT[detail.kind], detail });
