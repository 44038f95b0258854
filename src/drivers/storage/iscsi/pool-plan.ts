/** Pure: what a look at the server of an iSCSI pool means. */
import { z } from 'zod';
import type { Fault } from '../../../runtime/fault.ts';
import type { Component, IscsiWish, ServerHealth, ServerPlan, ServerSeen, ServerStep } from '../contract.ts';

const space = { capacity: z.number(), available: z.number() };

/** What the program on the server answers to `survey`. */
export const surveySchema = z.object({
  backing: z.discriminatedUnion('state', [
    z.object({ state: z.literal('absent') }),
    /** `strays`: disks of ours or of another installation are in it. */
    z.object({ state: z.literal('unmarked'), strays: z.boolean(), ...space }),
    z.object({ state: z.literal('foreign'), owner: z.string(), ...space }),
    z.object({
      state: z.literal('ready'),
      ...space,
      /** A mark of ours is in the folder. */
      marked: z.boolean().optional(),
      thinPool: z
        .object({ dataPercent: z.number(), metadataPercent: z.number(), zeroes: z.boolean() })
        .optional(),
    }),
  ]),
  /** Disks of ours, whether their data or only their record is there. */
  disks: z.number(),
  server: z.object({
    /** Sentence without its end when the target software is not there or does not answer. */
    trouble: z.string().nullable(),
    /** For each portal of the wish, in its order. */
    portals: z.array(z.boolean()),
    /** Targets that are not what their records say, and can be mended now. */
    drift: z.number(),
    /** The same, but in use: mended when they are not. */
    stuck: z.number(),
    /** Sentences about what does not hinder now and will. */
    warnings: z.array(z.string()),
  }),
});

export type Survey = z.infer<typeof surveySchema>;

/** What `see` keeps for `plan`. */
export type SurveyDetail =
  | { readonly kind: 'seen'; readonly survey: Survey }
  | { readonly kind: 'fault'; readonly fault: Fault };

/** Writes fail when data or metadata of a thin pool are full: somebody should know well before. */
const NEARLY_FULL_PERCENT = 80;
/** From here on nothing new is made there (program/lvm.ts). */
const FULL_PERCENT = 95;
const POLL_MS = 15_000;

export interface PlanInput {
  readonly server: string;
  readonly wish: IscsiWish;
  readonly howToStart: string;
}

const nameOf = ({ address, port }: IscsiWish['portals'][number]): string => `${address}:${port}`;

const unusable = (reason: string, message: string): ServerHealth => ({ state: 'Unusable', reason, message });
const degraded = (reason: string, message: string): ServerHealth => ({ state: 'Degraded', reason, message });

interface ThinPool {
  readonly component: Component;
  readonly worry: ServerHealth | undefined;
}

const thinPoolOf = ({ backing }: Survey): ThinPool[] => {
  if (backing.state !== 'ready' || backing.thinPool === undefined) return [];
  const { dataPercent, metadataPercent } = backing.thinPool;
  const fullest = Math.max(dataPercent, metadataPercent);
  const fills = `${Math.round(dataPercent)} % of its data and ${Math.round(metadataPercent)} % of its metadata`;
  const message = `The thin pool has used ${fills}.`;
  const reason = fullest >= FULL_PERCENT ? 'StoragePoolFull' : 'StoragePoolNearlyFull';
  const worrying = fullest >= NEARLY_FULL_PERCENT;
  const component: Component = {
    kind: 'thinPool',
    name: 'thinPool',
    state: fullest >= 100 ? 'Down' : 'Up',
    ...(worrying ? { message } : {}),
  };
  return [{ component, worry: worrying ? degraded(reason, message) : undefined }];
};

export const componentsOf = (survey: Survey, { server, wish }: PlanInput): readonly Component[] => {
  const { trouble, portals } = survey.server;
  const down = trouble !== null;
  return [
    { kind: 'server', name: server, state: 'Up' },
    ...wish.portals.map(
      (portal, index): Component =>
        portals[index] === true
          ? { kind: 'portal', name: nameOf(portal), state: 'Up' }
          : {
              kind: 'portal',
              name: nameOf(portal),
              state: 'Down',
              message: down ? `On server ${server}: ${trouble}.` : 'Nothing listens there on the server.',
            },
    ),
    ...thinPoolOf(survey).map(({ component }) => component),
  ];
};

/** What keeps the pool from being used at all. */
const obstacleOf = (survey: Survey, { server, wish, howToStart }: PlanInput): ServerHealth | undefined => {
  const { backing, disks } = survey;
  const where = wish.backing.type === 'Files' ? `folder ${wish.backing.path}` : 'volume group or thin pool';
  if (backing.state === 'foreign') {
    const text = `The ${where} on server ${server} belongs to StoragePool ${backing.owner}: give this pool another one.`;
    return unusable('NameTaken', text);
  }
  if (backing.state === 'absent' && (wish.backing.type !== 'Files' || disks > 0)) {
    return unusable(
      'PathNotFound',
      `The ${where} does not exist on server ${server}: make or mount it there.`,
    );
  }
  if (backing.state === 'unmarked' && disks > 0) {
    const text = `The ${where} on server ${server} lacks its marker: mount the file system that holds the disks.`;
    return unusable('MarkerMissing', text);
  }
  if (backing.state === 'unmarked' && backing.strays) {
    const text = `The ${where} on server ${server} has no marker and holds disks of some StoragePool: give this pool another one, or take them away.`;
    return unusable('NameTaken', text);
  }
  if (backing.state === 'ready' && backing.thinPool?.zeroes === false) {
    const text = `The thin pool on server ${server} does not zero new blocks, so a disk could show what another one held: lvchange --zero y.`;
    return unusable('StorageNotReady', text);
  }
  if (survey.server.trouble === null) return undefined;
  return unusable('StorageNotReady', `On server ${server}: ${survey.server.trouble}. ${howToStart}`);
};

/** What a person should look at while the pool is used. */
const worryOf = (survey: Survey, { server, wish }: PlanInput): ServerHealth | undefined => {
  const silent = wish.portals.filter((_, index) => survey.server.portals[index] !== true).map(nameOf);
  if (silent.length > 0) {
    const text = `Nothing listens at ${silent.join(', ')} on server ${server}.`;
    return silent.length === wish.portals.length
      ? unusable('StorageNotReady', text)
      : degraded('StorageNotReady', text);
  }
  const [thin] = thinPoolOf(survey);
  if (thin?.worry !== undefined) return thin.worry;
  const [warning] = survey.server.warnings;
  if (warning !== undefined) return degraded('StorageNotReady', `On server ${server}: ${warning}.`);
  if (survey.server.stuck === 0) return undefined;
  const text = `Targets on server ${server} were changed by somebody and are in use; they are mended once they are not.`;
  return degraded('DriftDetected', text);
};

const HEALTHY: ServerHealth = {
  state: 'Healthy',
  reason: 'Ready',
  message: 'The server serves the disks of the pool.',
};

export const PREPARE: ServerStep = { what: 'prepare the folder', detail: 'prepare' };
export const MEND: ServerStep = { what: 'mend targets', detail: 'mend' };
const FORGET: ServerStep = { what: 'forget the folder', detail: 'forget' };
const ERASE: ServerStep = { what: 'remove the folder', detail: 'erase' };

/** What a step of ours is, or undefined. */
export const operationOf = ({ detail }: ServerStep): 'prepare' | 'mend' | 'forget' | 'erase' | undefined =>
  detail === 'prepare' || detail === 'mend' || detail === 'forget' || detail === 'erase' ? detail : undefined;

const isDetail = (detail: unknown): detail is SurveyDetail =>
  typeof detail === 'object' && detail !== null && 'kind' in detail;

const faultPlan = ({ reason, message }: Fault): ServerPlan => ({
  kind: 'wait',
  pollMs: POLL_MS,
  health: unusable(reason ?? 'RequestFailed', message),
});

export const planPool = (seen: ServerSeen, input: PlanInput): ServerPlan => {
  const { detail } = seen;
  if (!isDetail(detail))
    return { kind: 'wait', pollMs: POLL_MS, health: unusable('InternalError', 'Nothing was seen.') };
  if (detail.kind === 'fault') return faultPlan(detail.fault);
  const { survey } = detail;
  const obstacle = obstacleOf(survey, input);
  if (obstacle !== undefined) return { kind: 'wait', pollMs: POLL_MS, health: obstacle };
  if (survey.backing.state !== 'ready') {
    const health = unusable('Creating', `The folder on server ${input.server} is being prepared.`);
    return { kind: 'step', step: PREPARE, health };
  }
  const health = worryOf(survey, input) ?? HEALTHY;
  if (survey.server.drift > 0) return { kind: 'step', step: MEND, health };
  return health.state === 'Unusable'
    ? { kind: 'wait', pollMs: POLL_MS, health }
    : { kind: 'settled', health };
};

/** Our mark goes when no disk is left; the folder only if we made it and may erase. Disks that are there stay. */
export const planPoolRemoval = (seen: ServerSeen, erase: boolean): ServerPlan => {
  const { detail } = seen;
  if (!isDetail(detail))
    return { kind: 'wait', pollMs: POLL_MS, health: unusable('InternalError', 'Nothing was seen.') };
  if (detail.kind === 'fault') return faultPlan(detail.fault);
  const { backing, disks } = detail.survey;
  if (disks > 0) {
    return {
      kind: 'settled',
      health: degraded('WaitingForDependents', `${disks} disks stay on the server.`),
    };
  }
  if (backing.state === 'ready' && backing.marked === true) {
    return { kind: 'step', step: erase ? ERASE : FORGET, health: HEALTHY };
  }
  return { kind: 'settled', health: HEALTHY };
};
