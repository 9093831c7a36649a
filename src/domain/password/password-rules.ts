// What a password may consist of, before anybody asks how good it is. After NIST SP 800-63B-4 §3.1.1: length counts and
// composition does not, Unicode and spaces are welcome, nothing is cut off.
//
// NIST wants 15 characters where the password is the only factor, and 8 where a second one follows. 8 is the least here
// and 15 the advice, because the list of known passwords and the estimate refuse what is weak among the short ones.

export const MIN_CHARACTERS = 8;
export const ADVISED_CHARACTERS = 15;
/** NIST asks for at least 64. More than a sentence helps nobody and is hashed for everybody. */
export const MAX_CHARACTERS = 256;
/**
 * UTF-16 units before normalisation. NFKC makes at most one of four code points (Greek letters with three marks), so that
 * no text longer than this has 256 characters afterwards; it is refused without being normalised.
 */
export const MAX_UNITS = MAX_CHARACTERS * 4 * 2;

/** Fields of forms drop line breaks, Tab leaves them, NUL ends strings in C: set by API, these could never be typed. */
const CONTROL = /\p{Cc}|\p{Zl}|\p{Zp}/u;
/** Normalisation is stable for assigned characters only (UAX #15): a later Node could make another text of these. */
const UNASSIGNED = /\p{Cn}/u;

export type PasswordCheck =
  | { readonly ok: true; readonly normalized: string }
  /** `reason` goes on after "The password"; `suggestions` are sentences. */
  | { readonly ok: false; readonly reason: string; readonly suggestions: readonly string[] };

/** One text for all ways to type it: é in one character or two, full-width letters, ligatures, no-break spaces. */
export function normalizePassword(text: string): string {
  return text.normalize('NFKC');
}

/** All rules but those that need a dictionary. */
export function checkForm(password: string): PasswordCheck {
  if (password.length > MAX_UNITS) return tooLong;
  if (!password.isWellFormed()) return refuse('holds half of a surrogate pair');
  const normalized = normalizePassword(password);
  const length = countCharacters(normalized);
  if (length > MAX_CHARACTERS) return tooLong;
  if (CONTROL.test(normalized)) return refuse('holds a control character or a line break');
  if (UNASSIGNED.test(normalized)) return refuse('holds a character that Unicode has not assigned');
  if (length < MIN_CHARACTERS) return refuse(`has fewer than ${MIN_CHARACTERS} characters`, [ADVICE]);
  return { ok: true, normalized };
}

export const ADVICE = `Use ${ADVISED_CHARACTERS} characters or more: four words that have nothing to do with each other are easy to remember.`;

export function refuse(reason: string, suggestions: readonly string[] = []): PasswordCheck {
  return { ok: false, reason, suggestions };
}

const tooLong = refuse(`has more than ${MAX_CHARACTERS} characters`);

/** Code points, as NIST counts. */
function countCharacters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
