// Ends one of one's own sessions, wherever it is used.
import { deleteSession, type SessionRow } from '#/db/sessions.ts';
import { NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { personalCommand } from '../define-personal.ts';

export const revokeSession = personalCommand({
  state: 'SIGNED_IN',
  errors: [NotFound],
  announces: ['people'],
  audit: ({ id }: { readonly id: string }, _session: SessionRow) => ({
    action: 'session.revoke',
    subjectIds: [encodeId('session', id)],
  }),
  run: async ({ scope, person, fail }, { id }) =>
    (await deleteSession(scope, person.userId, id)) ?? fail(new NotFound()),
  async afterwards({ visitor, person }, { id }) {
    if (person.byCookie && person.session.id === id) visitor.cookies?.endSession();
  },
});
