// The form of a rule: what must be so for a reason to be that of a type.
import type { BounceType } from '#/domain/bounce-types.ts';
import type { Step } from '../evidence.ts';

/**
 * Patterns are matched against Evidence.text (`raw` against Evidence.raw), lower case, at most MAX_EVIDENCE characters. They
 * have no nested repetition, and each repetition of "anything" is bounded: hostile text costs what long text costs.
 */
export interface Rule {
  readonly type: BounceType;
  /** The type where the reply or report says "later": a full disk of a server passes, an unknown user does not. */
  readonly later?: BounceType;
  /** The type in a report that does not prove it; see `judge`. */
  readonly unproven?: BounceType;
  readonly text?: RegExp;
  readonly raw?: RegExp;
  readonly unless?: RegExp;
  readonly status?: RegExp;
  readonly code?: RegExp;
  readonly step?: Step;
}
