// What the database says of a session, as the person that it makes.
import type { SessionFacts } from '#/db/sessions.ts';
import type { StaffActor, UserActor } from '#/domain/actor.ts';
import { minutesAfter, PROOF_MINUTES, SESSION_IDLE_MINUTES } from '#/domain/identity/rules.ts';
import type { Person, PersonMembership, Requirement } from '#/domain/person.ts';

/** Null: its time is over. */
export function toPerson(facts: SessionFacts, now: Date, byCookie: boolean): Person | null {
  if (facts.expiresAt <= now || minutesAfter(facts.lastSeenAt, SESSION_IDLE_MINUTES) <= now) return null;
  const memberships = facts.memberships.map(
    ({ grants, joinedAt, ...membership }): PersonMembership => ({
      ...membership,
      joinedAt: new Date(joinedAt),
      grants: new Map(grants.map(({ serverId, level }) => [serverId, level])),
    }),
  );
  const requirement = requirementOf(facts);
  const provedUntil = facts.provedAt === null ? null : minutesAfter(facts.provedAt, PROOF_MINUTES);
  return {
    userId: facts.userId,
    email: facts.email,
    name: facts.name,
    staff: facts.staff,
    secondFactor: facts.secondFactor,
    session: facts,
    provedUntil,
    requirement,
    memberships,
    actors: requirement === null ? [...membersOf(facts, memberships, provedUntil), ...staffOf(facts)] : [],
    byCookie,
    rights: JSON.stringify([requirement, facts.memberships, facts.staffAccess]),
  };
}

function requirementOf({ secondFactorPending, secondFactor, memberships }: SessionFacts): Requirement | null {
  if (secondFactorPending) return 'VERIFY_TWO_FACTOR';
  return !secondFactor && memberships.some(({ twoFactorRequired }) => twoFactorRequired) ? 'ENROLL_TWO_FACTOR' : null;
}

function membersOf(facts: SessionFacts, memberships: readonly PersonMembership[], provedUntil: Date | null) {
  return memberships.map(
    ({ accountId, role, grants }): UserActor => ({
      kind: 'USER',
      accountId,
      userId: facts.userId,
      sessionId: facts.id,
      label: facts.email,
      role,
      grants,
      provedUntil,
    }),
  );
}

/** A member of the account looks with the rights of a member. */
function staffOf({ userId, id, email, staffAccess, memberships }: SessionFacts) {
  return staffAccess
    .filter(({ accountId }) => !memberships.some((membership) => membership.accountId === accountId))
    .map(
      ({ accountId, complianceReview }): StaffActor => ({
        kind: 'STAFF',
        accountId,
        userId,
        sessionId: id,
        label: `staff ${email}`,
        complianceReview,
      }),
    );
}
