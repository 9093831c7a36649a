// Inputs and results that several concepts share.
import { builder } from './builder.ts';

export const IdInput = builder.inputType('IdInput', {
  description: 'The thing that is meant.',
  fields: (t) => ({ id: t.id({ description: 'Its global id.' }) }),
});

/** `id`: public. */
export const Deleted = builder.objectRef<{ readonly id: string }>('Deleted').implement({
  description: 'It is gone.',
  fields: (t) => ({ id: t.exposeID('id', { description: 'The id that it had.' }) }),
});
