// Emergency contacts of an account.
import { type ContactRow, listContacts } from '#/db/emergency-contacts.ts';
import { CONTACT_CONFIRMATION_DAYS, MAX_EMERGENCY_CONTACTS } from '#/domain/identity/rules.ts';
import { encodeId } from '#/domain/ids.ts';
import { addEmergencyContact } from '#/resolvers/emergency-contacts/add-emergency-contact.ts';
import { removeEmergencyContact } from '#/resolvers/emergency-contacts/remove-emergency-contact.ts';
import { resendEmergencyContact } from '#/resolvers/emergency-contacts/resend-emergency-contact.ts';
import { Account } from './account.ts';
import { builder, guarded } from './builder.ts';
import { within } from './context.ts';
import { resultUnion } from './errors.ts';
import { onAccount, onId } from './guards.ts';
import { uuidOf } from './ids.ts';
import { IdInput } from './inputs.ts';
import { callerAt } from './locate.ts';

const EmergencyContact = builder.objectRef<ContactRow>('EmergencyContact').implement({
  description:
    'An address that is always mailed, with the account owner, when sending is paused. It needs no user, and counts once whoever reads its mail has confirmed it.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, ect_….', resolve: ({ id }) => encodeId('contact', id) }),
    email: t.exposeString('email', { description: 'The address.' }),
    confirmed: t.boolean({
      description: 'It is mailed in an emergency.',
      resolve: ({ confirmedAt }) => confirmedAt !== null,
    }),
  }),
});

builder.objectField(Account, 'emergencyContacts', (t) =>
  t.withAuth(onAccount('contact.read')).field({
    type: [EmergencyContact],
    description: guarded(
      'contact.read',
      `Who is told with the owner, oldest first; at most ${MAX_EMERGENCY_CONTACTS}.`,
    ),
    resolve: ({ id }, _args, context) => listContacts(within(context, id).scope),
  }),
);

const AddEmergencyContactInput = builder.inputType('AddEmergencyContactInput', {
  description: 'A new emergency contact.',
  fields: (t) => ({
    accountId: t.id({ description: 'The account that gets it.' }),
    email: t.string({ description: 'Its address.' }),
  }),
});

const AddEmergencyContactResult = resultUnion(
  'AddEmergencyContactResult',
  EmergencyContact,
  addEmergencyContact,
  'The contact, which waits for confirmation, or why there is none.',
);
const ResendEmergencyContactResult = resultUnion(
  'ResendEmergencyContactResult',
  EmergencyContact,
  resendEmergencyContact,
  'The contact, or why no mail was sent.',
);
const RemoveEmergencyContactResult = resultUnion(
  'RemoveEmergencyContactResult',
  Account,
  removeEmergencyContact,
  'The account, or why the contact stays.',
);

builder.mutationFields((t) => ({
  addEmergencyContact: t.withAuth(onId(addEmergencyContact, 'account', 'input.accountId')).field({
    type: AddEmergencyContactResult,
    nullable: true,
    description: guarded(
      addEmergencyContact.permission,
      `Adds an emergency contact, and mails a link to it that is good for ${CONTACT_CONFIRMATION_DAYS} days; an account may have ${MAX_EMERGENCY_CONTACTS}.`,
    ),
    extensions: { cost: 20 },
    args: { input: t.arg({ type: AddEmergencyContactInput, description: 'The new contact.' }) },
    resolve: async (_root, { input }, context) => {
      const accountId = uuidOf('account', input.accountId);
      const caller = await callerAt(context, addEmergencyContact.permission, 'account', accountId);
      return (await addEmergencyContact(context.deps, caller, { accountId, email: input.email })).contact;
    },
  }),
  resendEmergencyContact: t.withAuth(onId(resendEmergencyContact, 'contact', 'input.id')).field({
    type: ResendEmergencyContactResult,
    nullable: true,
    description: guarded(
      resendEmergencyContact.permission,
      'Mails a new link, at most one a minute. The one before is no longer good.',
    ),
    extensions: { cost: 20 },
    args: { input: t.arg({ type: IdInput, description: 'The contact.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('contact', input.id);
      const caller = await callerAt(context, resendEmergencyContact.permission, 'contact', id);
      return resendEmergencyContact(context.deps, caller, { id });
    },
  }),
  removeEmergencyContact: t.withAuth(onId(removeEmergencyContact, 'contact', 'input.id')).field({
    type: RemoveEmergencyContactResult,
    nullable: true,
    description: guarded(removeEmergencyContact.permission, 'Removes an emergency contact: it is not mailed any more.'),
    args: { input: t.arg({ type: IdInput, description: 'The contact.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('contact', input.id);
      const caller = await callerAt(context, removeEmergencyContact.permission, 'contact', id);
      return (await removeEmergencyContact(context.deps, caller, { id })).account;
    },
  }),
}));
