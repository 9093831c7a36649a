// What is done to accounts themselves.
import { MAX_ACCOUNT_NAME } from '#/domain/identity/rules.ts';
import { RETENTION_DAYS } from '#/domain/retention.ts';
import { changesSafety, updateAccount } from '#/resolvers/accounts/update-account.ts';
import { Account, TwoFactorPolicy } from './account.ts';
import { builder, guarded } from './builder.ts';
import { resultUnion } from './errors.ts';
import { onId } from './guards.ts';
import { uuidOf } from './ids.ts';
import { loadersIn } from './loaders.ts';
import { callerAt } from './locate.ts';
import { within } from './context.ts';

const UpdateAccountInput = builder.inputType('UpdateAccountInput', {
  description:
    'Changes to an account. What is left out stays as it is; null is refused. All but a new name need a fresh proof of identity.',
  fields: (t) => ({
    id: t.id({ description: 'The account.' }),
    name: t.string({ required: false, description: `For people; 1 to ${MAX_ACCOUNT_NAME} characters.` }),
    twoFactorPolicy: t.field({
      type: TwoFactorPolicy,
      required: false,
      description: 'Whether members need a second factor. Who demands one must have one.',
    }),
    retentionDays: t.int({
      required: false,
      description: `Days that message content and events are kept, ${RETENTION_DAYS.min} to ${RETENTION_DAYS.max}. Holds for messages accepted from now on.`,
    }),
  }),
});

const UpdateAccountResult = resultUnion(
  'UpdateAccountResult',
  Account,
  updateAccount,
  'The changed account, or why it is not.',
);

/** Of the arguments of updateAccount, before they are read. */
function needsProof({ input }: Readonly<Record<string, unknown>>): boolean {
  return typeof input === 'object' && input !== null && changesSafety(input);
}

builder.mutationFields((t) => ({
  updateAccount: t.withAuth(onId(updateAccount, 'account', 'input.id', needsProof)).field({
    type: UpdateAccountResult,
    nullable: true,
    description: guarded(
      updateAccount.permission,
      'Changes the settings of an account. A demand for a second factor holds from the next request of each member on.',
    ),
    args: { input: t.arg({ type: UpdateAccountInput, description: 'The changes.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('account', input.id);
      const caller = await callerAt(context, updateAccount.permission, 'account', id);
      const { account } = await updateAccount(context.deps, caller, { ...input, id });
      loadersIn(context, within(context, id)).account.clear(id);
      return account;
    },
  }),
}));
