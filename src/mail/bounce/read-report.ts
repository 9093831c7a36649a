// What came back: a bounce, a complaint, an answer of a machine, or ordinary mail. Pure, bounded and never an error: the
// source is whatever somebody sent to an address of ours.
import type { BounceType } from '#/domain/bounce-types.ts';
import { addressIn, sameAddress } from './addresses.ts';
import { readCloudNotice } from './cloud-notice.ts';
import { readComplaint } from './complaint.ts';
import { type DeliveryStatus, MAX_RECIPIENTS, readDeliveryStatus } from './delivery-status.ts';
import { valueOf, valuesOf } from './fields.ts';
import { type Judged, judge } from './judge.ts';
import { type Named, readNames, splitNotice } from './notice.ts';
import { isListMail, isReturnedMessage, originalOf, recipientsOf } from './original.ts';
import { type Leaf, leavesOf, MAX_TEXT, octetsOf, type Part, readMessage, textOf } from './parts.ts';
import type { Bounce, Notice, OriginalMessage, Returned, ReturnedRecipient } from './returned.ts';
import {
  type Envelope,
  envelopeOf,
  hasReportSubject,
  hasReportWords,
  isAnswer,
  isChallenge,
  isFromDaemon,
  isMarkedAutomatic,
  requestIn,
} from './signs.ts';
import { decodeCharset, octetText } from './text.ts';

/** Reports carry their news first; the returned message behind them may have tens of megabytes. */
export const MAX_RETURNED = 512 * 1_024;
const MAX_WRAPPINGS = 2;
/** Characters of diagnostics that are matched against the rules, of all recipients together: what bounds the time. */
const MAX_JUDGED = 30_000;

export function readReturned(source: Uint8Array): Returned {
  return readRoot(readMessage(octetText(source, MAX_RETURNED)), MAX_WRAPPINGS);
}

function readRoot(root: Part, wrappings: number): Returned {
  const leaves = leavesOf(root);
  if (wrappings > 0) {
    const inner = wrappedReport(leaves) ?? quotedReport(leaves);
    if (inner !== null) return readRoot(inner, wrappings - 1);
  }
  const envelope = envelopeOf(root.fields);
  const complaint = readComplaint(root, leaves, envelope);
  if (complaint !== null) return complaint;
  const cloud = readCloudNotice(root, envelope);
  if (cloud !== null) return cloud;
  const report = readReport(root, leaves);
  return (
    challenge(report, envelope) ??
    bounce(report, envelope) ??
    receipt(report, leaves, envelope) ??
    automatic(report, envelope) ?? { kind: 'ordinary' }
  );
}

/** A gateway that sends a report on as an attachment, with words of its own around it. */
function wrappedReport(leaves: readonly Leaf[]): Part | null {
  if (leaves.some(({ part }) => part.type.endsWith('delivery-status') || part.type.endsWith('feedback-report')))
    return null;
  const part = leaves.find((leaf) => isReturnedMessage(leaf.part))?.part;
  if (part === undefined) return null;
  return reportIn(octetsOf(part));
}

/** Also as bare text below the words. */
function quotedReport(leaves: readonly Leaf[]): Part | null {
  const first = leaves[0]?.part;
  if (first === undefined || leaves.length > 1 || !first.type.startsWith('text/plain')) return null;
  const octets = octetsOf(first);
  if (!octets.slice(0, MAX_TEXT).includes('report-type')) return null;
  const start = /^(?:From |Return-Path:|Received:)/m.exec(octets.slice(0, MAX_TEXT))?.index;
  return start === undefined ? null : reportIn(octets.slice(start));
}

function reportIn(octets: string): Part | null {
  if (!/report-type\s{0,5}=\s{0,5}"?delivery-status/i.test(octets.slice(0, 16_000))) return null;
  const inner = readMessage(octets);
  return inner.type === 'multipart/report' && isFromDaemon(envelopeOf(inner.fields)) ? inner : null;
}

interface Report {
  readonly declared: boolean;
  /** The status is a part of its own; else its fields stand in somebody's text. */
  readonly typed: boolean;
  readonly status: DeliveryStatus | null;
  readonly notice: string;
  readonly original: OriginalMessage | null;
}

function readReport(root: Part, leaves: readonly Leaf[]): Report {
  const { notice, original: following } = splitNotice(noticeOf(root, leaves));
  const declared = root.params.get('report-type')?.toLowerCase() === 'delivery-status';
  const typed = leaves.some(({ part }) => STATUS_TYPES.has(part.type));
  return { declared, typed, status: statusOf(leaves, notice), notice, original: originalOf(leaves, following) };
}

/** Text before and beside the returned message: of alternatives the first that says something. */
function noticeOf(root: Part, leaves: readonly Leaf[]): string {
  const texts: string[] =
    root.preamble.length > 0 && leaves.every(({ part }) => !part.type.startsWith('text/')) ? [root.preamble] : [];
  const told = new Set<Part>();
  let length = 0;
  for (const { part, parent } of leaves) {
    if (isReturnedMessage(part) && texts.length > 0) break;
    if (!(part.type.startsWith('text/') || part.type.startsWith('multipart/')) || part.type === 'text/rfc822-headers')
      continue;
    if (parent?.type === 'multipart/alternative' && told.has(parent)) continue;
    const text = textOf(part);
    if (text.trim() === '') continue;
    if (parent !== null) told.add(parent);
    texts.push(text);
    length += text.length;
    if (length > MAX_TEXT) break;
  }
  return texts.join('\n\n').slice(0, MAX_TEXT);
}

const STATUS_TYPES = new Set(['message/delivery-status', 'message/global-delivery-status']);

/** The machine-readable part; or its fields in a part of another type, or in the text of a report that lost its structure. */
function statusOf(leaves: readonly Leaf[], notice: string): DeliveryStatus | null {
  for (const { part } of leaves) {
    if (!STATUS_TYPES.has(part.type)) continue;
    const status = readDeliveryStatus(decodeCharset(octetsOf(part).slice(0, MAX_TEXT), 'utf-8'));
    if (status.recipients.length > 0) return status;
  }
  const start = notice.search(/^[ \t>]{0,8}(?:Final-Recipient|Original-Recipient|Reporting-MTA)[ \t]{0,3}:/im);
  if (start < 0 || !/^[ \t>]{0,8}(?:Action|Status)[ \t]{0,3}:/im.test(notice)) return null;
  const status = readDeliveryStatus(notice.slice(start).replace(/^[ \t>]{1,8}(?=[A-Z][\w-]{2,30}:)/gm, ''));
  return status.recipients.length > 0 ? status : null;
}

function bounce(report: Report, envelope: Envelope): Bounce | Notice | null {
  const { status, original } = report;
  if (status !== null && !report.typed && isConversation(envelope)) return null;
  const recipients = status === null ? fromNotice(report, envelope) : fromStatus(status, report, envelope);
  if (recipients === null) return null;
  const failed = recipients.filter(({ type }) => type !== null);
  const common = { recipients, originalMessageId: original?.messageId ?? null, original };
  if (recipients.length > 0 && failed.length === 0)
    return { kind: 'delivered', type: null, from: envelope.fromAddress, ...common };
  const type =
    failed.find(({ action }) => action === 'failed')?.type ??
    failed[0]?.type ??
    judge({ text: '', notice: report.notice, action: 'failed' }).type;
  return {
    kind: 'bounce',
    type,
    reportingMta: status?.reportingMta ?? null,
    envelopeId: status?.envelopeId ?? null,
    ...common,
  };
}

function fromStatus(
  status: DeliveryStatus,
  { notice, original }: Report,
  envelope: Envelope,
): readonly ReturnedRecipient[] {
  const named = namesIn(notice, envelope, original);
  const judged = new Map<string, Judged>();
  const found = new Map<string, ReturnedRecipient>();
  const alone = status.recipients.length === 1;
  const share = Math.max(200, Math.floor(MAX_JUDGED / status.recipients.length));
  for (const told of status.recipients) {
    const key = told.address.toLowerCase();
    if (found.has(key)) continue;
    const said = named.find(
      ({ address }) => sameAddress(address, told.address) || sameAddress(address, told.finalRecipient ?? ''),
    );
    const reason = (said?.reason ?? '').slice(0, share);
    const facts = {
      text: told.diagnostic.slice(0, share),
      reason,
      notice: alone ? notice : '',
      status: told.status,
      action: told.action,
    };
    const memo = JSON.stringify([facts.text, reason.slice(0, 200), facts.status, facts.action]);
    const verdict = judged.get(memo) ?? judge(facts);
    judged.set(memo, verdict);
    const { address, finalRecipient, action, remoteMta } = told;
    const type = action === 'failed' || action === 'delayed' ? verdict.type : null;
    found.set(key, { address, finalRecipient, action, remoteMta, ...verdict, type });
  }
  return [...found.values()];
}

/** A reply's code, or words of a message: parcels are undeliverable too. */
const SPEAKS_OF_MAIL =
  /\b[45]\d\d[ -]|\b[45]\.\d\.\d|\b(?:your|the|following|a|votre|ihre|su|sua|il) (?:\w+ )?(?:e-?mail|mail|message|messaggio|nachricht|mensaje|mensagem)\b/i;

/** Free text counts as a report only by several signs. Null: it is none. */
function fromNotice(report: Report, envelope: Envelope): readonly ReturnedRecipient[] | null {
  const failed = failedRecipients(envelope);
  if (failed.length === 0 && !isReport(report, envelope)) return null;
  const { notice, original } = report;
  const named = namesIn(notice, envelope, original);
  const chosen = failed.length > 0 ? failed.map((address) => ({ address, reason: reasonFor(address, named) })) : named;
  const single = original !== null && !isListMail(original);
  const sentTo = single ? recipientsOf(original).filter((address) => !sameAddress(address, envelope.to ?? '')) : [];
  // A report that names nobody is about him to whom the message went, where that was one.
  const known: readonly Named[] =
    chosen.length > 0 ? chosen : sentTo.length === 1 ? sentTo.map((address) => ({ address, reason: '' })) : [];
  const action = isDelay(envelope, notice) ? 'delayed' : 'failed';
  const share = Math.max(200, Math.floor(MAX_JUDGED / Math.max(1, known.length)));
  return known.map(({ address, reason }) => {
    const verdict = judge({
      text: reason.slice(0, share),
      notice: known.length === 1 ? `${envelope.subject}\n${notice}` : '',
      action,
    });
    return { address, finalRecipient: null, action, remoteMta: null, ...verdict };
  });
}

function namesIn(notice: string, envelope: Envelope, original: OriginalMessage | null): readonly Named[] {
  const parties = [envelope.to, envelope.fromAddress].filter((address) => address !== null);
  return readNames(notice, { parties, sentTo: recipientsOf(original) });
}

function reasonFor(address: string, named: readonly Named[]): string {
  return named.find((one) => sameAddress(one.address, address))?.reason ?? '';
}

/** Exim, Google and their imitators. */
function failedRecipients({ fields }: Envelope): readonly string[] {
  const addresses = valuesOf(fields, 'x-failed-recipients')
    .flatMap((value) => value.split(',', MAX_RECIPIENTS))
    .map(addressIn);
  return [...new Set(addresses.filter((address) => address !== null))].slice(0, MAX_RECIPIENTS);
}

/** Who answers quotes; a report does not answer, save those of Microsoft, which are from a daemon. */
function isConversation(envelope: Envelope): boolean {
  if (isFromDaemon(envelope)) return false;
  return valueOf(envelope.fields, 'references') !== '';
}

function isReport({ declared, notice, original }: Report, envelope: Envelope): boolean {
  const words = hasReportWords(notice);
  const subject = hasReportSubject(envelope);
  const daemon = isFromDaemon(envelope);
  if (isConversation(envelope)) return false;
  if (
    isAnswer(envelope, notice) &&
    !(daemon && (words || subject)) &&
    !/^auto-generated/i.test(valueOf(envelope.fields, 'auto-submitted'))
  )
    return false;
  if (declared || (daemon && (subject || words))) return true;
  return (
    subject &&
    words &&
    (original !== null ||
      isMarkedAutomatic(envelope) ||
      (SPEAKS_OF_MAIL.test(notice.slice(0, 4_000)) && namesIn(notice, envelope, original).length > 0))
  );
}

function isDelay({ subject }: Envelope, notice: string): boolean {
  const start = notice.slice(0, 3_000);
  return (
    (/\b(?:delay(?:ed)?|warning|still being|not yet)\b|verz.ger|retard/i.test(subject) &&
      !/fail|undeliverable|return/i.test(subject)) ||
    /this is a warning message only|has not yet been delivered|delivery attempts will continue|do not need to resend|no action is required on your part|will (?:keep|continue) (?:on )?(?:trying|to (?:try|attempt))/i.test(
      start,
    )
  );
}

function challenge({ notice, original, status }: Report, envelope: Envelope): Notice | null {
  if (!isChallenge(envelope, notice)) return null;
  if (status !== null && !/boxbe|spam ?arrest|guest list/i.test(notice)) return null;
  if (status === null && isFromDaemon(envelope) && hasReportSubject(envelope)) return null;
  return answerOf('challenge', 'CHALLENGE_VERIFICATION', envelope, original, status);
}

function receipt({ original }: Report, leaves: readonly Leaf[], envelope: Envelope): Notice | null {
  const part = leaves.find((leaf) => leaf.part.type === 'message/disposition-notification')?.part;
  if (part === undefined) return null;
  const recipients = readDeliveryStatus(octetsOf(part).slice(0, MAX_TEXT)).recipients.slice(0, 1);
  return {
    kind: 'receipt',
    type: null,
    from: envelope.fromAddress,
    recipients: recipients.map(({ address, finalRecipient }) => answering(address, finalRecipient, null)),
    originalMessageId:
      original?.messageId ??
      /^Original-Message-ID:[ \t]{0,5}(<[^<>\n]{1,300}>)/im.exec(octetsOf(part).slice(0, 4_000))?.[1] ??
      null,
    original,
  };
}

function automatic({ notice, original }: Report, envelope: Envelope): Notice | null {
  const request = requestIn(envelope, notice);
  if (request !== null)
    return answerOf(request, request === 'subscribe' ? 'SUBSCRIBE' : 'UNSUBSCRIBE', envelope, original, null);
  return isAnswer(envelope, notice) ? answerOf('auto-reply', 'AUTO_RESPONDER', envelope, original, null) : null;
}

function answerOf(
  kind: Notice['kind'],
  type: BounceType,
  envelope: Envelope,
  original: OriginalMessage | null,
  status: DeliveryStatus | null,
): Notice {
  const inReplyTo = /<[^<>\s]{1,300}>/.exec(valueOf(envelope.fields, 'in-reply-to'))?.[0] ?? null;
  return {
    kind,
    type,
    from: envelope.fromAddress,
    recipients: (status?.recipients ?? [])
      .slice(0, 1)
      .map(({ address, finalRecipient }) => answering(address, finalRecipient, type)),
    originalMessageId: original?.messageId ?? inReplyTo,
    original,
  };
}

function answering(address: string, finalRecipient: string | null, type: BounceType | null): ReturnedRecipient {
  return {
    address,
    finalRecipient,
    action: 'delivered',
    status: null,
    smtpCode: null,
    diagnostic: null,
    remoteMta: null,
    type,
    temporary: false,
  };
}
