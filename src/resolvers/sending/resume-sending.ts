// Ends what the caller may end of the pauses of a server: what waits goes, and new mail is taken again.
import { lockServer, type ServerRow } from '#/db/servers.ts';
import { endPauses, listPauses, type SendingPauseRow } from '#/db/sending-pauses.ts';
import { Conflict, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { foremost, instructionsFor, mayResume } from '#/domain/sending-pause.ts';
import { command } from '../define.ts';
import { checkNote } from './note.ts';
import type { PauseRequest } from './pause-sending.ts';

interface Resumed {
  readonly server: ServerRow;
  readonly ended: readonly SendingPauseRow[];
}

export const resumeSending = command({
  permission: 'sending.write',
  errors: [NotFound, Conflict],
  announces: ['config', 'queue'],
  audit: ({ serverId, note }: PauseRequest, { ended }: Resumed) => ({
    action: 'sending.resume',
    subjectIds: [encodeId('server', serverId)],
    changes: {
      ended: ended.map(({ reason, pausedAt }) => ({ reason, since: pausedAt.toISOString() })),
      ...(note === null ? {} : { note }),
    },
  }),
  async run({ scope, caller, fail }, { serverId, note }): Promise<Resumed> {
    checkNote(note);
    const server = (await lockServer(scope, serverId)) ?? fail(new NotFound());
    const pauses = await listPauses(scope, [serverId]);
    const ended = pauses.filter(({ reason }) => mayResume(reason, caller.actor.kind === 'OPERATOR'));
    const first = foremost(pauses) ?? fail(new Conflict('Sending of this server is not paused.'));
    if (ended.length === 0) fail(new Conflict(`You cannot resume it (${first.reason}). ${instructionsFor(first)}`));
    await endPauses(
      scope,
      serverId,
      ended.map(({ id }) => id),
      note,
    );
    return { server, ended };
  },
});
