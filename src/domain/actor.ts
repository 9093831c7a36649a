// Who acts on an account, and whether they may. An actor belongs to exactly one account: a person who is a member of three
// has three, each with the rights that it has there.
import {
  type AccountRole,
  type Permission,
  type PermissionRule,
  permissions,
  type ServerLevel,
} from './permissions.ts';

export interface ServerTokenActor {
  readonly kind: 'SERVER_TOKEN';
  readonly accountId: string;
  readonly serverId: string;
  readonly tokenId: string;
  /** Kind prefix and last four characters. */
  readonly label: string;
  readonly scopes: ReadonlySet<string>;
  /** The one stream that the token is bound to. */
  readonly streamId: string | null;
}

export interface AccountTokenActor {
  readonly kind: 'ACCOUNT_TOKEN';
  readonly accountId: string;
  readonly tokenId: string;
  readonly label: string;
}

/** A member of the account, signed in completely. */
export interface UserActor {
  readonly kind: 'USER';
  readonly accountId: string;
  readonly userId: string;
  readonly sessionId: string;
  /** Email address. */
  readonly label: string;
  readonly role: AccountRole;
  /** Of a MEMBER: server id to level. Owner and admins need none. */
  readonly grants: ReadonlyMap<string, ServerLevel>;
  /** Until when what is guarded by a fresh proof of identity may be done; null: it was never proved. */
  readonly provedUntil: Date | null;
}

/** One of the installation's staff, while the account lets them look. */
export interface StaffActor {
  readonly kind: 'STAFF';
  readonly accountId: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly label: string;
  readonly complianceReview: boolean;
}

export type Actor =
  | ServerTokenActor
  | AccountTokenActor
  | UserActor
  | StaffActor
  /** The installation's command line and its own mail: acts on the account that it names, and every act is audited. */
  | { readonly kind: 'OPERATOR'; readonly accountId: string; readonly label: string };

/**
 * The missing right in words, or null when `actor` may. `serverId`: where it is about a server; without one the answer is
 * whether the actor may anywhere in the account.
 */
export function refusalOf(actor: Actor, permission: Permission, serverId: string | null = null): string | null {
  const needed: PermissionRule = permissions[permission];
  switch (actor.kind) {
    case 'OPERATOR':
      return null;
    case 'ACCOUNT_TOKEN':
      return needed.accountToken ? null : `an account token may not ${permission}`;
    case 'SERVER_TOKEN':
      if (needed.serverToken === null) return `a server token may not ${permission}`;
      if (needed.serverToken === 'ANY' || actor.scopes.has(needed.serverToken)) return null;
      return `the token lacks the scope ${needed.serverToken}`;
    case 'STAFF':
      if (needed.staff === 'GRANT' || (needed.staff === 'REVIEW' && actor.complianceReview)) return null;
      return `staff may not ${permission}`;
    case 'USER':
      return refusalOfMember(actor, permission, needed, serverId);
    default:
      return actor satisfies never;
  }
}

const ranks = { MEMBER: 0, SERVER_ADMIN: 1, ADMIN: 2, OWNER: 3 } as const;

function refusalOfMember(
  actor: UserActor,
  permission: Permission,
  { serverLevel, accountRole }: PermissionRule,
  serverId: string | null,
): string | null {
  if (serverLevel === null) {
    const needed = accountRole ?? 'OWNER';
    return rankOf(actor) >= ranks[needed] ? null : `${permission} needs ${wordsOf(needed)}`;
  }
  if (actor.role !== 'MEMBER') return null;
  const levels = serverId === null ? [...actor.grants.values()] : [actor.grants.get(serverId)];
  return levels.some((level) => level === 'ADMIN' || (level !== undefined && level === serverLevel))
    ? null
    : `${permission} needs ${serverLevel} on the server`;
}

function rankOf({ role, grants }: UserActor): number {
  if (role !== 'MEMBER') return ranks[role];
  return [...grants.values()].includes('ADMIN') ? ranks.SERVER_ADMIN : ranks.MEMBER;
}

function wordsOf(needed: AccountRole | 'SERVER_ADMIN'): string {
  return needed === 'SERVER_ADMIN' ? 'ADMIN on some server' : `the role ${needed}`;
}

/** Servers of the account that the actor may use for `permission`, or see at all without one; null: all of them. */
export function serversOf(actor: Actor, permission: Permission | null): readonly string[] | null {
  if (actor.kind === 'SERVER_TOKEN') return [actor.serverId];
  if (actor.kind !== 'USER' || actor.role !== 'MEMBER') return null;
  const needed: PermissionRule | null = permission === null ? null : permissions[permission];
  const adminOnly = needed?.serverLevel === 'ADMIN';
  return [...actor.grants].filter(([, level]) => !adminOnly || level === 'ADMIN').map(([serverId]) => serverId);
}

/** Whose act it is, in the audit log. */
export function actorIdOf(actor: Actor): string | null {
  switch (actor.kind) {
    case 'OPERATOR':
      return null;
    case 'USER':
    case 'STAFF':
      return actor.userId;
    default:
      return actor.tokenId;
  }
}
