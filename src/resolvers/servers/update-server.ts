// Changes the settings of a server. An absent field stays; null is refused but for the domains, where it lifts the limit.
import { findDomains, setServerDomains } from '#/db/domains.ts';
import { lockServer, type ServerRow, updateServer as updateRow } from '#/db/servers.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import type { LinkTracking } from '#/domain/email/types.ts';
import { Conflict, InvalidInput, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { MAX_DOMAINS } from '#/domain/sender-identity/rules.ts';
import { MAX_SERVER_NAME, type ServerColor } from '#/domain/servers.ts';
import { checkName } from '#/domain/streams.ts';
import { command } from '../define.ts';

export interface UpdateServerRequest {
  readonly id: string;
  readonly name?: string | null | undefined;
  readonly color?: ServerColor | null | undefined;
  readonly trackOpens?: boolean | null | undefined;
  readonly trackLinks?: LinkTracking | null | undefined;
  /** UUIDs; null: all domains and signatures of the account. */
  readonly domainIds?: readonly string[] | null | undefined;
}

interface Changes {
  name?: string;
  color?: ServerColor;
  trackOpens?: boolean;
  trackLinks?: LinkTracking;
  domainsLimited?: boolean;
}

export const updateServer = command({
  permission: 'server.update',
  errors: [InvalidInput, Conflict, NotFound],
  announces: ['config'],
  audit: ({ id, domainIds, ...changes }: UpdateServerRequest) => ({
    action: 'server.update',
    subjectIds: [encodeId('server', id)],
    changes:
      domainIds === undefined
        ? changes
        : { ...changes, domainIds: domainIds?.map((domainId) => encodeId('domain', domainId)) ?? null },
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
    if (input.domainIds?.length === 0) issues.add(['domainIds'], 'is empty: name domains, or give null for all');
    if ((input.domainIds?.length ?? 0) > MAX_DOMAINS) issues.add(['domainIds'], `has more than ${MAX_DOMAINS} entries`);
    if (issues.found.length > 0) fail(new InvalidInput(issues.found));
    if (input.domainIds !== undefined) {
      const domainIds = input.domainIds === null ? null : [...new Set(input.domainIds)];
      const known = await findDomains(scope, domainIds ?? []);
      if (known.length !== (domainIds?.length ?? 0)) fail(new NotFound());
      await setServerDomains(scope, input.id, domainIds);
      changes.domainsLimited = domainIds !== null;
    }
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
