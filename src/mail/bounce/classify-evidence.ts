// One rule base for what a receiver said, at SMTP time or in a report: the first rule that fits decides.
import type { BounceType } from '#/domain/bounce-types.ts';
import type { Evidence } from './evidence.ts';
import { messageRules, virusRules } from './rules/message.ts';
import { recipientRules } from './rules/recipient.ts';
import type { Rule } from './rules/rule.ts';
import { senderRules } from './rules/sender.ts';
import { codeRules, refusalRules, statusRules, transportRules } from './rules/transport.ts';

/** Words before numbers: `550 5.7.1 no such user` knows better than its code, `552 5.1.1 mailbox full` as well. */
const telling: readonly Rule[] = [
  ...virusRules,
  ...senderRules,
  ...recipientRules,
  ...messageRules,
  ...transportRules,
  ...refusalRules,
];
const numbers: readonly Rule[] = [...statusRules, ...codeRules];
/** All of them, in the order in which they are tried. */
export const ruleBase: readonly Rule[] = [...telling, ...numbers];

export interface Verdict {
  readonly type: BounceType;
  /** By what the receiver said in words (or by a code with one meaning), or only by the class of a code. */
  readonly by: 'words' | 'numbers' | 'nothing';
  readonly temporary: boolean;
  /** What to take it for where words alone condemn a recipient. */
  readonly unproven: BounceType | null;
}

export function isTemporary({ code, status }: Pick<Evidence, 'code' | 'status'>): boolean {
  // Of the two the reply code counts: it is what the sending side acted on.
  return code === null ? status?.startsWith('4') === true : code < 500;
}

export function classifyEvidence(evidence: Evidence): Verdict {
  const temporary = isTemporary(evidence);
  const words = telling.find((rule) => fits(rule, evidence));
  if (words !== undefined)
    return { type: typeOf(words, temporary), by: 'words', temporary, unproven: words.unproven ?? null };
  const number = numbers.find((rule) => fits(rule, evidence));
  if (number !== undefined)
    return { type: typeOf(number, temporary), by: 'numbers', temporary, unproven: number.unproven ?? null };
  return { type: 'UNKNOWN', by: 'nothing', temporary, unproven: null };
}

function typeOf({ type, later }: Rule, temporary: boolean): BounceType {
  return temporary ? (later ?? type) : type;
}

function fits(rule: Rule, { code, status, step, text, raw }: Evidence): boolean {
  return (
    (rule.step === undefined || rule.step === step) &&
    (rule.status === undefined || (status !== null && rule.status.test(status))) &&
    (rule.code === undefined || (code !== null && rule.code.test(String(code)))) &&
    (rule.text === undefined || rule.text.test(text)) &&
    (rule.raw === undefined || rule.raw.test(raw)) &&
    rule.unless?.test(text) !== true
  );
}
