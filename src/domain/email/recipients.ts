// From, To, Cc, Bcc and Reply-To of one email.

import { type Mailbox, parseMailbox } from '../email-address.ts';
import type { Issues } from './issues.ts';
import { MAX_RECIPIENTS, MAX_REPLY_TO } from './limits.ts';
import type { EmailInput, Recipient, RecipientKind } from './types.ts';

export interface Addresses {
  /** Null only when an issue says why. */
  readonly from: Mailbox | null;
  readonly to: readonly Mailbox[];
  readonly cc: readonly Mailbox[];
  readonly bcc: readonly Mailbox[];
  readonly replyTo: readonly Mailbox[];
  readonly recipients: readonly Recipient[];
}

type Input = Pick<EmailInput, 'from' | 'to' | 'cc' | 'bcc' | 'replyTo'>;
type List = readonly string[] | null | undefined;

const NOBODY: readonly Mailbox[] = [];

/**
 * An address that stands twice gets one copy: the first place wins over To, Cc, Bcc in this order, and later ones are
 * dropped without an issue, because senders merge lists. The limit counts what was given, so the work is bounded.
 */
export function checkAddresses(input: Input, issues: Issues): Addresses {
  const from = parseInto('from', input.from, ['from'], issues);
  const total = input.to.length + (input.cc?.length ?? 0) + (input.bcc?.length ?? 0);
  if (input.to.length === 0) issues.add(['to'], 'is empty: an email needs at least one recipient');
  if (total > MAX_RECIPIENTS) {
    issues.add(['to'], `to, cc and bcc hold ${total} recipients together; at most ${MAX_RECIPIENTS} are allowed`);
    return { from, to: NOBODY, cc: NOBODY, bcc: NOBODY, replyTo: NOBODY, recipients: [] };
  }
  const recipients: Recipient[] = [];
  const seen = total > 1 ? new Set<string>() : null;
  const take = (kind: RecipientKind, field: string, list: List) => {
    if (list === null || list === undefined || list.length === 0) return NOBODY;
    const kept: Mailbox[] = [];
    for (const mailbox of parseList(field, list, issues)) {
      if (seen?.has(mailbox.key) === true) continue;
      seen?.add(mailbox.key);
      kept.push(mailbox);
      recipients.push({ kind, mailbox });
    }
    return kept;
  };
  const to = take('TO', 'to', input.to);
  const cc = take('CC', 'cc', input.cc);
  const bcc = take('BCC', 'bcc', input.bcc);
  return { from, to, cc, bcc, replyTo: checkReplyTo(input.replyTo, issues), recipients };
}

function checkReplyTo(list: List, issues: Issues): readonly Mailbox[] {
  if (list === null || list === undefined || list.length === 0) return NOBODY;
  if (list.length > MAX_REPLY_TO) {
    issues.add(['replyTo'], `has ${list.length} addresses; at most ${MAX_REPLY_TO} are allowed`);
    return NOBODY;
  }
  return parseList('replyTo', list, issues);
}

function parseList(field: string, list: readonly string[], issues: Issues): Mailbox[] {
  const mailboxes: Mailbox[] = [];
  list.forEach((text, index) => {
    const mailbox = parseInto(field, text, [field, index], issues);
    if (mailbox !== null) mailboxes.push(mailbox);
  });
  return mailboxes;
}

function parseInto(field: string, text: string, path: readonly (string | number)[], issues: Issues): Mailbox | null {
  const parsed = parseMailbox(text);
  if (parsed.ok) return parsed.mailbox;
  issues.add(path, field === 'from' ? `${parsed.reason}; exactly one sender is needed` : parsed.reason);
  return null;
}
