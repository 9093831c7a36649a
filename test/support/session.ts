// A signed-in person as an HTTP client has one: the secret of a session that the database knows.
import { insertMembership } from '#/db/memberships.ts';
import { scopeOfAccount, writeInSystemScope } from '#/db/scope.ts';
import { insertSession } from '#/db/sessions.ts';
import { upsertUser } from '#/db/installation.ts';
import type { AccountRole } from '#/domain/permissions.ts';
import { minutesAfter } from '#/domain/identity/rules.ts';
import { makeToken, SESSION_PREFIX } from '#/domain/token.ts';
import type { Deps } from '#/resolvers/deps.ts';
import { secretHashOf } from '#/resolvers/sessions/session-check.ts';

/** Proved a moment ago. */
export async function openSession(
  deps: Deps,
  accountId: string,
  { email, role }: { readonly email: string; readonly role: AccountRole },
): Promise<string> {
  const now = deps.clock.now();
  const secret = makeToken(SESSION_PREFIX, (length) => deps.random.bytes(length));
  await writeInSystemScope(deps.system, now, async (scope) => {
    const userId = await upsertUser(scope, { id: deps.ids.next(), email, name: email, passwordHash: null });
    await insertMembership(scopeOfAccount(scope, accountId), userId, role);
    await insertSession(scope, {
      id: deps.ids.next(),
      userId,
      secretHash: secretHashOf(secret),
      secondFactorPending: false,
      createdAt: now,
      lastSeenAt: now,
      expiresAt: minutesAfter(now, 600),
      provedAt: now,
      ipAddress: '192.0.2.1',
      userAgent: 'test',
    });
  });
  return secret;
}
