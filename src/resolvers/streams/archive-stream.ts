// Archives a stream: nothing is sent on it any more, and after PURGE_DAYS it is removed for good.
import { setStreamArchived, type StreamRow } from '#/db/servers.ts';
import { Conflict, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { mayBeArchived, PURGE_DAYS } from '#/domain/streams.ts';
import { command } from '../define.ts';
import { findStreamToChange } from './find-stream-to-change.ts';

export const archiveStream = command({
  permission: 'stream.write',
  errors: [NotFound, Conflict],
  announces: ['config'],
  audit: (_input: { readonly id: string }, stream: StreamRow) => ({
    action: 'stream.archive',
    subjectIds: [encodeId('stream', stream.id)],
    changes: { slug: stream.slug, purgeAt: stream.purgeAt },
  }),
  async run({ scope, fail }, { id }) {
    const stream = (await findStreamToChange(scope, id)) ?? fail(new NotFound());
    if (!mayBeArchived(stream.slug)) fail(new Conflict(`The stream "${stream.slug}" cannot be archived.`));
    if (stream.archivedAt !== null) fail(new Conflict(`The stream "${stream.slug}" is archived already.`));
    const purgeAt = new Date(scope.now.getTime() + PURGE_DAYS * 86_400_000);
    return (await setStreamArchived(scope, id, { archivedAt: scope.now, purgeAt })) ?? fail(new NotFound());
  },
});
