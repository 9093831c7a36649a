// What every newly set up second factor does, whatever its kind.
import { replaceBackupCodes } from '#/db/backup-codes.ts';
import type { SystemWriteScope } from '#/db/scope.ts';
import { deleteSessions } from '#/db/sessions.ts';
import { insertTwoFactorMethod, lockTwoFactorMethods, type TwoFactorMethodRow } from '#/db/two-factor-methods.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import { InvalidInput, LimitReached } from '#/domain/errors.ts';
import { MAX_TWO_FACTOR_METHOD_NAME, MAX_TWO_FACTOR_METHODS } from '#/domain/identity/rules.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Person } from '#/domain/person.ts';
import { checkName } from '#/domain/streams.ts';
import type { Inside } from '../define.ts';
import type { Deps } from '../deps.ts';
import { makeBackupCodes } from './backup-code-text.ts';
import { tellOfChange } from './tell-of-change.ts';

export interface Enrolled {
  readonly method: TwoFactorMethodRow;
  /** With the first method, shown this once; empty with those after it, which the same codes stand in for. */
  readonly backupCodes: readonly string[];
}

export type NewMethod = Omit<TwoFactorMethodRow, 'userId' | 'id' | 'createdAt' | 'lastUsedAt'>;

/** What a method is called by who does not call it anything. */
const NAMES = { TOTP: 'Authenticator app', PASSKEY: 'Passkey' } as const;

export function checkMethodName(name: string | null, kind: TwoFactorMethodRow['kind']): string {
  const issues = collectIssues();
  const checked = checkName(name ?? NAMES[kind], MAX_TWO_FACTOR_METHOD_NAME, issues);
  if (issues.found.length > 0) throw new InvalidInput(issues.found);
  return checked;
}

/** With the user locked. Null: the same key is set up already, by whomever. */
export async function addMethod(
  scope: SystemWriteScope,
  inside: Inside,
  { userId, session }: Person,
  method: NewMethod,
): Promise<Enrolled | null> {
  const others = await lockTwoFactorMethods(scope, userId);
  if (others.length >= MAX_TWO_FACTOR_METHODS) throw new LimitReached('second factors', MAX_TWO_FACTOR_METHODS);
  const added = { ...method, userId, id: inside.ids.next(), createdAt: scope.now, lastUsedAt: null };
  if (!(await insertTwoFactorMethod(scope, added))) return null;
  if (others.length > 0) return { method: added, backupCodes: [] };
  const { codes, hashes } = makeBackupCodes(inside.random);
  await replaceBackupCodes(scope, userId, hashes);
  // They were begun with a password alone, and never showed what is asked for from now on.
  await deleteSessions(scope, userId, session.id);
  return { method: added, backupCodes: codes };
}

export function enrolledRecord({ method }: Enrolled) {
  return {
    action: 'twoFactor.add',
    subjectIds: [encodeId('factor', method.id)],
    changes: { kind: method.kind, name: method.name },
  };
}

export function tellOfEnrolled(deps: Deps, { email }: Person, { method }: Enrolled): void {
  tellOfChange(deps, email, `A second factor was added to ${email}: “${method.name}”.`);
}
