// What staff of the installation say when they ask to see an account.
import { bodyFlaw } from '#/domain/email/text.ts';
import { collectIssues, type Issues } from '#/domain/email/issues.ts';
import { InvalidInput } from '#/domain/errors.ts';
import { MAX_STAFF_ACCESS_HOURS, MAX_STAFF_REASON } from '#/domain/identity/rules.ts';

export interface StaffAccessRequest {
  readonly accountId: string;
  readonly reason: string;
  readonly hours: number;
}

export function checkedReason({ reason, hours }: StaffAccessRequest): string {
  const issues = collectIssues();
  const text = reason.trim();
  const flaw = bodyFlaw(text);
  if (text === '') issues.add(['reason'], 'is empty: the owner decides by it');
  else if (text.length > MAX_STAFF_REASON) issues.add(['reason'], `is longer than ${MAX_STAFF_REASON} characters`);
  else if (flaw !== null) issues.add(['reason'], flaw);
  checkHours(hours, issues);
  if (issues.found.length > 0) throw new InvalidInput(issues.found);
  return text;
}

export function checkHours(hours: number, issues: Issues): void {
  if (!Number.isInteger(hours) || hours < 1 || hours > MAX_STAFF_ACCESS_HOURS) {
    issues.add(['hours'], `is ${hours}; it must be 1 to ${MAX_STAFF_ACCESS_HOURS}`);
  }
}
