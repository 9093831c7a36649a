// Mail that comes back, as the world writes it, and the way in for tests.
import { Readable } from 'node:stream';
import { createReceiver } from '#/resolvers/incoming/receiver.ts';
import { createRecipients } from '#/resolvers/incoming/recipients.ts';
import { encodeId } from '#/domain/ids.ts';
import { recipientTag, verpLocalPart } from '#/mail/reverse-path.ts';
import type { TestAccount, World } from './world.ts';

/** The event loop of a test is busy with the test. */
export const idle = { share: () => 0 };

const lines = (...all: readonly string[]) => `${all.join('\r\n')}\r\n`;

export interface SentMail {
  /** Public id. */
  readonly id: string;
  readonly uuid: string;
  /** One for each recipient. */
  readonly paths: readonly string[];
}

/** The reverse-path of a recipient. */
export function pathOf(
  w: World,
  about: { messageId: string; streamId: string; ordinal: number; address: string },
  host: string,
): string {
  const secret = w.deps.returnPathSecret;
  const { messageId, ordinal } = about;
  return `${verpLocalPart({ messageId, ordinal, tag: recipientTag(about, secret) }, { domain: host, secret })}@${host}`;
}

/** An email that was delivered to all its recipients. */
export async function deliveredMail(
  w: World,
  a: TestAccount,
  to: readonly string[],
  more: object = {},
): Promise<SentMail> {
  const { data } = await w.execute(
    'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { ... on Message { id } ... on Error { message } } }',
    { input: { from: `x@${a.domain}`, to, text: 'x', ...more } },
    a.token(),
  );
  const id: string = data.sendEmail.id;
  await w.db.deleteFrom('deliveryQueue').where('accountId', '=', a.accountId).execute();
  const row = await w.db
    .selectFrom('messages')
    .select(['id', 'streamId'])
    .where('accountId', '=', a.accountId)
    .orderBy('id', 'desc')
    .executeTakeFirstOrThrow();
  if (encodeId('message', row.id) !== id) throw new Error('another message was sent meanwhile');
  await w.db
    .updateTable('recipients')
    .set({ status: 'DELIVERED', settledAt: w.deps.clock.now() })
    .where('accountId', '=', a.accountId)
    .where('messageId', '=', row.id)
    .execute();
  const host = `vr-bounces.${a.domain}`;
  const about = { messageId: row.id, streamId: row.streamId };
  return { id, uuid: row.id, paths: to.map((address, ordinal) => pathOf(w, { ...about, ordinal, address }, host)) };
}

/** The seam of the SMTP server: RCPT, then DATA. Null: the address was refused. */
export function postbox(w: World) {
  const recipients = createRecipients(w.deps);
  const receiver = createReceiver(w.deps, { authenticate: null, scoreSpam: null, load: idle });
  return {
    judge: recipients.judge,
    async post(address: string, source: string | Buffer, sender = ''): Promise<boolean> {
      const judged = await recipients.judge(address);
      if (judged === null) return false;
      const bytes = Buffer.from(source);
      await receiver.receive({
        envelope: { sender, recipients: [{ address, judged }] },
        source: { size: bytes.length, read: async () => bytes, stream: () => Readable.from([bytes]) },
        peer: { address: '192.0.2.9', helo: 'mx.receiver.example' },
      });
      await receiver.settled();
      return true;
    },
  };
}

let notices = 0;

export function dsn({
  to,
  address,
  action = 'failed',
  status = '5.1.1',
  diagnostic = 'smtp; 550 5.1.1 <…>: Recipient address rejected: User unknown',
  original = [],
}: {
  readonly to: string;
  readonly address: string;
  readonly action?: string;
  readonly status?: string;
  readonly diagnostic?: string;
  readonly original?: readonly string[];
}): string {
  return lines(
    'From: Mail Delivery System <MAILER-DAEMON@mx.receiver.example>',
    `To: ${to}`,
    'Subject: Undelivered Mail Returned to Sender',
    `Message-ID: <notice-${++notices}@mx.receiver.example>`,
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
    '',
    '--b',
    'Content-Type: text/plain',
    '',
    'This is the mail system at host mx.receiver.example.',
    '',
    `<${address}>: host mx.receiver.example said: see below`,
    '--b',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.receiver.example',
    '',
    `Final-Recipient: rfc822; ${address}`,
    `Action: ${action}`,
    `Status: ${status}`,
    `Diagnostic-Code: ${diagnostic}`,
    '',
    '--b',
    'Content-Type: text/rfc822-headers',
    '',
    `Return-Path: <${to}>`,
    ...original,
    'Subject: Hello',
    '--b--',
  );
}

export function autoReply(to: string, address: string): string {
  return lines(
    `From: ${address}`,
    `To: ${to}`,
    'Subject: Out of office: Hello',
    'Auto-Submitted: auto-replied',
    '',
    'I am on vacation until Monday.',
  );
}

export function arf(original: readonly string[], fields: readonly string[] = [], type = 'abuse'): string {
  return lines(
    'From: feedback@provider.example',
    'To: fbl@example',
    'Subject: complaint about message',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=feedback-report; boundary="b"',
    '',
    '--b',
    'Content-Type: text/plain',
    '',
    'This is an email abuse report.',
    '--b',
    'Content-Type: message/feedback-report',
    '',
    `Feedback-Type: ${type}`,
    'User-Agent: SomeGenerator/1.0',
    'Version: 1',
    ...fields,
    '--b',
    'Content-Type: message/rfc822',
    '',
    ...original,
    'Subject: Hello',
    '',
    'x',
    '--b--',
  );
}
