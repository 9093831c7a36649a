// What an SMTP reply means for the recipient: a first, coarse reading by code, enhanced code (RFC 3463) and phase.

export interface ReplyFacts {
  readonly code: number;
  readonly enhancedCode: string | null;
  readonly text: string;
}

export type BounceType = 'HARD_BOUNCE' | 'SOFT_BOUNCE' | 'BLOCKED' | 'SPAM_NOTIFICATION' | 'DMARC_POLICY' | 'UNKNOWN';

export type ReplyMeaning =
  | { readonly outcome: 'DELIVERED' }
  | { readonly outcome: 'DEFERRED' }
  /** `condemns`: the address itself is at fault, and is suppressed. Never for 5.7.x, which is about us. */
  | { readonly outcome: 'BOUNCED'; readonly type: BounceType; readonly condemns: boolean };

/** RFC 3463 and 7505: no such mailbox, system, syntax, moved without address, null MX. */
const CONDEMNING = new Set(['5.1.1', '5.1.2', '5.1.3', '5.1.6', '5.1.10']);
/** Gmail, Yahoo and Microsoft: unauthenticated mail under a DMARC or bulk-sender rule. */
const DMARC = new Set(['5.7.26', '5.7.9', '5.7.515']);
const UNKNOWN_USER =
  /(?:user|mailbox|recipient|address|account).{0,40}(?:unknown|not (?:found|exist|valid)|does(?: not|n't) exist|invalid|unavailable)|(?:unknown|no such|invalid) (?:user|mailbox|recipient|address)/i;
const MAILBOX_FULL = /(?:mailbox|quota|storage).{0,30}(?:full|exceeded|exceeds)|over ?quota/i;
const SPAM = /\bspam\b|junk|unsolicited/i;
const BLOCKED = /block(?:ed|list)|blacklist|denied|reputation|policy|banned|spamhaus|\brbl\b/i;

/**
 * `phase`: where the reply came. A 5xx before MAIL (at connect, EHLO, STARTTLS, AUTH) is about the connection, and
 * defers; afterwards it ends this recipient.
 */
export function classifyReply(reply: ReplyFacts, phase: 'connection' | 'mail' | 'recipient' | 'content'): ReplyMeaning {
  if (reply.code >= 200 && reply.code < 300) return { outcome: 'DELIVERED' };
  if (reply.code < 500 || phase === 'connection') return { outcome: 'DEFERRED' };
  const type = bounceType(reply, phase);
  const condemns = type === 'HARD_BOUNCE' && (reply.enhancedCode === null || CONDEMNING.has(reply.enhancedCode));
  return { outcome: 'BOUNCED', type, condemns };
}

function bounceType({ code, enhancedCode, text }: ReplyFacts, phase: 'mail' | 'recipient' | 'content'): BounceType {
  if (enhancedCode !== null) {
    if (CONDEMNING.has(enhancedCode)) return 'HARD_BOUNCE';
    if (DMARC.has(enhancedCode)) return 'DMARC_POLICY';
    if (enhancedCode.startsWith('5.7.')) return SPAM.test(text) ? 'SPAM_NOTIFICATION' : 'BLOCKED';
    if (enhancedCode.startsWith('5.2.')) return 'SOFT_BOUNCE';
  }
  if (MAILBOX_FULL.test(text)) return 'SOFT_BOUNCE';
  if (SPAM.test(text)) return 'SPAM_NOTIFICATION';
  if (BLOCKED.test(text)) return 'BLOCKED';
  if (phase === 'recipient' && (UNKNOWN_USER.test(text) || code === 550 || code === 551 || code === 553))
    return 'HARD_BOUNCE';
  return enhancedCode?.startsWith('5.1.') === true ? 'HARD_BOUNCE' : 'UNKNOWN';
}
