// What a customer's program may do over SMTP, beside what sendEmail allows anybody (domain/email/limits.ts).
import { MAX_MESSAGE_BYTES } from '#/domain/email/limits.ts';
import { COMMON_LIMITS, type ListenerLimits } from '../protocol/limits.ts';

export interface SubmissionLimits extends ListenerLimits {
  /** Of one token in one process. */
  readonly sessionsOfToken: number;
  /** Wrong tries of a session; then it ends. */
  readonly authFailures: number;
  /** The first wrong try of a network is answered after this, each further one after twice as long. */
  readonly authDelayMs: number;
  readonly longestAuthDelayMs: number;
  /** Without one, the wrong tries of a network are forgotten. */
  readonly authForgetMs: number;
}

export const SUBMISSION_LIMITS: SubmissionLimits = {
  ...COMMON_LIMITS,
  // What the API takes, measured alike: after transfer encoding.
  messageBytes: MAX_MESSAGE_BYTES,
  sessionsOfToken: 100,
  authFailures: 5,
  authDelayMs: 250,
  // A guess costs ten seconds of a session, of which a network has a hundred; a token has 190 random bits.
  longestAuthDelayMs: 10_000,
  authForgetMs: 15 * 60_000,
};
