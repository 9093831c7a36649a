// Texts of filters that reach the database as they came: it takes no NUL, and what it refuses would be a defect of ours.
import { bodyFlaw } from '#/domain/email/text.ts';
import { BadUserInput } from '#/domain/errors.ts';

export function checkFilterText<T extends string | null>(field: string, text: T): T {
  const flaw = text === null ? null : bodyFlaw(text);
  if (flaw !== null) throw new BadUserInput(`filter.${field}: ${flaw}.`);
  return text;
}
