// Inputs and results that several concepts share.
import { builder } from './builder.ts';

export const IdInput = builder.inputType('IdInput', {
  description: 'The thing that is meant.',
  fields: (t) => ({ id: t.id({ description: 'Its global id.' }) }),
});

export const RotateTokenInput = builder.inputType('RotateTokenInput', {
  description: 'A secret that is to be replaced.',
  fields: (t) => ({
    id: t.id({ description: 'What has the secret.' }),
    overlapSeconds: t.int({
      required: false,
      description: 'How long the old one stays valid; 24 hours unless given, 0 ends it at once.',
    }),
  }),
});

/** `id`: public. */
export const Deleted = builder.objectRef<{ readonly id: string }>('Deleted').implement({
  description: 'It is gone.',
  fields: (t) => ({ id: t.exposeID('id', { description: 'The id that it had.' }) }),
});
