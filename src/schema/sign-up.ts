// Accounts that strangers make for themselves, where the operator lets them.
import { MAX_ACCOUNT_NAME, SIGN_UP_MINUTES } from '#/domain/identity/rules.ts';
import { completeSignUp } from '#/resolvers/sign-up/complete-sign-up.ts';
import { requestSignUp } from '#/resolvers/sign-up/request-sign-up.ts';
import { builder } from './builder.ts';
import { visitorOf } from './context.ts';
import { MAIL_COST, PASSWORD_COST } from './costs.ts';
import { resultUnion } from './errors.ts';
import { passwordText } from './password.ts';
import { personNameText } from './profile.ts';
import { SignedIn } from './signed-in.ts';

const RequestSignUpInput = builder.inputType('RequestSignUpInput', {
  description: 'Who wants to sign up.',
  fields: (t) => ({ email: t.string({ description: 'Address to sign in with; a link is mailed to it.' }) }),
});

const CompleteSignUpInput = builder.inputType('CompleteSignUpInput', {
  description: 'A new identity and its account.',
  fields: (t) => ({
    token: t.string({ description: 'Last part of the mailed link.' }),
    name: t.string({ description: personNameText }),
    password: t.string({ description: passwordText }),
    accountName: t.string({ description: `Of the account; 1 to ${MAX_ACCOUNT_NAME} characters.` }),
  }),
});

const CompleteSignUpResult = resultUnion(
  'CompleteSignUpResult',
  SignedIn,
  completeSignUp,
  'The first session, or why there is none.',
);

builder.mutationFields((t) => ({
  requestSignUp: t.withAuth({ public: true }).boolean({
    description: `Mails a link that is good for one use within ${SIGN_UP_MINUTES} minutes. Always true: somebody who signs in with the address already is told so by mail. FORBIDDEN unless the operator lets strangers sign up (VEREDUS_SIGN_UP).`,
    extensions: { cost: MAIL_COST },
    args: { input: t.arg({ type: RequestSignUpInput, description: 'The address.' }) },
    resolve: (_root, { input }, context) => requestSignUp(context.deps, visitorOf(context), input),
  }),
  completeSignUp: t.withAuth({ public: true }).field({
    type: CompleteSignUpResult,
    nullable: true,
    description: 'Makes an identity, and an account with it as OWNER, with the mailed link.',
    extensions: { cost: PASSWORD_COST },
    args: { input: t.arg({ type: CompleteSignUpInput, description: 'The link, the person and the account.' }) },
    resolve: (_root, { input }, context) => completeSignUp(context.deps, visitorOf(context), input),
  }),
}));
