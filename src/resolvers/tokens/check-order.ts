// What a token may be ordered to be: the checks that tokens of servers and of accounts share.
import { collectIssues, type Issues } from '#/domain/email/issues.ts';
import { InvalidInput } from '#/domain/errors.ts';
import { checkName } from '#/domain/streams.ts';
import { latestExpiry, MAX_TOKEN_NAME, MAX_TOKEN_YEARS } from '#/domain/token-rules.ts';
import { checkAllowedIps } from './allowed-ips.ts';

export interface TokenWishes {
  readonly name: string;
  /** Null and empty: from everywhere. */
  readonly allowedIps: readonly string[] | null;
  readonly expiresAt: Date | null;
}

export interface CheckedWishes extends TokenWishes {
  readonly allowedIps: readonly string[];
}

/** Throws InvalidInput that names all there is to mend, with what `more` adds. */
export function checkWishes(wishes: TokenWishes, now: Date, more: (issues: Issues) => void): CheckedWishes {
  const issues = collectIssues();
  const name = checkName(wishes.name, MAX_TOKEN_NAME, issues);
  more(issues);
  const allowedIps = checkAllowedIps(wishes.allowedIps ?? [], issues);
  checkExpiry(wishes.expiresAt, now, issues);
  if (issues.found.length > 0) throw new InvalidInput(issues.found);
  return { name, allowedIps, expiresAt: wishes.expiresAt };
}

function checkExpiry(expiresAt: Date | null, now: Date, issues: Issues): void {
  if (expiresAt === null) return;
  if (expiresAt <= now) issues.add(['expiresAt'], 'is not in the future');
  else if (expiresAt > latestExpiry(now)) {
    issues.add(['expiresAt'], `is more than ${MAX_TOKEN_YEARS} years away; leave it out for a token without an end`);
  }
}
