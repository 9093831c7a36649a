// Sending and cancelling.
import {
  MAX_ATTACHMENTS,
  MAX_BATCH_BYTES,
  MAX_BATCH_MESSAGES,
  MAX_BODY_BYTES,
  MAX_CONTENT_ID,
  MAX_CONTENT_TYPE,
  MAX_FILE_NAME,
  MAX_HEADER_NAME,
  MAX_HEADER_VALUE,
  MAX_HEADERS,
  MAX_IDEMPOTENCY_KEY,
  MAX_MESSAGE_BYTES,
  MAX_METADATA_KEY,
  MAX_METADATA_KEYS,
  MAX_METADATA_VALUE,
  MAX_RECIPIENTS,
  MAX_REPLY_TO,
  MAX_SCHEDULE_DAYS,
  MAX_SUBJECT,
  MAX_TAG,
} from '#/domain/email/limits.ts';
import { BadUserInput, ExpectedError, InvalidInput } from '#/domain/errors.ts';
import type { Caller } from '#/resolvers/define.ts';
import { cancelEmail } from '#/resolvers/emails/cancel-email.ts';
import { sendEmail } from '#/resolvers/emails/send-email.ts';
import { sendEmails } from '#/resolvers/emails/send-emails.ts';
import { builder, guarded } from './builder.ts';
import type { Context } from './context.ts';
import { resultUnion } from './errors.ts';
import { NOWHERE, uuidOf } from './ids.ts';
import { IdInput } from './inputs.ts';
import { LinkTracking } from './link-tracking.ts';
import { onId } from './guards.ts';
import { callerAt } from './locate.ts';
import { Message } from './message.ts';
import { ownServerOf } from './server.ts';

const MB = 1024 * 1024;

const AttachmentInput = builder.inputType('AttachmentInput', {
  description: '`content` is base64; `contentId` makes it inline (`cid:`).',
  fields: (t) => ({
    name: t.string({
      description: `File name; at most ${MAX_FILE_NAME} characters. Programs are refused by their endings.`,
    }),
    contentType: t.string({ description: `Media type; at most ${MAX_CONTENT_TYPE} characters.` }),
    content: t.string({ description: 'Base64.' }),
    contentId: t.string({
      required: false,
      description: `For a picture in the HTML body: what stands there after cid:, at most ${MAX_CONTENT_ID} characters.`,
    }),
  }),
});

export const HeaderInput = builder.inputType('HeaderInput', {
  description: 'One more header field.',
  fields: (t) => ({
    name: t.string({
      description: `At most ${MAX_HEADER_NAME} characters. Fields that have an input of their own are refused.`,
    }),
    value: t.string({ description: `At most ${MAX_HEADER_VALUE} characters, on one line.` }),
  }),
});

const SendEmailInput = builder.inputType('SendEmailInput', {
  description: `An email. Addresses: \`a@b.example\` or \`Name <a@b.example>\`. Content is \`html\` and/or \`text\`. At most ${MAX_MESSAGE_BYTES / MB} MB when encoded.`,
  fields: (t) => ({
    serverId: t.id({ required: false, description: "The calling token's server unless given." }),
    from: t.string({ description: 'The sender: one address, on a verified domain of the account.' }),
    to: t.stringList({ description: `At least one; to, cc and bcc together at most ${MAX_RECIPIENTS}.` }),
    cc: t.stringList({ required: false, description: 'Copies, which all recipients see.' }),
    bcc: t.stringList({ required: false, description: 'Copies, which nobody else sees.' }),
    replyTo: t.stringList({ required: false, description: `Where answers go; at most ${MAX_REPLY_TO}.` }),
    subject: t.string({ required: false, description: `At most ${MAX_SUBJECT} characters.` }),
    html: t.string({ required: false, description: `HTML body; at most ${MAX_BODY_BYTES / MB} MB of UTF-8.` }),
    text: t.string({ required: false, description: `Text body; at most ${MAX_BODY_BYTES / MB} MB of UTF-8.` }),
    attachments: t.field({ type: [AttachmentInput], required: false, description: `At most ${MAX_ATTACHMENTS}.` }),
    headers: t.field({
      type: [HeaderInput],
      required: false,
      description: `Further header fields; at most ${MAX_HEADERS}.`,
    }),
    tag: t.string({ required: false, description: `To group and find messages by; at most ${MAX_TAG} characters.` }),
    metadata: t.field({
      type: 'JSON',
      required: false,
      description: `Comes back on every event: an object of at most ${MAX_METADATA_KEYS} keys of ${MAX_METADATA_KEY} characters, with values of ${MAX_METADATA_VALUE}.`,
    }),
    stream: t.string({ required: false, description: 'Slug; `outbound` unless given.' }),
    trackOpens: t.boolean({
      required: false,
      description: "Whether opens are recorded; as the server's settings say unless given.",
    }),
    trackLinks: t.field({
      type: LinkTracking,
      required: false,
      description: "Which links are tracked; as the server's settings say unless given.",
    }),
    sendAt: t.field({
      type: 'DateTime',
      required: false,
      description: `Not before; at most ${MAX_SCHEDULE_DAYS} days ahead.`,
    }),
    expiresAt: t.field({
      type: 'DateTime',
      required: false,
      description: 'Not after: a code that is worthless in ten minutes is dropped, not delivered late.',
    }),
    idempotencyKey: t.string({
      required: false,
      description: `The same key and body within 24 hours gives the first answer again and sends nothing. 1 to ${MAX_IDEMPOTENCY_KEY} printable ASCII characters.`,
    }),
  }),
});

type Input = typeof SendEmailInput.$inferInput;

function requestOf(input: Input) {
  const { serverId, ...email } = input;
  return { ...email, serverId: typeof serverId === 'string' ? uuidOf('server', serverId) : null };
}

const SendEmailsInput = builder.inputType('SendEmailsInput', {
  description: 'Emails of one request.',
  fields: (t) => ({
    messages: t.field({
      type: [SendEmailInput],
      description: `At most ${MAX_BATCH_MESSAGES}, of ${MAX_BATCH_BYTES / MB} MB together.`,
    }),
  }),
});

/** Failures as rejections, which the errors plugin makes members of the union; each is made when it is taken. */
function* settled<T>(outcomes: Iterable<T | ExpectedError>): Iterable<T | Promise<never>> {
  for (const outcome of outcomes) yield outcome instanceof ExpectedError ? Promise.reject(outcome) : outcome;
}

type Request = ReturnType<typeof requestOf>;

/** A token sends on its own server unless it names one; a person names one. */
function senderAt(context: Context, serverId: string | null): Promise<Caller> {
  if (serverId === null && ownServerOf(context) === null)
    throw InvalidInput.at(['serverId'], 'Name the server: the caller is not bound to one.');
  return callerAt(context, sendEmail.permission, 'server', serverId ?? NOWHERE);
}

/** Emails of one request may be of several servers; what cannot be sent for one of them fails by itself. */
async function sendAll(context: Context, requests: readonly Request[]) {
  const [only] = context.callers;
  if (context.asker !== null && 'actor' in context.asker && only !== undefined)
    return sendEmails(context.deps, only, requests);
  const [first] = requests;
  const { serverId } = first ?? { serverId: null };
  if (requests.some((request) => request.serverId !== serverId))
    throw new BadUserInput('input.messages: a person sends a batch on one server.');
  return sendEmails(context.deps, await senderAt(context, serverId), requests);
}

const SendEmailResult = resultUnion(
  'SendEmailResult',
  Message,
  sendEmail,
  'The accepted email, or why nothing was sent.',
);
const CancelEmailResult = resultUnion(
  'CancelEmailResult',
  Message,
  cancelEmail,
  'The email, or why nothing was cancelled.',
);

builder.mutationFields((t) => ({
  sendEmail: t.withAuth(onId(sendEmail, 'server', 'input.serverId')).field({
    type: SendEmailResult,
    nullable: true,
    description: guarded(
      sendEmail.permission,
      'Accepts an email for delivery. What was answered with a Message is not lost.',
    ),
    extensions: { cost: 1 },
    args: { input: t.arg({ type: SendEmailInput, description: 'The email.' }) },
    resolve: async (_root, { input }, context) => {
      const request = requestOf(input);
      return sendEmail(context.deps, await senderAt(context, request.serverId), request);
    },
  }),
  sendEmails: t.withAuth(onId(sendEmail, 'server', 'input.messages.0.serverId')).field({
    type: [SendEmailResult],
    nullable: { list: true, items: false },
    description: guarded(
      sendEmail.permission,
      `At most ${MAX_BATCH_MESSAGES}; the answers stand in the order of the input and each succeeds or fails by itself.`,
    ),
    extensions: { cost: 1, costPerItem: { argument: 'input.messages', cost: 1 } },
    args: { input: t.arg({ type: SendEmailsInput, description: 'The emails.' }) },
    resolve: async (_root, { input }, context) => settled(await sendAll(context, input.messages.map(requestOf))),
  }),
  cancelEmail: t.withAuth(onId(cancelEmail, 'message', 'input.id')).field({
    type: CancelEmailResult,
    nullable: true,
    description: guarded(cancelEmail.permission, 'Takes back what was not handed over yet.'),
    args: { input: t.arg({ type: IdInput, description: 'The message.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('message', input.id);
      return cancelEmail(context.deps, await callerAt(context, cancelEmail.permission, 'message', id), { id });
    },
  }),
}));
