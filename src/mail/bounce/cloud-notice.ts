// Bounces, complaints and deliveries as Amazon SES tells them by SNS: JSON in a mail, often folded or cut, so that it is read
// by its keys and not as a whole.
import { addressIn } from './addresses.ts';
import { judge } from './judge.ts';
import { type Part, textOf } from './parts.ts';
import type { Returned, ReturnedRecipient } from './returned.ts';
import type { Envelope } from './signs.ts';

const MAX_ENTRIES = 50;

export function readCloudNotice(root: Part, { from }: Envelope): Returned | null {
  if (!/amazonaws|\bsns\b|\bses\b/i.test(from) || !root.type.startsWith('text/')) return null;
  const text = textOf(root);
  const kind = /"notificationType"\s{0,5}:\s{0,5}"(Bounce|Complaint|Delivery)"/.exec(text)?.[1];
  if (kind === undefined) return null;
  const json = text.replace(/\n[ ]?/g, '');
  const originalMessageId = valueIn(json, 'messageId');
  if (kind === 'Complaint') {
    return {
      kind: 'complaint',
      feedbackType: valueIn(json, 'complaintFeedbackType') ?? 'abuse',
      type: 'SPAM_COMPLAINT',
      recipients: addressesAfter(json, 'complainedRecipients'),
      sourceIp: null,
      reportedDomains: [],
      originalMailFrom: addressIn(valueIn(json, 'source') ?? ''),
      originalMessageId,
      original: null,
    };
  }
  if (kind === 'Delivery')
    return { kind: 'delivered', type: null, from: null, recipients: [], originalMessageId, original: null };
  const recipients = bouncedIn(json);
  const type =
    recipients[0]?.type ?? judge({ text: valueIn(json, 'bounceSubType') ?? '', notice: '', action: 'failed' }).type;
  return {
    kind: 'bounce',
    type,
    recipients,
    reportingMta: valueIn(json, 'reportingMTA'),
    envelopeId: null,
    originalMessageId,
    original: null,
  };
}

function bouncedIn(json: string): readonly ReturnedRecipient[] {
  const start = json.indexOf('"bouncedRecipients"');
  const end = json.indexOf(']', start);
  const list = start < 0 ? '' : json.slice(start, end < 0 ? start + 20_000 : end);
  const entries = list.split('{', MAX_ENTRIES).slice(1);
  const suppressed = valueIn(json, 'bounceSubType') === 'Suppressed';
  return entries.flatMap((entry) => {
    const address = addressIn(valueIn(entry, 'emailAddress') ?? '');
    if (address === null) return [];
    const told = (valueIn(entry, 'diagnosticCode') ?? '').replace(/^smtp;\s{0,5}/i, '');
    const text = told === '' && suppressed ? 'recipient is on the suppression list' : told;
    const judged = judge({ text, notice: '', status: valueIn(entry, 'status'), action: 'failed' });
    return [{ address, finalRecipient: null, action: 'failed' as const, remoteMta: null, ...judged }];
  });
}

function addressesAfter(json: string, key: string): readonly string[] {
  const start = json.indexOf(`"${key}"`);
  const list = start < 0 ? '' : (json.slice(start, start + 20_000).split(']', 1)[0] ?? '');
  const found = list.split('{', MAX_ENTRIES).map((entry) => addressIn(valueIn(entry, 'emailAddress') ?? ''));
  return found.filter((address) => address !== null);
}

function valueIn(json: string, key: string): string | null {
  const at = json.indexOf(`"${key}"`);
  if (at < 0) return null;
  const value = /^\s{0,5}:\s{0,5}"((?:[^"\\]|\\.){0,2000})"/.exec(
    json.slice(at + key.length + 2, at + key.length + 2_100),
  )?.[1];
  return value?.replace(/\\(.)/g, '$1') ?? null;
}
