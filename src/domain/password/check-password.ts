// Whether somebody may choose this password: its form, whether attackers know it, how hard it is to guess. In that order,
// so that the dictionaries are loaded for a password that could pass.
import { isKnownPassword } from './known-passwords.ts';
import { ADVICE, checkForm, type PasswordCheck, refuse } from './password-rules.ts';
import { personalWords } from './personal-words.ts';
import { estimateStrength } from './strength.ts';

export { normalizePassword, type PasswordCheck } from './password-rules.ts';

/**
 * `about`: what is known of its owner and no secret: address, name, name of the account. For passwords that are being set;
 * one that was set before is only compared.
 */
export function checkPassword(password: string, about: readonly string[]): PasswordCheck {
  const form = checkForm(password);
  if (!form.ok) return form;
  const personal = personalWords(about);
  if (isKnownPassword(form.normalized, new Set(personal))) {
    return refuse('is known to attackers, or is a name with digits and signs around it', [
      ADVICE,
      'Digits, signs and capitals around a known word are tried first.',
    ]);
  }
  const strength = estimateStrength(form.normalized, personal);
  return strength.enough ? form : refuse('is too easy to guess', [...strength.suggestions, ADVICE]);
}
