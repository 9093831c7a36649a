// The states of a recipient, and what leads from one to the next. Pure; src/db/delivery-queue.ts and
// src/delivery/record.ts carry it out, and test/integration/delivery-states.test.ts holds them to it.
//
//   SCHEDULED ─┐                    ┌→ DELIVERED
//   QUEUED ────┼─ claimed, tried ───┼→ BOUNCED
//   DELAYED ←──┘  (DELAYED: again)  ├→ IN_DOUBT   content was sent, no answer came, and the stream wants no second copy
//      └────────── past deliver_by ─┼→ EXPIRED    (IN_DOUBT when an earlier attempt may have reached it)
//                       cancelled ──┴→ CANCELLED  (never while its mail may be on the wire)
//   SUPPRESSED: at acceptance
//
// While open, a recipient is in one phase:
//
//   WAITING → LEASED → STARTED → CONTENT_SENT
//
// each written down before the next begins. A worker that is lost leaves its phase behind: what is STARTED is tried
// again, what is CONTENT_SENT is in doubt.

export type OpenStatus = 'SCHEDULED' | 'QUEUED' | 'DELAYED';
export type FinalStatus = 'DELIVERED' | 'BOUNCED' | 'SUPPRESSED' | 'EXPIRED' | 'CANCELLED' | 'IN_DOUBT';
export type Phase = 'WAITING' | 'LEASED' | 'STARTED' | 'CONTENT_SENT';

/** RETRY: at least once. NEVER_TWICE: at most once, for one-time codes and the like. */
export const inDoubtPolicies = ['RETRY', 'NEVER_TWICE'] as const;
export type InDoubtPolicy = (typeof inDoubtPolicies)[number];

/** A receiver that takes mail and loses its own answer each time must not be given a copy for each retry of two days. */
export const MAX_DOUBTS = 3;

export interface OpenRecipient {
  readonly kind: 'OPEN';
  readonly status: OpenStatus;
  readonly phase: Phase;
  /** Attempts after which nobody knows whether the mail arrived. */
  readonly doubts: number;
}

export type RecipientState = OpenRecipient | { readonly kind: 'SETTLED'; readonly status: FinalStatus };

export type Occurrence =
  | 'CLAIMED'
  | 'STARTED'
  | 'CONTENT_MARKED'
  /** Given back untried, or the attempt broke off on our side before its content had left. */
  | 'RETURNED'
  | 'DEFERRED'
  | 'DELIVERED'
  | 'BOUNCED'
  /** The final dot may have been written, and no answer is known. */
  | 'DOUBTED'
  | 'OVERDUE'
  | 'CANCELLED'
  | 'WORKER_LOST';

/** Null: that cannot happen to a recipient in this state, and must change nothing. */
export function after(state: RecipientState, what: Occurrence, policy: InDoubtPolicy): RecipientState | null {
  if (state.kind === 'SETTLED') return null;
  const { phase } = state;
  switch (what) {
    case 'CLAIMED':
      return phase === 'WAITING' ? { ...state, phase: 'LEASED' } : null;
    case 'STARTED':
      return phase === 'LEASED' ? { ...state, phase: 'STARTED' } : null;
    case 'CONTENT_MARKED':
      return phase === 'STARTED' ? { ...state, phase: 'CONTENT_SENT' } : null;
    case 'RETURNED':
      return phase === 'WAITING' ? null : { ...state, phase: 'WAITING' };
    case 'DEFERRED':
      return phase === 'WAITING' ? null : { ...state, status: 'DELAYED', phase: 'WAITING' };
    case 'BOUNCED':
    case 'DELIVERED':
      return phase === 'WAITING' ? null : settled(what);
    case 'DOUBTED':
      return phase === 'CONTENT_SENT' ? afterDoubt(state, policy) : null;
    case 'WORKER_LOST':
      if (phase === 'CONTENT_SENT') return afterDoubt(state, policy);
      return phase === 'WAITING' ? null : { ...state, phase: 'WAITING' };
    case 'OVERDUE':
      return phase === 'LEASED' ? settled(statusOfOverdue(state.doubts)) : null;
    case 'CANCELLED':
      return phase === 'WAITING' ? settled('CANCELLED') : null;
    default:
      return what satisfies never;
  }
}

function afterDoubt(state: OpenRecipient, policy: InDoubtPolicy): RecipientState {
  const doubts = state.doubts + 1;
  return mayRetryDoubt(policy, doubts)
    ? { kind: 'OPEN', status: 'DELAYED', phase: 'WAITING', doubts }
    : settled('IN_DOUBT');
}

/** `doubts`: this one counted. */
export function mayRetryDoubt(policy: InDoubtPolicy, doubts: number): boolean {
  return policy === 'RETRY' && doubts < MAX_DOUBTS;
}

/** What may have arrived must not be told as if it certainly had not. */
export function statusOfOverdue(doubts: number): 'EXPIRED' | 'IN_DOUBT' {
  return doubts > 0 ? 'IN_DOUBT' : 'EXPIRED';
}

function settled(status: FinalStatus): RecipientState {
  return { kind: 'SETTLED', status };
}
