// The answer to whoever has signed in, or has come as far as the second factor.
import type { BegunSession } from '#/resolvers/sign-in/begin-session.ts';
import { builder } from './builder.ts';
import { Session, User } from './user.ts';
import { ViewerRequirement } from './viewer.ts';

export const SignedIn = builder.objectRef<BegunSession>('SignedIn').implement({
  description:
    '`token` is for API clients; a browser gets the same session as an HttpOnly cookie, and needs no other than that.',
  fields: (t) => ({
    session: t.field({ type: Session, description: 'The session that has begun.', resolve: ({ session }) => session }),
    token: t.exposeString('secret', {
      description: 'Secret of the session, shown this once; for `Authorization: Bearer`.',
    }),
    user: t.field({
      type: User,
      description: 'Who has signed in.',
      resolve: ({ user, requirement }) => ({ ...user, self: requirement !== 'VERIFY_TWO_FACTOR' }),
    }),
    requirement: t.field({
      type: ViewerRequirement,
      nullable: true,
      description: 'What must be done before anything else is allowed; null when nothing is.',
      resolve: ({ requirement }) => requirement,
    }),
  }),
});
