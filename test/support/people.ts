// People with sessions, as the database has them after they have signed in.
import { insertMembership, replaceGrants } from '#/db/memberships.ts';
import { scopeOfAccount, writeInSystemScope } from '#/db/scope.ts';
import { findSessionFacts, insertSession } from '#/db/sessions.ts';
import { insertUser } from '#/db/users.ts';
import { minutesAfter } from '#/domain/identity/rules.ts';
import type { Person } from '#/domain/person.ts';
import type { Deps } from '#/resolvers/deps.ts';
import { toPerson } from '#/resolvers/sessions/to-person.ts';
import type { PersonOptions } from './world.ts';

let made = 0;

export async function makePerson(deps: Deps, options: PersonOptions): Promise<Person> {
  const { account, role = 'MEMBER', grants = {}, proved = true } = options;
  const now = deps.clock.now();
  const userId = deps.ids.next();
  const sessionId = deps.ids.next();
  const email = options.email ?? `person${++made}@people.example`;
  await writeInSystemScope(deps.system, now, async (scope) => {
    await insertUser(scope, {
      id: userId,
      email,
      emailKey: email.toLowerCase(),
      name: `Person ${made}`,
      passwordHash: options.passwordHash ?? null,
      createdAt: now,
      staff: options.staff ?? false,
      disabledAt: null,
      passwordChangedAt: null,
    });
    if (account !== undefined) {
      const inAccount = scopeOfAccount(scope, account.accountId);
      if (role === 'OWNER') {
        await scope.tx
          .deleteFrom('memberships')
          .where('accountId', '=', account.accountId)
          .where('role', '=', role)
          .execute();
      }
      await insertMembership(inAccount, userId, role);
      const given = Object.entries(grants).map(([serverId, level]) => ({ serverId, level }));
      await replaceGrants(inAccount, userId, given);
    }
    if (options.secondFactor === true) {
      await scope.tx
        .insertInto('twoFactorMethods')
        .values({
          userId,
          id: deps.ids.next(),
          kind: 'TOTP',
          name: 'App',
          createdAt: now,
          secretEncrypted: deps.secrets.seal(Buffer.from('12345678901234567890'), `two_factor_methods/${userId}`),
        })
        .execute();
    }
    await insertSession(scope, {
      id: sessionId,
      userId,
      secretHash: deps.random.bytes(32),
      secondFactorPending: options.halfSignedIn ?? false,
      createdAt: now,
      lastSeenAt: now,
      expiresAt: minutesAfter(now, 600),
      provedAt: proved ? now : null,
      ipAddress: '192.0.2.1',
      userAgent: 'test',
    });
  });
  const person = await findPerson(deps, sessionId);
  if (person === null) throw new Error('the session was not found');
  return person;
}

export async function findPerson(deps: Deps, sessionId: string): Promise<Person | null> {
  const now = deps.clock.now();
  const [facts] = await findSessionFacts(deps.db, [sessionId], now);
  return facts === undefined ? null : toPerson(facts, now, false);
}
