// What acceptance has against a message, as an SMTP reply that says what to change.
import {
  AllRecipientsSuppressed,
  IdempotencyConflict,
  type InputIssue,
  InvalidInput,
  NotFound,
  Refusal,
  RateLimited,
  SenderNotVerified,
  SendingPaused,
} from '#/domain/errors.ts';
import { SmtpRefusal } from '../protocol/refusal.ts';

/** A client logs one line, its user reads three. */
const MAX_ISSUES = 3;

/** Null for what is not expected. */
export function refusalFor(error: unknown): SmtpRefusal | null {
  if (error instanceof SmtpRefusal) return error;
  if (error instanceof InvalidInput) return forInput(error.issues);
  if (error instanceof SenderNotVerified)
    return new SmtpRefusal(550, '5.7.1', `${error.message} Verify the domain, or confirm the address, then send again`);
  if (error instanceof AllRecipientsSuppressed) {
    const all = error.recipients.slice(0, MAX_ISSUES * 3).map(({ address, reason }) => `${address} (${reason})`);
    return new SmtpRefusal(550, '5.7.1', `${error.message} Suppressed: ${all.join(', ')}`);
  }
  if (error instanceof IdempotencyConflict)
    return new SmtpRefusal(554, '5.5.0', `${error.message} Use another X-Veredus-Idempotency-Key for another message`);
  if (error instanceof NotFound)
    return new SmtpRefusal(550, '5.7.1', 'The server of this token does not exist any more');
  // For now: clients keep the message and come again.
  if (error instanceof SendingPaused) return new SmtpRefusal(451, '4.7.1', error.message);
  if (error instanceof RateLimited) return new SmtpRefusal(451, '4.7.0', error.message);
  if (error instanceof Refusal) return new SmtpRefusal(550, '5.7.1', error.message);
  return null;
}

function forInput(issues: readonly InputIssue[]): SmtpRefusal {
  const text = issues
    .slice(0, MAX_ISSUES)
    .map(({ path, message }) => `${path.join('.')}: ${message}`)
    .join('; ');
  const more = issues.length > MAX_ISSUES ? `; and ${issues.length - MAX_ISSUES} more` : '';
  const [first] = issues;
  if (first?.path[0] === 'message' && /octets/.test(first.message)) return new SmtpRefusal(552, '5.3.4', text);
  return new SmtpRefusal(554, '5.6.0', text + more);
}
