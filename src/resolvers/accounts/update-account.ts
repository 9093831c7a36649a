// Changes the settings of an account. An absent field stays; null is refused. What its safety or its data hang on needs a
// fresh proof of identity; a new name does not.
import { type AccountRow, lockAccount, updateAccount as updateRow } from '#/db/accounts.ts';
import { findMembers } from '#/db/memberships.ts';
import { ensurePartitions } from '#/db/partitions.ts';
import type { WriteScope } from '#/db/scope.ts';
import type { Actor } from '#/domain/actor.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import { Conflict, InvalidInput, NotFound } from '#/domain/errors.ts';
import { MAX_ACCOUNT_NAME } from '#/domain/identity/rules.ts';
import { encodeId } from '#/domain/ids.ts';
import { RETENTION_DAYS } from '#/domain/retention.ts';
import { checkName } from '#/domain/streams.ts';
import { beforeAndAfter, type Changed } from '../audit/before-and-after.ts';
import { command } from '../define.ts';

export interface UpdateAccountRequest {
  readonly id: string;
  readonly name?: string | null | undefined;
  readonly twoFactorPolicy?: 'OPTIONAL' | 'REQUIRED' | null | undefined;
  readonly retentionDays?: number | null | undefined;
}

type Settings = Pick<AccountRow, 'name' | 'twoFactorPolicy' | 'retentionDays'>;

interface UpdatedAccount {
  readonly account: AccountRow;
  readonly changed: Changed;
}

/** Takes what a client sent. */
export function changesSafety(input: {
  readonly twoFactorPolicy?: unknown;
  readonly retentionDays?: unknown;
}): boolean {
  return input.twoFactorPolicy != null || input.retentionDays != null;
}

export const updateAccount = command({
  permission: 'account.update',
  errors: [InvalidInput, Conflict, NotFound],
  stepUpFor: (input: UpdateAccountRequest) => changesSafety(input),
  announces: ['config', 'people'],
  audit: ({ id }: UpdateAccountRequest, { changed }: UpdatedAccount) => ({
    action: 'account.update',
    subjectIds: [encodeId('account', id)],
    changes: changed,
  }),
  async prepare({ deps, scope, fail }, input) {
    if (input.id !== scope.accountId) fail(new NotFound());
    const changes = checked(input);
    // The next message goes where its time ends: that place must be there before the setting is.
    if (changes.retentionDays !== undefined) {
      await ensurePartitions(deps.db, deps.clock.now(), [changes.retentionDays]);
    }
    return changes;
  },
  async run({ scope, caller, prepared, fail }): Promise<UpdatedAccount> {
    const account = (await lockAccount(scope)) ?? fail(new NotFound());
    const changed = beforeAndAfter<Settings>(account, prepared);
    if (changed['twoFactorPolicy']?.after === 'REQUIRED' && !(await hasSecondFactor(scope, caller.actor))) {
      fail(new Conflict('Set up a second factor yourself before you demand one of everybody.'));
    }
    if (Object.keys(changed).length === 0) return { account, changed };
    return { account: await updateRow(scope, prepared), changed };
  },
});

function checked(input: UpdateAccountRequest): Partial<Settings> {
  const issues = collectIssues();
  for (const field of ['name', 'twoFactorPolicy', 'retentionDays'] as const) {
    if (input[field] === null) issues.add([field], 'cannot be null: leave it out to keep what it is');
  }
  const { name, twoFactorPolicy, retentionDays } = input;
  const { min, max } = RETENTION_DAYS;
  if (typeof retentionDays === 'number' && (retentionDays < min || retentionDays > max)) {
    issues.add(['retentionDays'], `is ${retentionDays}; it must be ${min} to ${max}`);
  }
  const changes = {
    ...(typeof name === 'string' ? { name: checkName(name, MAX_ACCOUNT_NAME, issues) } : {}),
    ...(twoFactorPolicy == null ? {} : { twoFactorPolicy }),
    ...(retentionDays == null ? {} : { retentionDays }),
  };
  if (issues.found.length > 0) throw new InvalidInput(issues.found);
  return changes;
}

async function hasSecondFactor(scope: WriteScope, actor: Actor): Promise<boolean> {
  if (actor.kind !== 'USER') return true;
  const [member] = await findMembers(scope, [actor.userId]);
  return member?.secondFactor === true;
}
