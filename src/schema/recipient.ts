// Recipients of a message, and the attempts to deliver to them.
import type { AttemptRow, RecipientRow } from '#/db/recipients.ts';
import { builder, guarded } from './builder.ts';
import { onItsServer } from './guards.ts';
import { loadersOf } from './loaders.ts';

const RecipientKind = builder.enumType('RecipientKind', {
  description: 'Where an address stands in the email.',
  values: {
    TO: { description: 'In To.' },
    CC: { description: 'In Cc.' },
    BCC: { description: 'Nowhere: the others do not learn of it.' },
  } as const,
});

export const DeliveryStatus = builder.enumType('DeliveryStatus', {
  description: 'How far delivery to an address has come.',
  values: {
    SCHEDULED: { description: 'It waits for sendAt.' },
    QUEUED: { description: 'It waits for its turn.' },
    DELAYED: { description: 'It could not be delivered for now and is tried again.' },
    DELIVERED: { description: 'The server of the recipient has taken it. It may still come back: BOUNCED then.' },
    BOUNCED: { description: 'It was refused for good, or came back after it was taken.' },
    SUPPRESSED: { description: 'The address is suppressed on the stream: nothing is sent.' },
    EXPIRED: { description: 'It could not be delivered in time.' },
    CANCELLED: { description: 'It was cancelled before it was handed over.' },
    IN_DOUBT: {
      description:
        'The connection was lost after the content was sent and before it was answered: it may or may not have arrived.',
    },
  } as const,
});

const AttemptOutcome = builder.enumType('AttemptOutcome', {
  description: 'How an attempt ended.',
  values: {
    DELIVERED: { description: 'The receiver took the email.' },
    DEFERRED: { description: 'Not now: it is tried again.' },
    BOUNCED: { description: 'It was refused for good.' },
    IN_DOUBT: { description: 'The content was sent and no answer came: it may or may not have arrived.' },
    LOST: { description: 'The process that made it died before any content was sent: it did not arrive.' },
  } as const,
});

const TlsVerification = builder.enumType('TlsVerification', {
  description: 'By what the peer of an encrypted connection is known to be the right one.',
  values: {
    NONE: { description: 'By nothing: it keeps out whoever only listens.' },
    WEBPKI: { description: 'Its certificate is signed by a trusted authority, for the name of the mail exchanger.' },
    MTA_STS: { description: 'The same, and the domain’s MTA-STS policy names that mail exchanger.' },
    DANE: { description: 'Its certificate is the one published in DNS, under DNSSEC.' },
  } as const,
});

export const DeliveryAttempt = builder.objectRef<AttemptRow>('DeliveryAttempt').implement({
  description: 'One attempt to deliver to one recipient.',
  fields: (t) => ({
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When it began.' }),
    endedAt: t.expose('endedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it ended; null while it runs, or when the process that ran it was lost.',
    }),
    outcome: t.field({
      type: AttemptOutcome,
      nullable: true,
      description: 'How it ended; null while it runs.',
      resolve: ({ outcome }) => outcome,
    }),
    remoteHost: t.exposeString('remoteHost', { nullable: true, description: 'Name of the server that was called.' }),
    remoteAddress: t.exposeString('remoteAddress', { nullable: true, description: 'Its IP address.' }),
    tls: t.exposeString('tls', { nullable: true, description: 'Version and cipher of TLS; null in plain text.' }),
    tlsVerification: t.field({
      type: TlsVerification,
      nullable: true,
      description: 'By what the server was known to be the right one; null in plain text.',
      resolve: ({ tlsVerification }) => tlsVerification,
    }),
    tlsPolicy: t.exposeString('tlsPolicy', {
      nullable: true,
      description:
        'The policy that held for the connection, and after a colon what was wrong where it was not met (a result type of RFC 8460), e.g. `MTA-STS enforce: certificate-expired`. Null where there was none.',
    }),
    smtpCode: t.exposeInt('smtpCode', { nullable: true, description: 'Code of the reply that decided.' }),
    enhancedCode: t.exposeString('enhancedCode', { nullable: true, description: 'Its RFC 3463 code, e.g. 5.1.1.' }),
    response: t.exposeString('response', { nullable: true, description: 'Its text, or what went wrong without one.' }),
    transcript: t.stringList({
      description:
        'The conversation, line by line, credentials removed: kept for every failure, for successes as the operator sets; else empty.',
      resolve: ({ transcript }) => transcript ?? [],
    }),
  }),
});

export const Recipient = builder.objectRef<RecipientRow>('Recipient').implement({
  description: 'One address of a message; delivery is tracked here.',
  fields: (t) => ({
    address: t.exposeString('address', { description: 'The address.' }),
    kind: t.field({ type: RecipientKind, description: 'Where it stands.', resolve: ({ kind }) => kind }),
    status: t.field({
      type: DeliveryStatus,
      description: 'How far delivery has come.',
      resolve: ({ status }) => status,
    }),
    attempts: t.withAuth(onItsServer('message.read')).field({
      type: [DeliveryAttempt],
      description: guarded('message.read', 'What was tried, oldest first.'),
      extensions: { cost: 2 },
      resolve: async (recipient, _args, context) =>
        (await loadersOf(context, recipient).attempts.load(recipient.messageId)).filter(
          ({ ordinal }) => ordinal === recipient.ordinal,
        ),
    }),
    doubts: t.withAuth(onItsServer('message.read')).int({
      description: guarded(
        'message.read',
        'Attempts of which nobody knows whether the email arrived; with any, a second copy may have arrived.',
      ),
      extensions: { cost: 2 },
      resolve: async (recipient, _args, context) =>
        (await loadersOf(context, recipient).attempts.load(recipient.messageId)).filter(
          ({ ordinal, outcome }) => ordinal === recipient.ordinal && outcome === 'IN_DOUBT',
        ).length,
    }),
    nextAttemptAt: t.withAuth(onItsServer('message.read')).field({
      type: 'DateTime',
      nullable: true,
      description: guarded('message.read', 'When it is tried next; null when it is not, or is being tried now.'),
      resolve: async (recipient, _args, context) => {
        const times = await loadersOf(context, recipient).dueTimes.load(recipient.messageId);
        const due = times.find(({ ordinal }) => ordinal === recipient.ordinal);
        return due === undefined || due.leased ? null : due.dueAt;
      },
    }),
  }),
});
