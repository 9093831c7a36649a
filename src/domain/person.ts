// Somebody who signed in: one identity with a session, and an actor for each account that they may act in.
import type { StaffActor, UserActor } from './actor.ts';
import type { AccountRole, ServerLevel } from './permissions.ts';

/** What must be done before anything else is allowed. */
export type Requirement = 'VERIFY_TWO_FACTOR' | 'ENROLL_TWO_FACTOR';

export interface PersonSession {
  readonly id: string;
  readonly createdAt: Date;
  readonly lastSeenAt: Date;
  /** When it ends at the latest, however much it is used. */
  readonly expiresAt: Date;
  readonly ipAddress: string;
  readonly userAgent: string;
  /** Of the secret that it had when it was looked at: what was opened with another one ends. */
  readonly secretHash: Buffer;
}

export interface PersonMembership {
  readonly accountId: string;
  readonly role: AccountRole;
  readonly joinedAt: Date;
  readonly twoFactorRequired: boolean;
  readonly grants: ReadonlyMap<string, ServerLevel>;
}

export interface Person {
  readonly userId: string;
  readonly email: string;
  readonly name: string;
  readonly staff: boolean;
  readonly secondFactor: boolean;
  readonly session: PersonSession;
  /** Until when acts are allowed that need a fresh proof of identity; null: never proved. */
  readonly provedUntil: Date | null;
  readonly requirement: Requirement | null;
  readonly memberships: readonly PersonMembership[];
  /** Empty while there is a requirement. */
  readonly actors: readonly (UserActor | StaffActor)[];
  /** Whether the secret came as the browser's cookie, which is renewed where rights are raised. */
  readonly byCookie: boolean;
  /** Changes with every right that the person has: whoever keeps a connection open compares it. */
  readonly rights: string;
}
