import { z } from 'zod';
import { int, listMap, type Output, text, time } from './kit.ts';

/** `metav1.Condition`. */
export const condition = z.object({
  type: z
    .string()
    .max(64)
    .regex(/^[A-Z][A-Za-z0-9]*$/)
    .describe('What the condition speaks of.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether it is so.'),
  observedGeneration: int(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('The metadata.generation this was computed from.'),
  lastTransitionTime: time().describe('When the status last changed.'),
  reason: z
    .string()
    .max(64)
    .regex(/^[A-Z][A-Za-z0-9]*$/)
    .describe('One word for machines; docs/troubleshooting.md lists them all.'),
  message: text(2048).describe('One sentence for a person.'),
});

/** One condition of an object. */
export type Condition = Output<typeof condition>;

/** What every status begins with. */
export const statusBase = {
  observedGeneration: int(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('The metadata.generation this status speaks of.'),
  conditions: listMap(condition, 'type', 32).optional().describe('What is true of the object now.'),
};

/**
 * What the API server gives every new object: kstatus readers (Flux, kubectl wait) call an object without
 * status finished. Our apply must always carry `Reconciling`, because it merges into this one.
 */
export const PENDING_STATUS = {
  conditions: [
    {
      type: 'Reconciling',
      status: 'True',
      reason: 'Pending',
      message: 'The operator has not looked at this object yet.',
      lastTransitionTime: '1970-01-01T00:00:00Z',
    },
  ],
} as const;
