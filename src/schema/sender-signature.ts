// Sender signatures and what is done to them.
import type { SignatureRow } from '#/db/sender-signatures.ts';
import { encodeId } from '#/domain/ids.ts';
import {
  CONFIRMATION_DAYS,
  MAX_SIGNATURE_NAME,
  MAX_SIGNATURE_NOTE,
  MAX_SIGNATURES,
} from '#/domain/sender-identity/rules.ts';
import { addSenderSignature } from '#/resolvers/sender-signatures/add-sender-signature.ts';
import { removeSenderSignature } from '#/resolvers/sender-signatures/remove-sender-signature.ts';
import { resendSenderSignature } from '#/resolvers/sender-signatures/resend-sender-signature.ts';
import { builder, guarded } from './builder.ts';
import { resultUnion } from './errors.ts';
import { uuidOf } from './ids.ts';
import { onId } from './guards.ts';
import { callerAt } from './locate.ts';
import { Deleted, IdInput } from './inputs.ts';

export const SenderSignature = builder.objectRef<SignatureRow>('SenderSignature').implement({
  description: 'A single address to send from, confirmed by whoever reads its mail.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, sig_….', resolve: ({ id }) => encodeId('signature', id) }),
    address: t.exposeString('address', { description: 'The address.' }),
    name: t.exposeString('name', { description: 'Stands in From where an email gives no name.' }),
    replyTo: t.exposeString('replyTo', {
      nullable: true,
      description: 'Stands in Reply-To where an email gives none.',
    }),
    confirmed: t.boolean({
      description: 'It may be sent from.',
      resolve: ({ confirmedAt }) => confirmedAt !== null,
    }),
  }),
});

export const SenderSignatureConnection = builder.connectionObject(
  { type: SenderSignature, name: 'SenderSignatureConnection', description: 'A page of sender signatures.' },
  { name: 'SenderSignatureEdge', description: 'A sender signature in its list.' },
);

const AddSenderSignatureInput = builder.inputType('AddSenderSignatureInput', {
  description: 'A new sender signature.',
  fields: (t) => ({
    accountId: t.id({ description: 'The account that gets it.' }),
    address: t.string({ description: 'Not at a mailbox provider: receivers refuse mail in its name from elsewhere.' }),
    name: t.string({ description: `Of the sender; 1 to ${MAX_SIGNATURE_NAME} characters.` }),
    replyTo: t.string({ required: false, description: 'Where answers go; to the address itself unless given.' }),
    note: t.string({
      required: false,
      description: `Stands in the mail that asks for confirmation; at most ${MAX_SIGNATURE_NOTE} characters.`,
    }),
  }),
});

const AddSenderSignatureResult = resultUnion(
  'AddSenderSignatureResult',
  SenderSignature,
  addSenderSignature,
  'The signature, which waits for confirmation, or why there is none.',
);
const ResendSenderSignatureResult = resultUnion(
  'ResendSenderSignatureResult',
  SenderSignature,
  resendSenderSignature,
  'The signature, or why no mail was sent.',
);
const RemoveSenderSignatureResult = resultUnion(
  'RemoveSenderSignatureResult',
  Deleted,
  removeSenderSignature,
  'The id that the signature had, or why it is not removed.',
);

builder.mutationFields((t) => ({
  addSenderSignature: t.withAuth(onId(addSenderSignature, 'account', 'input.accountId')).field({
    type: AddSenderSignatureResult,
    nullable: true,
    description: guarded(
      addSenderSignature.permission,
      `Adds an address to send from, and mails a link to it that is good for ${CONFIRMATION_DAYS} days; an account may have ${MAX_SIGNATURES}. Mail from it is signed with the keys of its domain, so that domain must be verified too.`,
    ),
    extensions: { cost: 20 },
    args: { input: t.arg({ type: AddSenderSignatureInput, description: 'The new signature.' }) },
    resolve: async (_root, { input }, context) => {
      const accountId = uuidOf('account', input.accountId);
      const caller = await callerAt(context, addSenderSignature.permission, 'account', accountId);
      return addSenderSignature(context.deps, caller, {
        accountId,
        address: input.address,
        name: input.name,
        replyTo: input.replyTo ?? null,
        note: input.note ?? null,
      });
    },
  }),
  resendSenderSignature: t.withAuth(onId(resendSenderSignature, 'signature', 'input.id')).field({
    type: ResendSenderSignatureResult,
    nullable: true,
    description: guarded(
      resendSenderSignature.permission,
      'Mails a new link, at most one a minute. The one before is no longer good.',
    ),
    extensions: { cost: 20 },
    args: { input: t.arg({ type: IdInput, description: 'The signature.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('signature', input.id);
      const caller = await callerAt(context, resendSenderSignature.permission, 'signature', id);
      return resendSenderSignature(context.deps, caller, { id });
    },
  }),
  removeSenderSignature: t.withAuth(onId(removeSenderSignature, 'signature', 'input.id')).field({
    type: RemoveSenderSignatureResult,
    nullable: true,
    description: guarded(
      removeSenderSignature.permission,
      'Removes a signature. Its address can no longer be sent from.',
    ),
    args: { input: t.arg({ type: IdInput, description: 'The signature.' }) },
    resolve: async (_root, { input }, context) => {
      const uuid = uuidOf('signature', input.id);
      const caller = await callerAt(context, removeSenderSignature.permission, 'signature', uuid);
      const { id } = await removeSenderSignature(context.deps, caller, { id: uuid });
      return { id: encodeId('signature', id) };
    },
  }),
}));
