// A password that somebody wants to have, checked and hashed.
import { WeakPassword } from '#/domain/errors.ts';
import { checkPassword } from '#/domain/password/check-password.ts';
import type { Deps } from '../deps.ts';

/** `about`: what is known of its owner and no secret. Throws WeakPassword. Takes time: never inside a transaction. */
export function hashNewPassword(deps: Deps, password: string, about: readonly string[]): Promise<string> {
  const check = checkPassword(password, about);
  if (!check.ok) throw new WeakPassword(`The password ${check.reason}.`, check.suggestions);
  return deps.passwords.hash(check.normalized);
}
