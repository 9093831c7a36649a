// Begins a session for somebody whose password, link or second factor was right. Each step that raises rights begins a new
// one and ends the one before it, so that a secret from before is worth nothing after (ASVS 7.2.4).
import { hasKnownDevices, rememberDevice } from '#/db/known-devices.ts';
import type { SystemWriteScope } from '#/db/scope.ts';
import { findSessionFacts, insertSession, type SessionRow, trimSessions } from '#/db/sessions.ts';
import { hasTwoFactorMethod } from '#/db/two-factor-methods.ts';
import type { UserRow } from '#/db/users.ts';
import { MAX_SESSIONS, minutesAfter, SECOND_STEP_MINUTES, SESSION_HOURS } from '#/domain/identity/rules.ts';
import type { Requirement } from '#/domain/person.ts';
import { makeToken, SESSION_PREFIX } from '#/domain/token.ts';
import type { Inside } from '../define.ts';
import { secretHashOf } from '../sessions/session-check.ts';
import { toPerson } from '../sessions/to-person.ts';
import type { Visitor } from '../visitor.ts';

const MAX_USER_AGENT = 300;

export interface BegunSession {
  readonly session: SessionRow & { readonly current: true };
  /** Shown this once. */
  readonly secret: string;
  readonly user: { readonly id: string; readonly name: string; readonly email: string; readonly secondFactor: boolean };
  readonly requirement: Requirement | null;
  /** To be remembered by the browser; null until the sign-in is complete. */
  readonly deviceSecret: string | null;
  /** Somebody who has signed in before does so from where they never did. */
  readonly fromNewDevice: boolean;
}

/** `secondFactorShown`: whoever has a second factor and has not shown it gets a session that may show it and no more. */
export async function beginSession(
  scope: SystemWriteScope,
  inside: Inside,
  visitor: Visitor,
  user: UserRow,
  { secondFactorShown }: { readonly secondFactorShown: boolean },
): Promise<BegunSession> {
  const { now } = scope;
  const secret = makeToken(SESSION_PREFIX, (length) => inside.random.bytes(length));
  const pending = !secondFactorShown && (await hasTwoFactorMethod(scope, user.id));
  const session: SessionRow = {
    id: inside.ids.next(),
    userId: user.id,
    secretHash: secretHashOf(secret),
    secondFactorPending: pending,
    createdAt: now,
    lastSeenAt: now,
    expiresAt: minutesAfter(now, pending ? SECOND_STEP_MINUTES : SESSION_HOURS * 60),
    provedAt: pending ? null : now,
    ipAddress: visitor.ipAddress,
    userAgent: visitor.userAgent.slice(0, MAX_USER_AGENT),
  };
  await insertSession(scope, session);
  await trimSessions(scope, user.id, MAX_SESSIONS);
  const [facts] = await findSessionFacts(scope.tx, [session.id], now);
  const person = facts === undefined ? null : toPerson(facts, now, false);
  if (person === null) throw new Error('a session was over when it began');
  const { name, email, secondFactor, requirement } = person;
  return {
    session: { ...session, current: true },
    secret,
    user: { id: user.id, name, email, secondFactor },
    requirement,
    ...(pending ? { deviceSecret: null, fromNewDevice: false } : await recognise(scope, inside, visitor, user.id)),
  };
}

/** Hands the session to the browser; API clients take its secret from the answer. */
export function handToBrowser({ cookies }: Visitor, { secret, session, deviceSecret }: BegunSession): void {
  cookies?.startSession(secret, session.expiresAt);
  if (deviceSecret !== null) cookies?.rememberDevice(deviceSecret);
}

async function recognise(scope: SystemWriteScope, inside: Inside, { cookies }: Visitor, userId: string) {
  const hadDevices = await hasKnownDevices(scope, userId);
  const deviceSecret = cookies?.device ?? inside.random.bytes(32).toString('base64url');
  const isNew = await rememberDevice(scope, userId, secretHashOf(deviceSecret));
  return { deviceSecret, fromNewDevice: hadDevices && isNew };
}
