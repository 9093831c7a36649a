// What an attempt means for its recipient. Pure: facts in, decision out.
//
// States of a recipient, and the decisions that lead from one to the next:
//
//   SCHEDULED ─┐                    ┌→ DELIVERED
//   QUEUED ────┼─ claimed, tried ───┼→ BOUNCED
//   DELAYED ←──┘  (DELAYED: again)  ├→ IN_DOUBT   content was sent, no answer came: never a silent second copy
//      └────────── past deliver_by ─┼→ EXPIRED
//                       cancelled ──┴→ CANCELLED (never under a lease)
//
// DELIVERED, BOUNCED, IN_DOUBT, EXPIRED, CANCELLED and SUPPRESSED are final: updateStatuses leaves settled rows alone,
// and an outcome counts only for the owner of the queue row. One way leads out, and it is not delivery's: a notification
// that what was DELIVERED, or IN_DOUBT, has come back makes it BOUNCED (db/returned-subjects.ts).
import type { BounceType } from '#/domain/bounce-types.ts';
import { isDelayTold, nextAttemptAt } from '#/domain/delivery/retry.ts';
import { classifyReply } from '#/mail/classify-reply.ts';
import type { SmtpPhase, SmtpReply } from '#/runtime/ports.ts';

/** What a simulated recipient does with the mail. */
export type Aftermath =
  | { readonly kind: 'complaint' | 'open' | 'unsubscribe' }
  | { readonly kind: 'click'; readonly url: string };

export type Decision =
  | { readonly status: 'DELIVERED'; readonly response: string; readonly aftermath: Aftermath | null }
  | {
      readonly status: 'DELAYED';
      readonly dueAt: Date;
      readonly told: boolean;
      readonly smtpCode: number | null;
      readonly response: string | null;
    }
  | {
      readonly status: 'BOUNCED';
      readonly type: BounceType;
      readonly condemns: boolean;
      readonly smtpCode: number | null;
      readonly enhancedCode: string | null;
      readonly details: string;
    }
  | { readonly status: 'IN_DOUBT' }
  | { readonly status: 'EXPIRED' }
  /** Given back untried: too many wait for its destination, or this worker is stopping. */
  | { readonly status: 'RETURNED'; readonly dueAt: Date };

/** What came of one recipient at the end of an attempt. */
export interface AttemptFacts {
  readonly reply: SmtpReply | null;
  readonly phase: SmtpPhase;
  readonly inDoubt: boolean;
  /** Why there is no reply. */
  readonly failure: string | null;
}

export interface Circumstances {
  readonly now: Date;
  /** Attempts that failed before this one. */
  readonly failures: number;
  readonly deliverBy: Date;
  /** In [0, 1). */
  readonly uniform: number;
}

export function decide(facts: AttemptFacts, circumstances: Circumstances): Decision {
  if (facts.inDoubt) return { status: 'IN_DOUBT' };
  if (facts.reply === null) return defer(circumstances, null, facts.failure);
  const { reply } = facts;
  const meaning = classifyReply(reply, kindOfPhase(facts.phase));
  switch (meaning.outcome) {
    case 'DELIVERED':
      return { status: 'DELIVERED', response: replyText(reply), aftermath: null };
    case 'DEFERRED':
      return defer(circumstances, reply.code, replyText(reply));
    case 'BOUNCED':
      return {
        status: 'BOUNCED',
        type: meaning.type,
        condemns: meaning.condemns,
        smtpCode: reply.code,
        enhancedCode: reply.enhancedCode,
        details: replyText(reply),
      };
    default:
      return meaning satisfies never;
  }
}

export function defer(circumstances: Circumstances, smtpCode: number | null, response: string | null): Decision {
  const { now, deliverBy, uniform } = circumstances;
  const failures = circumstances.failures + 1;
  return {
    status: 'DELAYED',
    dueAt: nextAttemptAt(now, failures, deliverBy, uniform),
    told: isDelayTold(failures),
    smtpCode,
    response,
  };
}

export function replyText({ code, enhancedCode, text }: SmtpReply): string {
  return [code, enhancedCode, text].filter((part) => part !== null && part !== '').join(' ');
}

function kindOfPhase(phase: SmtpPhase): 'connection' | 'mail' | 'recipient' | 'content' {
  switch (phase) {
    case 'mail':
      return 'mail';
    case 'rcpt':
      return 'recipient';
    case 'data':
    case 'content':
    case 'final-dot':
      return 'content';
    default:
      return 'connection';
  }
}
