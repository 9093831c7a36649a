// The owner of the first account, made once with the link that the first start prints.
import { completeSetup } from '#/resolvers/setup/complete-setup.ts';
import { builder } from './builder.ts';
import { visitorOf } from './context.ts';
import { PASSWORD_COST } from './costs.ts';
import { resultUnion } from './errors.ts';
import { passwordText } from './password.ts';
import { personNameText } from './profile.ts';
import { SignedIn } from './signed-in.ts';

const CompleteSetupInput = builder.inputType('CompleteSetupInput', {
  description: 'The owner of the first account.',
  fields: (t) => ({
    token: t.string({ description: 'Last part of the printed link.' }),
    email: t.string({ description: 'Address to sign in with.' }),
    name: t.string({ description: personNameText }),
    password: t.string({ description: passwordText }),
  }),
});

const CompleteSetupResult = resultUnion(
  'CompleteSetupResult',
  SignedIn,
  completeSetup,
  'The first session, or why there is none.',
);

builder.mutationField('completeSetup', (t) =>
  t.withAuth({ public: true }).field({
    type: CompleteSetupResult,
    nullable: true,
    description:
      'Makes the owner of the account that the first start has made, with the link that it printed. Once: of several at once, one succeeds.',
    extensions: { cost: PASSWORD_COST },
    args: { input: t.arg({ type: CompleteSetupInput, description: 'The link and the owner.' }) },
    resolve: (_root, { input }, context) => completeSetup(context.deps, visitorOf(context), input),
  }),
);
