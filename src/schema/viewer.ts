// Who is calling.
import { findSessionFacts } from '#/db/sessions.ts';
import type { Person } from '#/domain/person.ts';
import { builder } from './builder.ts';
import type { Asker } from './context.ts';
import { loadersOf } from './loaders.ts';
import { Membership, type MembershipShape } from './membership.ts';
import { ApiToken } from './token.ts';
import { Session, type Somebody, User } from './user.ts';

const ViewerKind = builder.enumType('ViewerKind', {
  description: 'What a caller is.',
  values: {
    USER: { description: 'A person who signed in.' },
    ACCOUNT_TOKEN: { description: 'A program with a token of the account.' },
    SERVER_TOKEN: { description: 'A program with a token of one server.' },
    OPERATOR: { description: 'One of the staff of the installation.' },
  } as const,
});

export const ViewerRequirement = builder.enumType('ViewerRequirement', {
  description: 'What must be done before anything else is allowed.',
  values: {
    VERIFY_TWO_FACTOR: { description: 'Show the second factor: verifyTwoFactor.' },
    ENROLL_TWO_FACTOR: {
      description: 'Set up a second factor: an account that the person is a member of demands one.',
    },
  } as const,
});

/** Fields that a half-signed-in session does not get: it may show its second factor and nothing else. */
const afterSecondStep = { $any: { authenticated: true, enrolling: true } } as const;

const Viewer = builder.objectRef<Asker>('Viewer').implement({
  description: 'Who is calling.',
  fields: (t) => ({
    kind: t.field({ type: ViewerKind, description: 'What the caller is.', resolve: kindOf }),
    user: t.withAuth(afterSecondStep).field({
      type: User,
      nullable: true,
      description: 'The person; null for programs.',
      resolve: (asker) => ('person' in asker ? somebodyOf(asker.person) : null),
    }),
    session: t.withAuth(afterSecondStep).field({
      type: Session,
      nullable: true,
      description: 'The session of the person; null for programs.',
      resolve: async (asker, _args, { deps }) => {
        if (!('person' in asker)) return null;
        const [session] = await findSessionFacts(deps.db, [asker.person.session.id], deps.clock.now());
        return session ?? null;
      },
    }),
    token: t.withAuth(afterSecondStep).field({
      type: ApiToken,
      nullable: true,
      description: 'The token that is used; null for a caller without one.',
      resolve: (asker, _args, context) => {
        const actor = 'actor' in asker ? asker.actor : null;
        return actor !== null && 'tokenId' in actor ? loadersOf(context, actor).token.load(actor.tokenId) : null;
      },
    }),
    memberships: t.withAuth({ authenticated: true }).field({
      type: [Membership],
      description: 'The accounts that the person is a member of, oldest first; none for programs.',
      resolve: (asker) => ('person' in asker ? membershipsOf(asker.person) : []),
    }),
    requirement: t.field({
      type: ViewerRequirement,
      nullable: true,
      description: 'What must be done before anything else is allowed; null when nothing is.',
      resolve: (asker) => ('person' in asker ? asker.person.requirement : null),
    }),
  }),
});

function kindOf(asker: Asker) {
  if ('person' in asker) return asker.person.staff ? 'OPERATOR' : 'USER';
  return asker.actor.kind === 'STAFF' ? 'OPERATOR' : asker.actor.kind;
}

export function somebodyOf({ userId, name, email, secondFactor }: Person): Somebody {
  return { id: userId, name, email, secondFactor };
}

function membershipsOf(person: Person): MembershipShape[] {
  const user = somebodyOf(person);
  return person.memberships.map(({ accountId, role, joinedAt }) => ({ accountId, role, joinedAt, user }));
}

builder.queryField('viewer', (t) =>
  t.field({
    type: Viewer,
    nullable: true,
    description: 'Who is calling; null for nobody.',
    authScopes: { public: true },
    resolve: (_root, _args, { asker }) => asker,
  }),
);
