// Expected failures as types, and the union of a use-case's success with the errors that it declares.
import type { ObjectRef } from '@pothos/core';
import {
  AllRecipientsSuppressed,
  Conflict,
  type ExpectedError,
  IdempotencyConflict,
  InvalidCode,
  InvalidCredentials,
  InvalidInput,
  LimitReached,
  NotFound,
  SenderNotVerified,
  type SuppressedRecipient,
  WeakPassword,
  WebhookUnreachable,
} from '#/domain/errors.ts';
import type { ErrorClass } from '#/resolvers/define.ts';
import { builder } from './builder.ts';
import { SuppressionReason } from './suppression.ts';

export const ErrorInterface = builder.interfaceRef<ExpectedError>('Error').implement({
  description: 'What may be expected to fail, as data.',
  fields: (t) => ({
    code: t.exposeString('code', { description: 'Stable and machine readable, e.g. INVALID_INPUT.' }),
    message: t.exposeString('message', { description: 'For a person; may change.' }),
  }),
});
const interfaces = [ErrorInterface];

export const InputIssue = builder.objectRef<InvalidInput['issues'][number]>('InputIssue').implement({
  description: 'One thing to mend in an input.',
  fields: (t) => ({
    path: t.stringList({ description: 'Path into `input`, e.g. `["to", "0"]`.', resolve: ({ path }) => [...path] }),
    message: t.exposeString('message', { description: 'What is wrong there.' }),
  }),
});

builder.objectType(InvalidInput, {
  name: 'InvalidInput',
  description: 'The input breaks rules; nothing was done.',
  interfaces,
  fields: (t) => ({
    issues: t.field({
      type: [InputIssue],
      description: 'Everything there is to mend, at most 20 issues.',
      resolve: ({ issues }) => [...issues],
    }),
  }),
});

builder.objectType(NotFound, {
  name: 'NotFound',
  description: 'No such thing; what belongs to somebody else answers the same.',
  interfaces,
});

builder.objectType(Conflict, {
  name: 'Conflict',
  description: 'The state of things does not allow it.',
  interfaces,
});

builder.objectType(LimitReached, {
  name: 'LimitReached',
  description: 'A limit of the account or server; `limit` is its value.',
  interfaces,
  fields: (t) => ({ limit: t.exposeInt('limit', { description: 'How many are allowed.' }) }),
});

builder.objectType(InvalidCredentials, {
  name: 'InvalidCredentials',
  description: 'The address or the password is not right; which of them is not told.',
  interfaces,
});

builder.objectType(InvalidCode, {
  name: 'InvalidCode',
  description: 'Wrong, expired or already used code or link.',
  interfaces,
  fields: (t) => ({
    attemptsLeft: t.exposeInt('attemptsLeft', {
      nullable: true,
      description: 'Tries that are left until each costs a pause; null where that is not told.',
    }),
  }),
});

builder.objectType(WeakPassword, {
  name: 'WeakPassword',
  description: 'The password is too short or too easy to guess.',
  interfaces,
  fields: (t) => ({
    suggestions: t.stringList({
      description: 'What would make it better.',
      resolve: ({ suggestions }) => [...suggestions],
    }),
  }),
});

builder.objectType(SenderNotVerified, {
  name: 'SenderNotVerified',
  description: 'The From address is neither a confirmed signature nor on a verified domain of this account.',
  interfaces,
  fields: (t) => ({ address: t.exposeString('address', { description: 'The From address.' }) }),
});

export const SuppressedRecipientType = builder.objectRef<SuppressedRecipient>('SuppressedRecipient').implement({
  description: 'An address that gets no mail of a stream.',
  fields: (t) => ({
    address: t.exposeString('address', { description: 'The address.' }),
    reason: t.field({ type: SuppressionReason, description: 'Why.', resolve: ({ reason }) => reason }),
  }),
});

builder.objectType(AllRecipientsSuppressed, {
  name: 'AllRecipientsSuppressed',
  description: 'Every recipient is suppressed on this stream; nothing was accepted.',
  interfaces,
  fields: (t) => ({
    recipients: t.field({
      type: [SuppressedRecipientType],
      description: 'The recipients, each with its reason.',
      resolve: ({ recipients }) => [...recipients],
    }),
  }),
});

builder.objectType(IdempotencyConflict, {
  name: 'IdempotencyConflict',
  description: 'The same idempotency key came with another body.',
  interfaces,
});

builder.objectType(WebhookUnreachable, {
  name: 'WebhookUnreachable',
  description: 'The trial call failed.',
  interfaces,
  fields: (t) => ({
    status: t.exposeInt('status', {
      nullable: true,
      description: 'HTTP status of the answer; null when there was none.',
    }),
  }),
});

type Types = typeof builder extends PothosSchemaTypes.SchemaBuilder<infer T> ? T : never;

/** The result of `useCase` as a union: its success, and all that it says it may fail with. */
export function resultUnion<S>(
  name: string,
  success: ObjectRef<Types, S>,
  useCase: { readonly errors: readonly ErrorClass[] },
  description: string,
) {
  return builder.errorUnion(name, {
    description,
    types: [success, ...useCase.errors],
    resolveType: () => success.name,
  });
}
