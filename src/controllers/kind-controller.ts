/** The queue and workers of one kind around its pass, with its metrics. */
import { type Controller, createController } from '../runtime/controller.ts';
import { createPass, type PassParts } from '../runtime/pass.ts';
import type { ControllerDeps } from './controller-deps.ts';
import { isEarly, type KstatusView } from './early.ts';

/** `name` labels metrics and log lines. */
export const createKindController = <
  World,
  Seen,
  Step extends { readonly kind: string },
  Status extends KstatusView,
>(
  { context, metrics, log, random, concurrency }: ControllerDeps,
  name: string,
  parts: PassParts<string, World, Seen, Step, Status>,
  /** Default: the namespace of the key. */
  fairnessOf?: (key: string) => string,
): Controller<string> => {
  const controller = createController<string>({
    name,
    concurrency,
    reconcile: createPass({ ...parts, isEarly }, { clock: context.clock, effect: context.effect }),
    ...(fairnessOf === undefined ? {} : { fairnessOf }),
    clock: context.clock,
    random,
    log,
    metrics: metrics.controller(name, concurrency),
  });
  metrics.observe(name, controller);
  return controller;
};
