// Bounces and complaints.
import type { BounceRow } from '#/db/bounces.ts';
import { bounceTypes, isBounceType, type BounceType as Type } from '#/domain/bounce-types.ts';
import { encodeId } from '#/domain/ids.ts';
import { MAX_KEPT_SOURCE, SOURCE_DAYS } from '#/resolvers/bounces/returned-source.ts';
import { builder, guarded } from './builder.ts';
import type { Context } from './context.ts';
import { onItsServer } from './guards.ts';
import { loadersOf } from './loaders.ts';

const values = {
  HARD_BOUNCE: { description: bounceTypes.HARD_BOUNCE.description },
  TRANSIENT: { description: bounceTypes.TRANSIENT.description },
  UNSUBSCRIBE: { description: bounceTypes.UNSUBSCRIBE.description },
  SUBSCRIBE: { description: bounceTypes.SUBSCRIBE.description },
  AUTO_RESPONDER: { description: bounceTypes.AUTO_RESPONDER.description },
  ADDRESS_CHANGE: { description: bounceTypes.ADDRESS_CHANGE.description },
  DNS_ERROR: { description: bounceTypes.DNS_ERROR.description },
  SPAM_NOTIFICATION: { description: bounceTypes.SPAM_NOTIFICATION.description },
  OPEN_RELAY_TEST: { description: bounceTypes.OPEN_RELAY_TEST.description },
  UNKNOWN: { description: bounceTypes.UNKNOWN.description },
  SOFT_BOUNCE: { description: bounceTypes.SOFT_BOUNCE.description },
  VIRUS_NOTIFICATION: { description: bounceTypes.VIRUS_NOTIFICATION.description },
  CHALLENGE_VERIFICATION: { description: bounceTypes.CHALLENGE_VERIFICATION.description },
  BAD_EMAIL_ADDRESS: { description: bounceTypes.BAD_EMAIL_ADDRESS.description },
  SPAM_COMPLAINT: { description: bounceTypes.SPAM_COMPLAINT.description },
  MANUALLY_DEACTIVATED: { description: bounceTypes.MANUALLY_DEACTIVATED.description },
  UNCONFIRMED: { description: bounceTypes.UNCONFIRMED.description },
  BLOCKED: { description: bounceTypes.BLOCKED.description },
  SMTP_API_ERROR: { description: bounceTypes.SMTP_API_ERROR.description },
  INBOUND_ERROR: { description: bounceTypes.INBOUND_ERROR.description },
  DMARC_POLICY: { description: bounceTypes.DMARC_POLICY.description },
  TEMPLATE_RENDERING_FAILED: { description: bounceTypes.TEMPLATE_RENDERING_FAILED.description },
} as const satisfies Record<Type, { readonly description: string }>;

export const BounceType = builder.enumType('BounceType', { description: 'What kind of bounce it is.', values });

function typeOf({ type }: BounceRow): Type {
  return isBounceType(type) ? type : 'UNKNOWN';
}

/** Why the address is suppressed because of this bounce; null when it is not, or not any more. */
async function suppressionOf(bounce: BounceRow, context: Context) {
  const { suppressionId } = bounce;
  return suppressionId === null ? null : loadersOf(context, bounce).suppressionReason.load(suppressionId);
}

export const Bounce = builder.objectRef<BounceRow>('Bounce').implement({
  description: guarded(
    'bounce.read',
    'An email that came back, an answer of a machine to one, or a complaint about one.',
  ),
  interfaces: [builder.nodeInterfaceRef()],
  authScopes: onItsServer('bounce.read'),
  fields: (t) => ({
    id: t.id({ description: 'Global id, bnc_….', resolve: ({ id }) => encodeId('bounce', id) }),
    type: t.field({ type: BounceType, description: 'What kind of bounce it is.', resolve: typeOf }),
    typeCode: t.int({
      description: 'The number that Postmark gives this type.',
      resolve: (bounce) => bounceTypes[typeOf(bounce)].code,
    }),
    address: t.exposeString('address', { description: 'The address that it is about.' }),
    occurredAt: t.expose('occurredAt', { type: 'DateTime', description: 'When it came.' }),
    smtpCode: t.exposeInt('smtpCode', { nullable: true, description: 'Code of the reply, if there was one.' }),
    enhancedCode: t.exposeString('enhancedCode', { nullable: true, description: 'Its RFC 3463 code, e.g. 5.1.1.' }),
    details: t.exposeString('details', { description: 'What the remote side said.' }),
    description: t.string({
      description: 'What the type means, for a person.',
      resolve: (bounce) => bounceTypes[typeOf(bounce)].description,
    }),
    inactive: t.boolean({
      description: 'The address is suppressed because of it.',
      resolve: async (bounce, _args, context) => (await suppressionOf(bounce, context)) !== null,
    }),
    canReactivate: t.boolean({
      description: 'The customer may lift that suppression: there is one, and it is no complaint.',
      resolve: async (bounce, _args, context) => {
        const reason = await suppressionOf(bounce, context);
        return reason !== null && reason !== 'SPAM_COMPLAINT';
      },
    }),
    source: t.withAuth(onItsServer('content.read')).string({
      nullable: true,
      description: guarded(
        'content.read',
        `The raw notification, its first ${MAX_KEPT_SOURCE / 1024} KB, kept for ${SOURCE_DAYS} days; null for a refusal in the conversation, which has none.`,
      ),
      extensions: { cost: 5 },
      resolve: (bounce, _args, context) => loadersOf(context, bounce).bounceSource.load(bounce.id),
    }),
    messageId: t.id({
      nullable: true,
      description: 'The message that it is about.',
      resolve: ({ messageId }) => (messageId === null ? null : encodeId('message', messageId)),
    }),
  }),
});
