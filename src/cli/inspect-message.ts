// One line of `inspect --json`: everything that is read out of a message, whatever it turns out to be.
import { createHash } from 'node:crypto';
import type { BounceType } from '#/domain/bounce-types.ts';
import { readReturned } from '#/mail/bounce/read-report.ts';
import type { Returned, ReturnedRecipient } from '#/mail/bounce/returned.ts';
import type { IncomingAddress } from '#/mail/mime/address-list.ts';
import { type IncomingMail, parseMail } from '#/mail/mime/incoming-mail.ts';
import { withLf } from '#/mail/mime/line-ends.ts';
import { decodeText } from '#/mail/mime/charset.ts';
import { stripHtml, stripText, strippedReply, type StrippedReply } from '#/mail/reply/stripped-reply.ts';
import type { DmarcReport } from '#/mail/reports/dmarc.ts';
import { parseReport, type ReadReport } from '#/mail/reports/read-report.ts';
import { postmarkName } from './postmark-names.ts';
import { systemClock } from '#/runtime/clock.ts';

interface InspectedRecipient {
  readonly address: string;
  readonly status: string | null;
  readonly smtp_code: number | null;
  readonly kind: string | null;
}

export type Inspected = ReturnType<typeof returnedFields> &
  ReturnType<typeof mailFields> &
  ReturnType<typeof reportFields> & {
    readonly file: string;
    readonly what: string;
    readonly reply: string;
    readonly signature: string | null;
    /** Milliseconds that stripping the reply took. */
    readonly ms: number;
  };

export async function inspectMessage(file: string, source: Buffer): Promise<Inspected> {
  const mail = parseMail(source);
  const returned = readReturned(source);
  const report = await parseReport(source);
  const start = systemClock.monotonic();
  const { reply, signature } = replyOf(file, source, mail);
  const ms = Math.round((systemClock.monotonic() - start) * 1_000) / 1_000;
  return {
    file,
    what: report.ok ? `${report.kind}-report` : returned.kind,
    ...returnedFields(returned),
    ...mailFields(mail),
    ...reportFields(report),
    reply,
    signature,
    ms,
  };
}

/** Fields that no text begins with by chance. */
const OF_MAIL = new Set(
  'from to cc subject date message-id received return-path content-type mime-version delivered-to x-mailer reply-to in-reply-to'.split(
    ' ',
  ),
);

/** A file that is no message is taken for the body of one: HTML or text. */
function replyOf(file: string, source: Buffer, mail: IncomingMail): StrippedReply {
  const seen = new Set(mail.headers.map(({ name }) => name.toLowerCase()).filter((name) => OF_MAIL.has(name)));
  const isMail = seen.size >= 2 || (seen.size === 1 && !/\.(?:html?|txt)$/i.test(file));
  if (isMail) return strippedReply(mail);
  const text = decodeText(withLf(source), null);
  return /\.html?$/i.test(file) || /^\s*<(?:!doctype|html|body|div|p)\b/i.test(text)
    ? stripHtml(text)
    : stripText(text);
}

function mailFields(mail: IncomingMail) {
  const addresses = (list: readonly IncomingAddress[]) => list.map(({ name, address }) => ({ name, address }));
  return {
    subject: mail.subject,
    from: addresses(mail.from),
    to: addresses(mail.to),
    cc: addresses(mail.cc),
    reply_to: addresses(mail.replyTo),
    date: mail.date?.toISOString() ?? null,
    message_id: mail.messageId,
    text: mail.text,
    html: mail.html,
    attachments: mail.attachments.map(({ name, contentType, size, contentId, content }) => ({
      name,
      type: contentType,
      size,
      content_id: contentId,
      sha1: createHash('sha1').update(content).digest('hex'),
    })),
    defects: mail.defects,
  };
}

function returnedFields(returned: Returned) {
  const complaint = returned.kind === 'complaint' || returned.kind === 'authentication-failure' ? returned : null;
  const type = 'type' in returned ? returned.type : null;
  return {
    is_bounce: returned.kind === 'bounce',
    kind: nameOf(type),
    recipients: recipientsOf(returned),
    is_feedback: complaint !== null,
    feedback_type: complaint?.feedbackType ?? null,
    source_ip: complaint?.sourceIp ?? null,
    reported_domain: complaint?.reportedDomains ?? [],
    original_message_id: 'originalMessageId' in returned ? returned.originalMessageId : null,
  };
}

/** Of a complaint there is nothing but the address. Who sent an answer of a machine stands in `from`. */
function recipientsOf(returned: Returned): (InspectedRecipient | string)[] {
  switch (returned.kind) {
    case 'ordinary':
      return [];
    case 'complaint':
    case 'authentication-failure':
      return [...returned.recipients];
    default:
      return returned.recipients.map(recipientOf);
  }
}

function recipientOf({ address, status, smtpCode, type }: ReturnedRecipient): InspectedRecipient {
  return { address, status, smtp_code: smtpCode, kind: nameOf(type) };
}

function nameOf(type: BounceType | null): string | null {
  return type === null ? null : postmarkName(type);
}

function reportFields(report: ReadReport) {
  const dmarc = report.ok && report.kind === 'dmarc' ? report.report : null;
  return {
    ok: dmarc !== null,
    refused: report.ok || report.reason === 'NO_REPORT' ? null : { reason: report.reason, message: report.message },
    tls: report.ok && report.kind === 'tls' ? report.report : null,
    org_name: dmarc?.orgName ?? null,
    report_id: dmarc?.reportId ?? null,
    begin: dmarc?.begin ?? null,
    end: dmarc?.end ?? null,
    domain: dmarc?.policy.domain ?? null,
    p: dmarc?.policy.p ?? null,
    records: dmarc?.records.length ?? null,
    messages: dmarc?.records.reduce((sum, { count }) => sum + count, 0) ?? null,
    rows: dmarc === null ? null : rowsOf(dmarc),
  };
}

function rowsOf({ records }: DmarcReport) {
  return records.map(({ sourceIp, count, disposition, dkim, spf, headerFrom }) => ({
    ip: sourceIp,
    count,
    disposition,
    dkim,
    spf,
    header_from: headerFrom,
  }));
}
