// Pauses sending of a server by hand. What is queued waits, what is sent meanwhile is refused; both until it is resumed.
import { findAccount } from '#/db/accounts.ts';
import { lockServer, type ServerRow } from '#/db/servers.ts';
import { insertPause, listPauses } from '#/db/sending-pauses.ts';
import { NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';
import { checkNote } from './note.ts';
import { tellOfPause } from './tell-of-pause.ts';

export interface PauseRequest {
  readonly serverId: string;
  readonly note: string | null;
}

interface Paused {
  readonly server: ServerRow;
  readonly reason: 'MANUAL' | 'OPERATOR';
  /** It was paused for this reason before. */
  readonly already: boolean;
  readonly accountName: string;
}

export const pauseSending = command({
  permission: 'sending.write',
  errors: [NotFound],
  announces: ['config'],
  audit: ({ serverId, note }: PauseRequest, { reason, already }: Paused) => ({
    action: 'sending.pause',
    subjectIds: [encodeId('server', serverId)],
    changes: already ? {} : { reason, ...(note === null ? {} : { note }) },
  }),
  async run({ scope, inside, caller, fail }, { serverId, note }): Promise<Paused> {
    checkNote(note);
    const server = (await lockServer(scope, serverId)) ?? fail(new NotFound());
    const reason = caller.actor.kind === 'OPERATOR' ? 'OPERATOR' : 'MANUAL';
    const pauses = await listPauses(scope, [serverId]);
    const already = pauses.some((pause) => pause.reason === reason && pause.streamId === null);
    if (!already)
      await insertPause(scope, { id: inside.ids.next(), serverId, streamId: null, reason, note, evidence: {} });
    const account = (await findAccount(scope)) ?? fail(new NotFound());
    return { server, reason, already, accountName: account.name };
  },
  async afterwards({ deps, caller }, { note }, { server, reason, already, accountName }) {
    if (!already) await tellOfPause(deps, server, { reason, note, by: caller.actor.label, accountName });
  },
});
