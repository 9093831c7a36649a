// Checks shared by every text of an email.

/** C0, DEL and C1: nothing of them has a meaning in a header, and CR, LF and NUL would end or cut it. */
const CONTROL = /[\x00-\x1f\x7f-\x9f]/;
const CONTROL_BUT_TAB = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/;

/** Why `text` cannot be one line of text, or null. */
export function lineFlaw(text: string, options?: { readonly tab: boolean }): string | null {
  if ((options?.tab === true ? CONTROL_BUT_TAB : CONTROL).test(text)) return 'holds a line break or control character';
  if (!text.isWellFormed()) return 'holds half of a surrogate pair';
  return null;
}

/** Why `text` cannot be a body, or null. Line breaks of every kind are fine there. */
export function bodyFlaw(text: string): string | null {
  if (text.includes('\0')) return 'holds a NUL character';
  if (!text.isWellFormed()) return 'holds half of a surrogate pair';
  return null;
}
