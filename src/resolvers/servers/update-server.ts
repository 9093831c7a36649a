// Changes the settings of a server. An absent field stays; none of them can be empty, so null is refused.
import { lockServer, type ServerRow, updateServer as updateRow } from '#/db/servers.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import type { LinkTracking } from '#/domain/email/types.ts';
import { Conflict, InvalidInput, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { MAX_SERVER_NAME, type ServerColor } from '#/domain/servers.ts';
import { checkName } from '#/domain/streams.ts';
import { command } from '../define.ts';

export interface UpdateServerRequest {
  readonly id: string;
  readonly name?: string | null | undefined;
  readonly color?: ServerColor | null | undefined;
  readonly trackOpens?: boolean | null | undefined;
  readonly trackLinks?: LinkTracking | null | undefined;
}

interface Changes {
  name?: string;
  color?: ServerColor;
  trackOpens?: boolean;
  trackLinks?: LinkTracking;
}

export const updateServer = command({
  permission: 'server.update',
  errors: [InvalidInput, Conflict, NotFound],
  announces: ['config'],
  audit: ({ id, ...changes }: UpdateServerRequest) => ({
    action: 'server.update',
    subjectIds: [encodeId('server', id)],
    changes,
  }),
  async run({ scope, fail }, input): Promise<ServerRow> {
    const server = await lockServer(scope, input.id);
    if (server === undefined) return fail(new NotFound());
    const issues = collectIssues();
    const changes: Changes = {};
    for (const field of ['name', 'color', 'trackOpens', 'trackLinks'] as const) {
      if (input[field] === null) issues.add([field], 'cannot be null: leave it out to keep what it is');
    }
    if (typeof input.name === 'string') changes.name = checkName(input.name, MAX_SERVER_NAME, issues);
    if (issues.found.length > 0) fail(new InvalidInput(issues.found));
    if (input.color) changes.color = input.color;
    if (typeof input.trackOpens === 'boolean') changes.trackOpens = input.trackOpens;
    if (input.trackLinks) changes.trackLinks = input.trackLinks;
    if (Object.keys(changes).length === 0) return server;
    try {
      return (await updateRow(scope, input.id, changes)) ?? fail(new NotFound());
    } catch (error) {
      if (isTaken(error)) fail(new Conflict(`The account has a server named "${changes.name}" already.`));
      throw error;
    }
  },
});

/** PostgreSQL's unique_violation, of the one unique key that an update can touch. */
function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '23505';
}
