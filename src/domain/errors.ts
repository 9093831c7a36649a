// What may be expected to fail. Each class has a literal code: the GraphQL unions, SMTP replies and CLI exits are made
// from these, and a use-case declares which of them it may fail with.

import { instructionsFor, type SendingPause } from './sending-pause.ts';

export abstract class ExpectedError extends Error {
  abstract readonly code: string;
}

export interface InputIssue {
  /** Path into `input`, e.g. `["to", "0"]`. */
  readonly path: readonly string[];
  readonly message: string;
}

export class InvalidInput extends ExpectedError {
  readonly code = 'INVALID_INPUT';
  readonly issues: readonly InputIssue[];
  constructor(issues: readonly InputIssue[]) {
    super(issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
    this.issues = issues;
  }
  static at(path: readonly string[], message: string): InvalidInput {
    return new InvalidInput([{ path, message }]);
  }
}

/** Also for what belongs to somebody else: same text, same shape. */
export class NotFound extends ExpectedError {
  readonly code = 'NOT_FOUND';
  constructor() {
    super('No such thing, or it is not yours to see.');
  }
}

export class Conflict extends ExpectedError {
  readonly code = 'CONFLICT';
}

export class LimitReached extends ExpectedError {
  readonly code = 'LIMIT_REACHED';
  readonly limit: number;
  constructor(what: string, limit: number) {
    super(`At most ${limit} ${what}.`);
    this.limit = limit;
  }
}

export class SenderNotVerified extends ExpectedError {
  readonly code = 'SENDER_NOT_VERIFIED';
  readonly address: string;
  constructor(address: string) {
    super(`${address} is neither a confirmed signature nor on a verified domain of this account.`);
    this.address = address;
  }
}

/** For now: what was accepted before waits, and goes when sending is resumed. */
export class SendingPaused extends ExpectedError {
  readonly code = 'SENDING_PAUSED';
  readonly pause: SendingPause;
  constructor(pause: SendingPause) {
    const what = pause.streamId === null ? 'this server' : 'this stream';
    super(`Sending of ${what} is paused (${pause.reason}). ${instructionsFor(pause)}`);
    this.pause = pause;
  }
}

export type SuppressionReason = 'HARD_BOUNCE' | 'SPAM_COMPLAINT' | 'MANUAL' | 'UNSUBSCRIBE';

export interface SuppressedRecipient {
  readonly address: string;
  readonly reason: SuppressionReason;
}

export class AllRecipientsSuppressed extends ExpectedError {
  readonly code = 'ALL_RECIPIENTS_SUPPRESSED';
  readonly recipients: readonly SuppressedRecipient[];
  constructor(recipients: readonly SuppressedRecipient[]) {
    super('Every recipient is suppressed on this stream; nothing was accepted.');
    this.recipients = recipients;
  }
}

export class IdempotencyConflict extends ExpectedError {
  readonly code = 'IDEMPOTENCY_CONFLICT';
  constructor() {
    super('The same idempotency key came with another body.');
  }
}

/** The same for an address that nobody has: who asks must not learn which it was. */
export class InvalidCredentials extends ExpectedError {
  readonly code = 'INVALID_CREDENTIALS';
  constructor(message = 'The address or the password is not right.') {
    super(message);
  }
}

/** A one-time code or link: wrong, expired or used. */
export class InvalidCode extends ExpectedError {
  readonly code = 'INVALID_CODE';
  /** Tries until it takes a pause; null where that is not told. */
  readonly attemptsLeft: number | null;
  constructor(message = 'This code is wrong, has expired, or was used already.', attemptsLeft: number | null = null) {
    super(message);
    this.attemptsLeft = attemptsLeft;
  }
}

export class WeakPassword extends ExpectedError {
  readonly code = 'WEAK_PASSWORD';
  readonly suggestions: readonly string[];
  constructor(reason: string, suggestions: readonly string[]) {
    super(reason);
    this.suggestions = suggestions;
  }
}

/** The trial call of an endpoint failed. */
export class WebhookUnreachable extends ExpectedError {
  readonly code = 'WEBHOOK_UNREACHABLE';
  /** HTTP status of the answer; null when there was none. */
  readonly status: number | null;
  constructor(reason: string, status: number | null) {
    super(`The trial call failed: ${reason}.`);
    this.status = status;
  }
}

// ── refusals of the whole request: top-level GraphQL errors, 401/403 or 535 elsewhere ──

export abstract class Refusal extends Error {
  abstract readonly code: string;
}

export class Unauthenticated extends Refusal {
  readonly code = 'UNAUTHENTICATED';
  constructor(message = 'A valid token is required.') {
    super(message);
  }
}

export class Forbidden extends Refusal {
  readonly code = 'FORBIDDEN';
  constructor(missing: string) {
    super(`Not allowed: ${missing}.`);
  }
}

/** The password was right; the second factor is still to be shown. */
export class TwoFactorRequired extends Refusal {
  readonly code = 'TWO_FACTOR_REQUIRED';
  constructor() {
    super('Finish signing in first: show your second factor.');
  }
}

export class TwoFactorEnrollmentRequired extends Refusal {
  readonly code = 'TWO_FACTOR_ENROLLMENT_REQUIRED';
  constructor() {
    super('A second factor is demanded of you: set one up first.');
  }
}

export class StepUpRequired extends Refusal {
  readonly code = 'STEP_UP_REQUIRED';
  constructor() {
    super('Prove that it is you once more, with your second factor, or with your password where you have none.');
  }
}

export class RateLimited extends Refusal {
  readonly code = 'RATE_LIMITED';
  /** Seconds. */
  readonly retryAfter: number;
  constructor(retryAfter: number) {
    super(`Too many tries; try again in ${retryAfter} s.`);
    this.retryAfter = retryAfter;
  }
}

/** An argument that no answer is possible to; where a union can say so, InvalidInput does. */
export class BadUserInput extends Refusal {
  readonly code = 'BAD_USER_INPUT';
}

/** `after` points before what retention has kept; the oldest cursor still there comes with it. */
export class CursorExpired extends Refusal {
  readonly code = 'CURSOR_EXPIRED';
  readonly oldestCursor: string | null;
  constructor(oldestCursor: string | null) {
    super('The events after this cursor are no longer kept.');
    this.oldestCursor = oldestCursor;
  }
}

/** A cursor that was not made by this list. */
export class InvalidCursor extends Refusal {
  readonly code = 'INVALID_CURSOR';
  constructor() {
    super('This cursor does not belong to this list.');
  }
}
