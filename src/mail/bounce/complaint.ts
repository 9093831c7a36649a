// Complaints: feedback reports (RFC 5965), failure reports (RFC 6591), and what providers send in their place.
import type { BounceType } from '#/domain/bounce-types.ts';
import { addressIn } from './addresses.ts';
import { decodeCharset } from './text.ts';
import { type Field, readFields, valueOf, valuesOf } from './fields.ts';
import { splitNotice } from './notice.ts';
import { isReturnedMessage, originalOf, recipientsOf } from './original.ts';
import { type Leaf, octetsOf, type Part, textOf } from './parts.ts';
import type { Complaint, OriginalMessage } from './returned.ts';
import type { Envelope } from './signs.ts';

const MAX_COMPLAINANTS = 20;

export function readComplaint(root: Part, leaves: readonly Leaf[], envelope: Envelope): Complaint | null {
  const report = feedbackFields(root, leaves);
  if (report !== null) return fromReport(report, originalOf(leaves, ''));
  return failureInWords(leaves, envelope) ?? withoutReport(leaves, envelope);
}

/** The machine-readable part, also under a wrong type, or as text. */
function feedbackFields(root: Part, leaves: readonly Leaf[]): readonly Field[] | null {
  const typed = leaves.find(({ part }) => part.type === 'message/feedback-report');
  if (typed !== undefined) return readAll(octetsOf(typed.part));
  const expected = root.params.get('report-type')?.toLowerCase() === 'feedback-report';
  for (const { part } of leaves.slice(0, 10)) {
    if (isReturnedMessage(part)) continue;
    const text = part.type.startsWith('text/') || expected ? octetsOf(part).slice(0, 8_000) : '';
    const start = text.search(/^[ \t]{0,8}Feedback-Type[ \t]{0,8}:/im);
    if (
      start >= 0 &&
      (expected || /^(?:User-Agent|Version|Source-IP|Reported-Domain|Original-Mail-From)[ \t]{0,8}:/im.test(text))
    )
      return readAll(text.slice(blockStart(text, start)));
  }
  return null;
}

function blockStart(text: string, at: number): number {
  const found = text.lastIndexOf('\n\n', at);
  return found < 0 ? 0 : found + 2;
}

/** Some put empty lines between the fields. */
function readAll(text: string): readonly Field[] {
  const fields: Field[] = [];
  for (let at = 0, rounds = 0; at < text.length && rounds < 20; rounds++) {
    const block = readFields(text, at);
    fields.push(...block.fields.map(({ name, value }) => ({ name, value: decodeCharset(value, 'utf-8') })));
    if (block.end <= at) break;
    at = block.end;
  }
  return fields;
}

function fromReport(fields: readonly Field[], original: OriginalMessage | null): Complaint {
  const feedbackType =
    valueOf(fields, 'feedback-type')
      .toLowerCase()
      .split(/[\s;(]/, 1)[0] || 'abuse';
  const failure = /^auth|^dmarc|^dkim|^spf/.test(feedbackType);
  const domains = valuesOf(fields, 'reported-domain').map((value) => value.toLowerCase());
  return {
    kind: failure ? 'authentication-failure' : 'complaint',
    feedbackType,
    type: typeOf(feedbackType, failure),
    recipients: complainants(fields, original),
    sourceIp:
      (valueOf(fields, 'source-ip') || valueOf(fields, 'source'))
        .replace(/^\[|\].*$/g, '')
        .trim()
        .split(/[\s(;]/, 1)[0] || null,
    reportedDomains: [...new Set(domains)].slice(0, 20),
    originalMailFrom: addressIn(valueOf(fields, 'original-mail-from')),
    originalMessageId:
      original?.messageId ?? (valueOf(fields, 'original-message-id') || valueOf(fields, 'message-id') || null),
    original,
  };
}

function typeOf(feedbackType: string, failure: boolean): BounceType | null {
  if (failure || feedbackType === 'not-spam') return null;
  if (feedbackType.startsWith('opt-out') || feedbackType === 'unsubscribe') return 'UNSUBSCRIBE';
  return feedbackType === 'virus' ? 'VIRUS_NOTIFICATION' : 'SPAM_COMPLAINT';
}

const COMPLAINANT = [
  'original-rcpt-to',
  'removal-recipient',
  'original-recipient',
  'final-recipient',
  'x-hmxmroriginalrecipient',
];

function complainants(fields: readonly Field[], original: OriginalMessage | null): readonly string[] {
  for (const name of COMPLAINANT) {
    const told = valuesOf(fields, name)
      .flatMap((value) => value.split(',', MAX_COMPLAINANTS))
      .map(addressIn);
    const addresses = told.filter((address) => address !== null);
    if (addresses.length > 0) return unique(addresses);
  }
  // The report hides whom it is about; the message it returns may tell. Only one: the others did not complain.
  const sentTo = recipientsOf(original).filter((address) => !/^(?:redacted|undisclosed|recipient|x+)\b/i.test(address));
  return sentTo.slice(0, 1);
}

function unique(addresses: readonly string[]): readonly string[] {
  return [...new Map(addresses.map((address) => [address.toLowerCase(), address])).values()].slice(0, MAX_COMPLAINANTS);
}

const FAILS = /^(?:fw: ?)?dmarc (?:forensic|failure|failed)|^(?:dmarc )?(?:forensic|failure) report for /i;

/** Exim's forensic report, and its like: the facts as lines of text. */
function failureInWords(leaves: readonly Leaf[], { subject }: Envelope): Complaint | null {
  const part = leaves.find((leaf) => leaf.part.type.startsWith('text/'))?.part;
  if (part === undefined || !FAILS.test(subject)) return null;
  const { notice, original: following } = splitNotice(textOf(part));
  const told = (name: RegExp) =>
    new RegExp(`^\\s{0,20}${name.source}\\s{0,5}:\\s{0,20}(\\S{1,255})`, 'im').exec(notice.slice(0, 8_000))?.[1] ??
    null;
  const sourceIp = told(/(?:sender|source)[ -]ip(?: address)?/);
  const domain = told(/(?:sender|reported|from)[ -]domain/);
  if (sourceIp === null && domain === null) return null;
  const original = originalOf(leaves, following);
  return {
    kind: 'authentication-failure',
    feedbackType: 'auth-failure',
    type: null,
    recipients: recipientsOf(original).slice(0, 1),
    sourceIp,
    reportedDomains: domain === null ? [] : [domain.toLowerCase()],
    originalMailFrom: original?.returnPath ?? null,
    originalMessageId: original?.messageId ?? null,
    original,
  };
}

const COMPLAINS =
  /^(?:fw: ?)?(?:complaint about (?:message|mail|e-?mail)|(?:abuse|spam) (?:complaint|report|feedback)|e-?mail feedback report|feedback (?:loop|report)|junk (?:e-?mail|mail) report|user complaint|\[spamcop\b)/i;

/** Hotmail's feedback loop (JMRP) and its like: a bare copy of the message, with the complainant in a field of its own. */
function withoutReport(leaves: readonly Leaf[], { subject, fields, from }: Envelope): Complaint | null {
  const original = originalOf(leaves, '');
  const marked = original !== null && original.fields.some(({ name }) => name === 'x-hmxmroriginalrecipient');
  const loop = /(?:staff@(?:hotmail|outlook|live|msn)\.|feedback|fbl|complaint|abuse|scomp@|antispam|spamcop)/i.test(
    from,
  );
  if (!(marked || (COMPLAINS.test(subject) && (original !== null || loop)))) return null;
  const spoken = leaves
    .slice(0, 5)
    .filter(({ part }) => part.type.startsWith('text/'))
    .map(({ part }) => textOf(part))
    .join('\n');
  const own = original === null ? [] : valuesOf(original.fields, 'x-hmxmroriginalrecipient').map(addressIn);
  const named = [...own, ...valuesOf(fields, 'x-hmxmroriginalrecipient').map(addressIn)].filter(
    (address) => address !== null,
  );
  return {
    kind: 'complaint',
    feedbackType: 'abuse',
    type: 'SPAM_COMPLAINT',
    recipients: named.length > 0 ? unique(named) : recipientsOf(original).slice(0, 1),
    sourceIp:
      /\b(\d{1,3}(?:\.\d{1,3}){3})\b/.exec(subject)?.[1] ??
      /source[ -]?ip\W{1,5}([0-9a-f.:]{7,45})/i.exec(spoken)?.[1] ??
      null,
    reportedDomains: [],
    originalMailFrom: original?.returnPath ?? null,
    originalMessageId: original?.messageId ?? null,
    original,
  };
}
