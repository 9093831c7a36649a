// Inputs and results that several concepts share.
import { OVERLAP_SECONDS } from '#/domain/token-rules.ts';
import { builder } from './builder.ts';

export const IdInput = builder.inputType('IdInput', {
  description: 'The thing that is meant.',
  fields: (t) => ({ id: t.id({ description: 'Its global id.' }) }),
});

export const RotateTokenInput = builder.inputType('RotateTokenInput', {
  description: 'What gets a new secret.',
  fields: (t) => ({
    id: t.id({ description: 'What is rotated.' }),
    overlapSeconds: t.int({
      required: false,
      description: `How long the old secret stays good, ${OVERLAP_SECONDS.min} to ${OVERLAP_SECONDS.max}: ${OVERLAP_SECONDS.default} (24 hours) unless given, 0 ends it at once. It never outlives its own end.`,
    }),
  }),
});

/** `id`: public. */
export const Deleted = builder.objectRef<{ readonly id: string }>('Deleted').implement({
  description: 'It is gone.',
  fields: (t) => ({ id: t.exposeID('id', { description: 'The id that it had.' }) }),
});
