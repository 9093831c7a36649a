// Whose answers are the same: two callers with equal keys may do and see the same, so what is executed with the rights of one
// may be sent to the other. Null: nobody else's. Rather one key too many than too few.
import type { AccountTokenActor, ServerTokenActor, UserActor } from '#/domain/actor.ts';
import type { Person } from '#/domain/person.ts';
import type { AuthenticatedCaller } from './types.ts';

export function rightsKeyOf(caller: AuthenticatedCaller | null): string | null {
  if (caller === null) return null;
  const actors = 'person' in caller ? caller.person.actors : [caller.actor];
  const parts: unknown[] = 'person' in caller ? ['person', ...partsOfPerson(caller.person)] : ['token'];
  for (const actor of actors) {
    switch (actor.kind) {
      case 'SERVER_TOKEN':
        parts.push(partsOfServerToken(actor));
        break;
      case 'ACCOUNT_TOKEN':
        parts.push(partsOfAccountToken(actor));
        break;
      case 'USER':
        parts.push(partsOfUser(actor));
        break;
      default:
        // What staff look at is on record for each of them.
        return null;
    }
  }
  return JSON.stringify(parts);
}

/** Each names all that an actor of its kind has: what it is told by, and who it is, on which no right depends. */
type Rest<T> = Record<keyof T, never>;

/** Rights in an account are those of the actor there; of accounts without one a person sees nothing but that they exist. */
function partsOfPerson(person: Person): readonly unknown[] {
  const { staff, requirement, provedUntil, actors: _, memberships: __, rights: ___, ...whoItIs } = person;
  const { userId: _a, email: _b, name: _c, secondFactor: _d, session: _e, byCookie: _f, ...rest } = whoItIs;
  rest satisfies Rest<typeof rest>;
  return [staff, requirement, provedUntil];
}

function partsOfServerToken(actor: ServerTokenActor): readonly unknown[] {
  const { kind, accountId, serverId, streamId, scopes, tokenId: _, label: __, ...rest } = actor;
  rest satisfies Rest<typeof rest>;
  return [kind, accountId, serverId, streamId, [...scopes].toSorted()];
}

function partsOfAccountToken(actor: AccountTokenActor): readonly unknown[] {
  const { kind, accountId, tokenId: _, label: __, ...rest } = actor;
  rest satisfies Rest<typeof rest>;
  return [kind, accountId];
}

function partsOfUser(actor: UserActor): readonly unknown[] {
  const { kind, accountId, role, grants, provedUntil, userId: _, sessionId: __, label: ___, ...rest } = actor;
  rest satisfies Rest<typeof rest>;
  return [
    kind,
    accountId,
    role,
    [...grants].map(([serverId, level]) => `${serverId} ${level}`).toSorted(),
    provedUntil,
  ];
}
