/** The server side of one iSCSI pool, whatever target software serves it. */
import { Fault, isFault } from '../../../runtime/fault.ts';
import type { IscsiWish, PoolIdentity, ServerEndpoint, ServerSeen, StorageServer } from '../contract.ts';
import type { ServerLinks } from '../server-link.ts';
import { ask, composeProgram } from './agent.ts';
import { checkIscsiWish } from './backing.ts';
import { createDiskServer, type IscsiPool, poolRequest } from './disk-server.ts';
import {
  componentsOf,
  operationOf,
  type PlanInput,
  planPool,
  planPoolRemoval,
  type Survey,
  type SurveyDetail,
  surveySchema,
} from './pool-plan.ts';
import type { TargetSoftware } from './software.ts';

const spaceOf = ({ backing }: Survey): Pick<ServerSeen, 'space'> =>
  backing.state === 'ready'
    ? { space: { capacityBytes: backing.capacity, availableBytes: backing.available } }
    : {};

const survey = async (pool: IscsiPool, input: PlanInput, signal: AbortSignal): Promise<ServerSeen> => {
  const where = pool.link.endpoint.name;
  let detail: SurveyDetail;
  try {
    pool.check();
    const value = await ask(pool.link, pool.program, poolRequest(pool, 'survey'), {}, signal);
    const seen = surveySchema.safeParse(value);
    if (!seen.success)
      throw new Fault('bug', `Server ${where} gave an answer that cannot be read.`, { where });
    detail = { kind: 'seen', survey: seen.data };
  } catch (error) {
    // Who asks no longer wants to know; everything else is how the server is.
    if (signal.aborted || !isFault(error)) throw error;
    detail = { kind: 'fault', fault: error };
  }
  if (detail.kind === 'seen') {
    return { ...spaceOf(detail.survey), components: componentsOf(detail.survey, input), detail };
  }
  const state = detail.fault.kind === 'unreachable' ? 'Down' : 'Unknown';
  return { components: [{ kind: 'server', name: where, state, message: detail.fault.message }], detail };
};

const theOne = (endpoints: readonly ServerEndpoint[]): ServerEndpoint => {
  const [endpoint, ...more] = endpoints;
  if (endpoint === undefined || more.length > 0) throw new Fault('bug', 'An iSCSI pool has one server.');
  return endpoint;
};

/** Opens the server side of a pool that the software serves; never waits for the machine. */
export const openIscsiServer = (
  links: ServerLinks,
  software: TargetSoftware,
  settings: {
    readonly identity: PoolIdentity;
    readonly wish: IscsiWish;
    readonly endpoints: readonly ServerEndpoint[];
  },
): StorageServer => {
  const { identity, wish } = settings;
  const link = links.open(theOne(settings.endpoints));
  let closed = false;
  const pool: IscsiPool = {
    link,
    identity,
    wish,
    software,
    program: composeProgram(software.program),
    check: () => {
      if (closed) throw new Fault('unreachable', 'The pool was closed.');
      checkIscsiWish(wish);
    },
  };
  const input: PlanInput = { server: link.endpoint.name, wish, howToStart: software.howToStart };
  return {
    see: (signal) => survey(pool, input, signal),
    plan: (seen) => planPool(seen, input),
    planRemoval: planPoolRemoval,
    take: async (step, signal) => {
      pool.check();
      const op = operationOf(step);
      if (op === undefined) throw new Fault('bug', `An iSCSI server knows no step ${step.what}.`);
      const request =
        op === 'forget' || op === 'erase'
          ? poolRequest(pool, 'forget', { erase: op === 'erase' })
          : poolRequest(pool, op);
      await ask(link, pool.program, request, { timeoutMs: 300_000 }, signal);
    },
    mount: undefined,
    disks: createDiskServer(pool),
    close: async () => {
      closed = true;
      link.close();
    },
  };
};
