// Ends the session that asks. Nobody who is signed out already is told so: it is as they want it.
import { deleteSession } from '#/db/sessions.ts';
import { encodeId } from '#/domain/ids.ts';
import { auditPerson, logPerson, openCommand } from '../define-personal.ts';

export const signOut = openCommand({
  errors: [],
  async run({ deps, visitor, transaction }): Promise<true> {
    const { person, cookies } = visitor;
    // A program's session is none of the browser's business.
    if (person === null || person.byCookie) cookies?.endSession();
    if (person === null) return true;
    const { userId, email, session } = person;
    const identity = { userId, email, sessionId: session.id };
    const record = { action: 'session.end', subjectIds: [encodeId('session', session.id)] };
    const ended = await transaction(async (scope) => {
      const deleted = await deleteSession(scope, userId, session.id);
      if (deleted !== undefined) await auditPerson(scope, deps.ids, identity, visitor, record);
      return deleted !== undefined;
    });
    if (ended) logPerson(deps, identity, visitor, record);
    deps.channel.nudge('people');
    return true;
  },
});
