// Signing in and out, the second step, fresh proofs, and one's sessions.
import { BACKUP_CODES, PROOF_MINUTES, SECOND_STEP_MINUTES } from '#/domain/identity/rules.ts';
import { onlyOne, type ShownFactor } from '#/resolvers/second-factor/shown-factor.ts';
import { revokeOtherSessions } from '#/resolvers/sessions/revoke-other-sessions.ts';
import { revokeSession } from '#/resolvers/sessions/revoke-session.ts';
import { signOut } from '#/resolvers/sessions/sign-out.ts';
import { signIn } from '#/resolvers/sign-in/sign-in.ts';
import { type SteppedUp as SteppedUpShape, stepUp } from '#/resolvers/sign-in/step-up.ts';
import { verifyTwoFactor } from '#/resolvers/sign-in/verify-two-factor.ts';
import { builder } from './builder.ts';
import { visitorOf } from './context.ts';
import { PASSWORD_COST } from './costs.ts';
import { resultUnion } from './errors.ts';
import { uuidOf } from './ids.ts';
import { IdInput } from './inputs.ts';
import { SignedIn } from './signed-in.ts';
import { Session } from './user.ts';

const CODE_COST = 20;

const totpText = 'Six digits of an authenticator app.';
const backupText = `One of the ${BACKUP_CODES} backup codes; case, dashes and blanks do not matter.`;
const passkeyText = 'What `navigator.credentials.get` gave, as JSON, with the options of beginPasskeyVerification.';

const SignInInput = builder.inputType('SignInInput', {
  description: 'Who signs in.',
  fields: (t) => ({
    email: t.string({ description: 'The address.' }),
    password: t.string({ description: 'The password.' }),
  }),
});

const VerifyTwoFactorInput = builder.inputType('VerifyTwoFactorInput', {
  description: 'The second factor. Exactly one of them.',
  fields: (t) => ({
    totpCode: t.string({ required: false, description: totpText }),
    backupCode: t.string({ required: false, description: backupText }),
    passkey: t.field({ type: 'JSON', required: false, description: passkeyText }),
  }),
});

const StepUpInput = builder.inputType('StepUpInput', {
  description: 'A fresh proof. Exactly one of the first four.',
  fields: (t) => ({
    totpCode: t.string({ required: false, description: totpText }),
    backupCode: t.string({ required: false, description: backupText }),
    passkey: t.field({ type: 'JSON', required: false, description: passkeyText }),
    password: t.string({ required: false, description: 'The password, of who has no second factor.' }),
    renewToken: t.boolean({
      required: false,
      description:
        'For API clients: the session gets a new secret, and the one that was used is dead. A browser’s is renewed in any case.',
    }),
  }),
});

interface FactorInput {
  readonly totpCode?: string | null | undefined;
  readonly backupCode?: string | null | undefined;
  readonly passkey?: unknown;
}

function shownBy({ totpCode, backupCode, passkey }: FactorInput): Readonly<Record<string, ShownFactor | null>> {
  return {
    totpCode: totpCode == null ? null : { kind: 'TOTP', code: totpCode },
    backupCode: backupCode == null ? null : { kind: 'BACKUP_CODE', code: backupCode },
    passkey: passkey == null ? null : { kind: 'PASSKEY', answer: passkey },
  };
}

const SteppedUp = builder.objectRef<SteppedUpShape>('SteppedUp').implement({
  description: 'Who is signed in has proved it afresh.',
  fields: (t) => ({
    until: t.expose('until', {
      type: 'DateTime',
      description: `Until when acts are allowed that need it: ${PROOF_MINUTES} minutes.`,
    }),
    token: t.exposeString('secret', {
      nullable: true,
      description: 'The new secret of the session, shown this once; null: it is as before.',
    }),
  }),
});

const SignInResult = resultUnion('SignInResult', SignedIn, signIn, 'The session, or that there is none.');
const VerifyTwoFactorResult = resultUnion(
  'VerifyTwoFactorResult',
  SignedIn,
  verifyTwoFactor,
  'The session, or why it is not complete.',
);
const StepUpResult = resultUnion('StepUpResult', SteppedUp, stepUp, 'How long the proof holds, or why it is none.');
const RevokeSessionResult = resultUnion('RevokeSessionResult', Session, revokeSession, 'The session that has ended.');

builder.mutationFields((t) => ({
  signIn: t.withAuth({ public: true }).field({
    type: SignInResult,
    nullable: true,
    description: `Begins a session. With a second factor it may do nothing but show that, within ${SECOND_STEP_MINUTES} minutes: verifyTwoFactor. After some wrong tries RATE_LIMITED tells how long to wait.`,
    extensions: { cost: PASSWORD_COST },
    args: { input: t.arg({ type: SignInInput, description: 'Who.' }) },
    resolve: (_root, { input }, context) => signIn(context.deps, visitorOf(context), input),
  }),
  verifyTwoFactor: t.withAuth({ secondStep: true }).field({
    type: VerifyTwoFactorResult,
    nullable: true,
    description:
      'The second step of signing in. The session gets a new secret; that of the first step is dead. After some wrong tries RATE_LIMITED tells how long to wait.',
    extensions: { cost: CODE_COST },
    args: { input: t.arg({ type: VerifyTwoFactorInput, description: 'The second factor.' }) },
    resolve: (_root, { input }, context) => verifyTwoFactor(context.deps, visitorOf(context), onlyOne(shownBy(input))),
  }),
  signOut: t.withAuth({ public: true }).boolean({
    description: 'Ends the session that asks, and its sockets. True also where there is none.',
    resolve: (_root, _args, context) => signOut(context.deps, visitorOf(context), null),
  }),
  revokeSession: t.withAuth({ signedIn: true }).field({
    type: RevokeSessionResult,
    nullable: true,
    description: "Ends one of the caller's own sessions, and its sockets, wherever they are.",
    args: { input: t.arg({ type: IdInput, description: 'The session.' }) },
    resolve: (_root, { input }, context) =>
      revokeSession(context.deps, visitorOf(context), { id: uuidOf('session', input.id) }),
  }),
  revokeOtherSessions: t.withAuth({ signedIn: true }).int({
    description: "Ends all of the caller's own sessions but the one that asks; how many they were.",
    resolve: async (_root, _args, context) => (await revokeOtherSessions(context.deps, visitorOf(context), null)).ended,
  }),
  stepUp: t.withAuth({ enrolling: true }).field({
    type: StepUpResult,
    nullable: true,
    description:
      'Proves afresh who is signed in: by the second factor, or by the password where there is none. What needs such a proof answers STEP_UP_REQUIRED without it; signing in is one.',
    extensions: { cost: PASSWORD_COST },
    args: { input: t.arg({ type: StepUpInput, description: 'The proof.' }) },
    resolve: (_root, { input }, context) => {
      const password = input.password == null ? null : ({ kind: 'PASSWORD', password: input.password } as const);
      const shown = onlyOne<ShownFactor | NonNullable<typeof password>>({ ...shownBy(input), password });
      return stepUp(context.deps, visitorOf(context), { shown, renewToken: input.renewToken ?? false });
    },
  }),
}));
