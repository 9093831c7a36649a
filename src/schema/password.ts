// Passwords: changing one's own, and setting a new one with a mailed link.
import { RESET_MINUTES } from '#/domain/identity/rules.ts';
import { MAX_CHARACTERS, MIN_CHARACTERS } from '#/domain/password/password-rules.ts';
import { changePassword } from '#/resolvers/passwords/change-password.ts';
import { requestPasswordReset } from '#/resolvers/passwords/request-password-reset.ts';
import { resetPassword } from '#/resolvers/passwords/reset-password.ts';
import { builder } from './builder.ts';
import { visitorOf } from './context.ts';
import { MAIL_COST, PASSWORD_COST } from './costs.ts';
import { resultUnion } from './errors.ts';
import { User } from './user.ts';
import { somebodyOf } from './viewer.ts';

export const passwordText = `${MIN_CHARACTERS} to ${MAX_CHARACTERS} characters of any kind, hard to guess, and not known to attackers.`;

const ChangePasswordInput = builder.inputType('ChangePasswordInput', {
  description: 'Another password.',
  fields: (t) => ({
    currentPassword: t.string({ description: 'The password until now.' }),
    newPassword: t.string({ description: passwordText }),
  }),
});

const RequestPasswordResetInput = builder.inputType('RequestPasswordResetInput', {
  description: 'Whose password is forgotten.',
  fields: (t) => ({ email: t.string({ description: 'Address that one signs in with.' }) }),
});

const ResetPasswordInput = builder.inputType('ResetPasswordInput', {
  description: 'A new password by a mailed link.',
  fields: (t) => ({
    token: t.string({ description: 'Last part of the mailed link.' }),
    newPassword: t.string({ description: passwordText }),
  }),
});

const ChangePasswordResult = resultUnion(
  'ChangePasswordResult',
  User,
  changePassword,
  'Whose password was changed, or why it is not.',
);
const ResetPasswordResult = resultUnion(
  'ResetPasswordResult',
  User,
  resetPassword,
  'Whose password was set, or why it is not.',
);

builder.mutationFields((t) => ({
  changePassword: t.withAuth({ signedIn: true }).field({
    type: ChangePasswordResult,
    nullable: true,
    description:
      'Changes the password. All other sessions end, mailed links are dead, and a mail tells of it; a browser gets a new cookie.',
    extensions: { cost: PASSWORD_COST },
    args: { input: t.arg({ type: ChangePasswordInput, description: 'The passwords.' }) },
    resolve: async (_root, { input }, context) =>
      somebodyOf(await changePassword(context.deps, visitorOf(context), input)),
  }),
  requestPasswordReset: t.withAuth({ public: true }).boolean({
    description: `Mails a link that is good for one use within ${RESET_MINUTES} minutes. Always true: nobody learns whether somebody signs in with the address.`,
    extensions: { cost: MAIL_COST },
    args: { input: t.arg({ type: RequestPasswordResetInput, description: 'The address.' }) },
    resolve: (_root, { input }, context) => requestPasswordReset(context.deps, visitorOf(context), input),
  }),
  resetPassword: t.withAuth({ public: true }).field({
    type: ResetPasswordResult,
    nullable: true,
    description:
      'Sets a new password with the mailed link. It signs nobody in and shows no second factor; all sessions end, and a mail tells of it.',
    extensions: { cost: PASSWORD_COST },
    args: { input: t.arg({ type: ResetPasswordInput, description: 'The link and the password.' }) },
    resolve: (_root, { input }, context) => resetPassword(context.deps, visitorOf(context), input),
  }),
}));
