// What people change about themselves: name and address.
import { EMAIL_CHANGE_MINUTES, MAX_PERSON_NAME } from '#/domain/identity/rules.ts';
import { changeEmail } from '#/resolvers/email-change/change-email.ts';
import { confirmEmailChange } from '#/resolvers/email-change/confirm-email-change.ts';
import { updateProfile } from '#/resolvers/email-change/update-profile.ts';
import { builder } from './builder.ts';
import { visitorOf } from './context.ts';
import { PASSWORD_COST } from './costs.ts';
import { resultUnion } from './errors.ts';
import { User } from './user.ts';

export const personNameText = `For people; 1 to ${MAX_PERSON_NAME} characters.`;

const UpdateProfileInput = builder.inputType('UpdateProfileInput', {
  description: 'What others see of oneself.',
  fields: (t) => ({ name: t.string({ description: personNameText }) }),
});

const ChangeEmailInput = builder.inputType('ChangeEmailInput', {
  description: 'Another address to sign in with.',
  fields: (t) => ({
    currentPassword: t.string({ description: 'The password.' }),
    newEmail: t.string({ description: 'The address from then on; a link is mailed to it.' }),
  }),
});

const ConfirmEmailChangeInput = builder.inputType('ConfirmEmailChangeInput', {
  description: 'The proof that the new address is read.',
  fields: (t) => ({ token: t.string({ description: 'Last part of the mailed link.' }) }),
});

const EmailChangeRequested = builder.objectRef<{ readonly email: string }>('EmailChangeRequested').implement({
  description: 'Mails are on their way; nothing is changed until the link in one of them is opened.',
  fields: (t) => ({ email: t.exposeString('email', { description: 'The new address.' }) }),
});

const UpdateProfileResult = resultUnion('UpdateProfileResult', User, updateProfile, 'The person, or why not.');
const ChangeEmailResult = resultUnion(
  'ChangeEmailResult',
  EmailChangeRequested,
  changeEmail,
  'That it was asked for, or why not.',
);
const ConfirmEmailChangeResult = resultUnion(
  'ConfirmEmailChangeResult',
  User,
  confirmEmailChange,
  'The person with the new address, or why it is not changed.',
);

builder.mutationFields((t) => ({
  updateProfile: t.withAuth({ signedIn: true }).field({
    type: UpdateProfileResult,
    nullable: true,
    description: 'Changes the name that others see.',
    args: { input: t.arg({ type: UpdateProfileInput, description: 'The changes.' }) },
    resolve: (_root, { input }, context) => updateProfile(context.deps, visitorOf(context), input),
  }),
  changeEmail: t.withAuth({ signedIn: true, proved: true }).field({
    type: ChangeEmailResult,
    nullable: true,
    description: `Mails a link, good for ${EMAIL_CHANGE_MINUTES} minutes, to the new address, and tells the old one. Answers the same when somebody signs in with the new address already: that is told to the address. Needs a fresh proof of identity.`,
    extensions: { cost: PASSWORD_COST },
    args: { input: t.arg({ type: ChangeEmailInput, description: 'The password and the address.' }) },
    resolve: (_root, { input }, context) => changeEmail(context.deps, visitorOf(context), input),
  }),
  confirmEmailChange: t.withAuth({ public: true }).field({
    type: ConfirmEmailChangeResult,
    nullable: true,
    description: 'Changes the address with the mailed link. All other sessions end, and the old address is told.',
    args: { input: t.arg({ type: ConfirmEmailChangeInput, description: 'The link.' }) },
    resolve: (_root, { input }, context) => confirmEmailChange(context.deps, visitorOf(context), input),
  }),
}));
