// The type of one recipient's failure, from all that a report says of it: the diagnostic first, then its own lines in the
// notice, then replies cited anywhere in the notice, then the notice as a whole; the numbers last.
import type { BounceType } from '#/domain/bounce-types.ts';
import { classifyEvidence, isTemporary, type Verdict } from './classify-evidence.ts';
import { evidenceOf, type Step } from './evidence.ts';
import type { DeliveryAction } from './returned.ts';
import { foldAccents, unknownAbroad } from './rules/languages.ts';

export interface FailureFacts {
  /** Diagnostic-Code, or the lines about the recipient. */
  readonly text: string;
  /** The lines about the recipient, where `text` is a Diagnostic-Code. */
  readonly reason?: string;
  /** '' where it tells of several recipients. */
  readonly notice: string;
  readonly status?: string | null;
  readonly action: DeliveryAction;
}

export interface Judged {
  readonly type: BounceType;
  readonly temporary: boolean;
  readonly status: string | null;
  readonly smtpCode: number | null;
  readonly diagnostic: string | null;
}

export function judge({ text, reason = '', notice, status = null, action }: FailureFacts): Judged {
  const cited = citedReplies(notice);
  const stages = [text, reason, cited, plainWords(notice)].filter((stage) => stage.trim() !== '');
  const found = stages.slice(0, 3).map((stage) => evidenceOf(stage));
  const code = found.map((one) => one.code).find((one) => one !== null) ?? null;
  const cites = [text, reason, cited].filter((stage) => stage.trim() !== '').map((stage) => evidenceOf(stage).status);
  const ownStatus = status ?? cites.find((one) => one !== null) ?? null;
  const best = mostTelling(status, cites);
  const step = found.map((one) => one.step).find((one) => one !== null) ?? null;
  const verdict = verdictOf(stages, { code, status: best, step });
  const temporary = verdict.temporary || isTemporary({ code, status: best });
  return {
    type:
      action === 'delayed'
        ? 'TRANSIENT'
        : proven(verdict, { code, status: best, step, text: [text, reason, notice.slice(0, 8_000)].join('\n') }),
    temporary: action === 'delayed' || temporary,
    status: ownStatus,
    smtpCode: code,
    diagnostic: (text || reason || cited).slice(0, 2_000).trim() || null,
  };
}

/** Words of those who speak of their own users. */
const KEEPERS: readonly RegExp[] = [
  // Exchange by MAPI's number and by its sentences; Domino; whoever asked a directory.
  /000C05A6|MSEXCH:MSExchangeMTA|RESOLVER\.ADR|not recognized|exists? (?:at|in) the organi[sz]ation|director(?:y|ies)|address ?book/i,
  // Local delivery of Exim, Postfix, Sendmail, qmail with vpopmail, Cyrus, Dovecot, Mail.ru.
  /unrouteable|unknown user: ?["a-z]|no mailbox here|vpopmail|vdelivermail|mail\.local|\blmtp\b|local (?:user|mailbox|delivery)|final delivery|valid user of|(?:known|unknown) here\b|(?:known|unknown|user|mailbox) (?:at|on|in) this (?:site|system|server|host|domain)/i,
  // Servers that keep mailboxes, and put the reason beside the address or name themselves.
  /\(user not found\)|^\W{0,5}(?:user not found|unknown user|no such user)\W{1,3}\S+@|no such user \(|unknown user account|\b(?:groupwise|kerio|mdaemon|mailenable|surgemail|communigate|imail server|zimbra|stalwart|haraka)\b/im,
];

/** Gateways and filters copy English replies; who writes in another language is the provider of the mailbox. */
function speaksOfOwnUsers(text: string): boolean {
  // Sendmail's transcript marks with `<<<` what the other side said; a bare line is its own.
  const own = /^\d{3} (?:5\.1\.1 )?<?[^\s<>]{1,200}\.\.\. User unknown/im.test(text) && !/^\s{0,5}<<< /m.test(text);
  return own || KEEPERS.some((pattern) => pattern.test(text)) || unknownAbroad.test(foldAccents(text.toLowerCase()));
}

/**
 * Filters of carriers, providers and firewalls say "user unknown" of users they know, after DATA or in a notice of their own.
 * A report's words condemn a recipient where the reply is one to RCPT, or has a code that says the same (5.1.x, 551, 553),
 * or comes from where the users are kept. Else the address stays: a wrong suppression costs more than a second try.
 */
function proven(
  { type, by, unproven }: Verdict,
  {
    code,
    status,
    step,
    text,
  }: {
    readonly code: number | null;
    readonly status: string | null;
    readonly step: Step | null;
    readonly text: string;
  },
): BounceType {
  if (unproven === null || (by === 'words' && step === 'recipient')) return type;
  if (status !== null && !/^5\.(?:0\.0|2\.[01]|3\.0)$/.test(status)) return type;
  if (code !== null && code !== 550) return type;
  return speaksOfOwnUsers(text) ? type : unproven;
}

function verdictOf(stages: readonly string[], known: Parameters<typeof evidenceOf>[1]): Verdict {
  for (const stage of stages) {
    const verdict = classifyEvidence(evidenceOf(stage, known));
    if (verdict.by === 'words') return verdict;
  }
  return classifyEvidence(evidenceOf('', known));
}

/** `5.0.0` and `5.5.0` of the field say less than what the diagnostic cites. */
function mostTelling(own: string | null, cited: readonly (string | null)[]): string | null {
  if (own !== null && !/^[45]\.(?:0\.0|5\.0|3\.0)$/.test(own)) return own;
  return cited.find((one) => one !== null && one !== own) ?? own;
}

/** Lines of a notice that look like a server's reply, or that announce a reason. */
const CITED =
  /^\W{0,12}(?:[45]\d\d[ -]\S|<<< )|\bsaid:|\b(?:reason|error|diagnostic(?:-code)?|response|replied|cause|explanation|details?|problem|message)\b[^\n]{0,40}:|[45]\.\d\.\d|\(#\d/i;

function citedReplies(notice: string): string {
  const lines = notice.split('\n', 400);
  const cited: string[] = [];
  for (let at = 0; at < lines.length && cited.length < 12; at++) {
    const line = lines[at]?.trim() ?? '';
    if (!CITED.test(line.slice(0, 300))) continue;
    cited.push(line.slice(0, 600));
    const below = lines[at + 1]?.trim() ?? '';
    if (below !== '' && !CITED.test(below.slice(0, 300))) cited.push(below.slice(0, 600));
  }
  return cited.join('\n');
}

/** Sentences that every report of a system carries, whatever the reason: they would be taken for one. */
const BOILERPLATE =
  /this (?:message|is|mail|e-?mail|notification|report) (?:was |is |has been )?(?:an? )?(?:created |generated |sent )?(?:automatic\w{0,15}|by|mime|a permanent)|permanent (?:fatal )?errors?\b.{0,30}$|given up|sorry it didn't|do not reply|no further (?:delivery )?attempts|for (?:further|more) (?:assistance|information)|problem report|delete your own text|mime-encapsulated|attached|the original message (?:was|follows)|(?:delivery )?status notification|auto(?:matic)?(?:ally)?[- ]generated|could not be delivered to (?:one or more|the following)|following (?:address|recipient)|(?:message|mail) that you sent|^(?:subject|date|from|to|sent|message-id|cc|arrival-date|received)\s?:|transcript of session|copy of (?:the|your)|mail delivery (?:failed|system|subsystem)|returned to sender|antivirus|nod32|avast|unsubscribe|confidential/i;

const SAYS_WHY = /\b(?:because|due to|reason)\b/i;

function plainWords(notice: string): string {
  const lines = notice.split('\n', 200).map((line) => line.trim());
  return lines
    .filter((line) => line !== '' && (SAYS_WHY.test(line) || !BOILERPLATE.test(line.slice(0, 300))))
    .join('\n');
}
