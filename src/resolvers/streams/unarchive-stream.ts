// Brings an archived stream back, until its purge.
import { setStreamArchived, type StreamRow } from '#/db/servers.ts';
import { Conflict, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';
import { findStreamToChange } from './find-stream-to-change.ts';

export const unarchiveStream = command({
  permission: 'stream.write',
  errors: [NotFound, Conflict],
  announces: ['config'],
  audit: (_input: { readonly id: string }, stream: StreamRow) => ({
    action: 'stream.unarchive',
    subjectIds: [encodeId('stream', stream.id)],
    changes: { slug: stream.slug },
  }),
  async run({ scope, fail }, { id }) {
    const stream = (await findStreamToChange(scope, id)) ?? fail(new NotFound());
    if (stream.archivedAt === null) fail(new Conflict(`The stream "${stream.slug}" is not archived.`));
    if (stream.purgeAt !== null && stream.purgeAt <= scope.now)
      fail(new Conflict(`The stream "${stream.slug}" is being purged.`));
    return (await setStreamArchived(scope, id, { archivedAt: null, purgeAt: null })) ?? fail(new NotFound());
  },
});
