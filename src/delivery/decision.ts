// What an attempt means for its recipient. Pure: facts in, decision out. The states that decisions lead between stand in
// src/domain/delivery/states.ts. One way leads out of a final state, and it is not delivery's: a notification that what was
// DELIVERED, or IN_DOUBT, has come back makes it BOUNCED (db/returned-subjects.ts).
import type { BounceType } from '#/domain/bounce-types.ts';
import { failureOf, type Failure, isDelayTold, nextAttemptAt } from '#/domain/delivery/retry.ts';
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
  /** `retryAt`: when it is tried again; null: for good, as always when the stream's policy says so (record.ts). */
  | { readonly status: 'IN_DOUBT'; readonly retryAt: Date | null }
  | { readonly status: 'EXPIRED' }
  /** Given back untried: too many wait for its destination, this worker is stopping, or sending is paused (parked). */
  | { readonly status: 'RETURNED'; readonly dueAt: Date; readonly parked?: boolean; readonly heldAt?: string };

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
  /** Those of them after which nobody knows whether the mail arrived. */
  readonly doubts: number;
  readonly deliverBy: Date;
  /** In [0, 1). */
  readonly uniform: number;
  /** Of the pauses between attempts (VEREDUS_RETRY_SCALE); 1 unless told. */
  readonly scale?: number;
}

export function decide(facts: AttemptFacts, circumstances: Circumstances): Decision {
  if (facts.inDoubt) return doubt(circumstances);
  if (facts.reply === null) return defer(circumstances, failureOf(null), null, facts.failure);
  const { reply } = facts;
  const meaning = classifyReply(reply, kindOfPhase(facts.phase));
  switch (meaning.outcome) {
    case 'DELIVERED':
      return { status: 'DELIVERED', response: replyText(reply), aftermath: null };
    case 'DEFERRED':
      return defer(circumstances, failureOf(reply), reply.code, replyText(reply));
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

export function defer(
  circumstances: Circumstances,
  failure: Failure,
  smtpCode: number | null,
  response: string | null,
): Decision {
  const { now, deliverBy, uniform, scale } = circumstances;
  const failures = circumstances.failures + 1;
  return {
    status: 'DELAYED',
    dueAt: nextAttemptAt(now, failure, failures, deliverBy, uniform, scale),
    told: isDelayTold(failures),
    smtpCode,
    response,
  };
}

/** Nothing the receiver has to answer for: our DNS, our keys, our own mistakes. */
export const ownTrouble: Failure = { trouble: 'OTHER', statedPause: null };

/** The mail may have arrived: what that means is for the stream's policy to say. */
export function doubt({ now, doubts, deliverBy, uniform, scale }: Circumstances): Decision {
  const failure: Failure = { trouble: 'DOUBT', statedPause: null };
  return { status: 'IN_DOUBT', retryAt: nextAttemptAt(now, failure, doubts + 1, deliverBy, uniform, scale) };
}

export function replyText({ code, enhancedCode, text }: SmtpReply): string {
  return [code, enhancedCode, text].filter((part) => part !== null && part !== '').join(' ');
}

/** The peer has heard of no recipient yet: whatever it said, it is about us. */
export function isBeforeMail(phase: SmtpPhase): boolean {
  return kindOfPhase(phase) === 'connection' && phase !== 'rset' && phase !== 'quit';
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
