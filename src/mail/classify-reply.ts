// What an SMTP reply means for the recipient, as it comes: by phase first, then by the rules that reports are read with too.
import type { BounceType } from '#/domain/bounce-types.ts';
import { classifyEvidence } from './bounce/classify-evidence.ts';
import { evidenceOf } from './bounce/evidence.ts';

export interface ReplyFacts {
  readonly code: number;
  readonly enhancedCode: string | null;
  readonly text: string;
}

export type ReplyMeaning =
  | { readonly outcome: 'DELIVERED' }
  /** `type`: what the bounce is, should this have been the last attempt. */
  | { readonly outcome: 'DEFERRED'; readonly type: BounceType }
  /** `condemns`: the address itself is at fault, and is suppressed. Never for 5.7.x, which is about us. */
  | { readonly outcome: 'BOUNCED'; readonly type: BounceType; readonly condemns: boolean };

/** RFC 3463 and 7505: no such mailbox, system, syntax, moved without address, null MX. */
const CONDEMNING = new Set(['5.1.1', '5.1.2', '5.1.3', '5.1.6', '5.1.10']);
const AT_FAULT: ReadonlySet<BounceType> = new Set(['HARD_BOUNCE', 'BAD_EMAIL_ADDRESS']);

/**
 * `phase`: where the reply came. A 5xx before MAIL (at connect, EHLO, STARTTLS, AUTH) is about the connection, and
 * defers; afterwards it ends this recipient.
 */
export function classifyReply(reply: ReplyFacts, phase: 'connection' | 'mail' | 'recipient' | 'content'): ReplyMeaning {
  const { code, enhancedCode, text } = reply;
  if (code >= 200 && code < 300) return { outcome: 'DELIVERED' };
  const verdict = classifyEvidence(evidenceOf(text, { code, status: enhancedCode, step: phase }));
  // Once the recipient was accepted, "unknown user" is what filters say.
  const proven = phase === 'recipient' || verdict.unproven === null || CONDEMNING.has(enhancedCode ?? '');
  const type = proven ? verdict.type : verdict.unproven;
  if (code < 500 || phase === 'connection') return { outcome: 'DEFERRED', type };
  const moved = type === 'ADDRESS_CHANGE' && enhancedCode === '5.1.6';
  const condemns = moved || (AT_FAULT.has(type) && (enhancedCode === null || CONDEMNING.has(enhancedCode)));
  return { outcome: 'BOUNCED', type, condemns };
}
