// Ends all of one's own sessions but the one that asks.
import { deleteSessions } from '#/db/sessions.ts';
import { encodeId } from '#/domain/ids.ts';
import { personalCommand } from '../define-personal.ts';

interface Ended {
  /** Of the session that asks. */
  readonly kept: string;
  readonly ended: number;
}

export const revokeOtherSessions = personalCommand({
  state: 'SIGNED_IN',
  errors: [],
  announces: ['people'],
  audit: (_input: null, { kept, ended }: Ended) => ({
    action: 'session.revokeOthers',
    subjectIds: [encodeId('session', kept)],
    changes: { ended },
  }),
  async run({ scope, person: { userId, session } }) {
    return { kept: session.id, ended: await deleteSessions(scope, userId, session.id) };
  },
});
