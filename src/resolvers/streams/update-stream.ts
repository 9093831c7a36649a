// Changes the settings of a stream. An absent field stays; null clears the description and gives the usual lifetime back,
// and is refused elsewhere.
import { type StreamRow, updateStream as updateRow } from '#/db/servers.ts';
import type { InDoubtPolicy } from '#/domain/delivery/states.ts';
import type { TlsPolicy } from '#/domain/delivery/tls.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import { InvalidInput, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { checkDescription, checkLifetime, checkName, MAX_STREAM_NAME } from '#/domain/streams.ts';
import { command } from '../define.ts';
import { findStreamToChange } from './find-stream-to-change.ts';

export interface UpdateStreamRequest {
  readonly id: string;
  readonly name?: string | null | undefined;
  readonly description?: string | null | undefined;
  readonly inDoubt?: InDoubtPolicy | null | undefined;
  readonly lifetimeMinutes?: number | null | undefined;
  readonly tlsPolicy?: TlsPolicy | null | undefined;
}

export const updateStream = command({
  permission: 'stream.write',
  errors: [InvalidInput, NotFound],
  announces: ['config'],
  audit: ({ id, ...changes }: UpdateStreamRequest) => ({
    action: 'stream.update',
    subjectIds: [encodeId('stream', id)],
    changes,
  }),
  async run({ scope, fail }, input): Promise<StreamRow> {
    const stream = (await findStreamToChange(scope, input.id)) ?? fail(new NotFound());
    const issues = collectIssues();
    for (const field of ['name', 'inDoubt', 'tlsPolicy'] as const) {
      if (input[field] === null) issues.add([field], 'cannot be null: leave it out to keep what it is');
    }
    const name = typeof input.name === 'string' ? checkName(input.name, MAX_STREAM_NAME, issues) : stream.name;
    if (typeof input.description === 'string') checkDescription(input.description, issues);
    if (typeof input.lifetimeMinutes === 'number') checkLifetime(stream.kind, input.lifetimeMinutes, issues);
    if (issues.found.length > 0) fail(new InvalidInput(issues.found));
    const { description = stream.description, lifetimeMinutes = stream.lifetimeMinutes } = input;
    const inDoubtPolicy = input.inDoubt ?? stream.inDoubtPolicy;
    const tlsPolicy = input.tlsPolicy ?? stream.tlsPolicy;
    const changes = { name, description, inDoubtPolicy, lifetimeMinutes, tlsPolicy };
    const changed = await updateRow(scope, stream.id, changes);
    return changed ?? fail(new NotFound());
  },
});
