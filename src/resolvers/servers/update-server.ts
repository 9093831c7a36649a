// Changes the settings of a server. An absent field stays; null is refused but for the domains, where it lifts the limit.
import { findDomains, listServerDomains, setServerDomains } from '#/db/domains.ts';
import type { WriteScope } from '#/db/scope.ts';
import { lockServer, type ServerRow, updateServer as updateRow } from '#/db/servers.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import type { LinkTracking } from '#/domain/email/types.ts';
import { Conflict, InvalidInput, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { MAX_DOMAINS } from '#/domain/sender-identity/rules.ts';
import { MAX_SERVER_NAME, type ServerColor } from '#/domain/servers.ts';
import { checkName } from '#/domain/streams.ts';
import { beforeAndAfter, type Changed } from '../audit/before-and-after.ts';
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

type Settings = Pick<ServerRow, 'name' | 'color' | 'trackOpens' | 'trackLinks'>;

interface UpdatedServer {
  readonly server: ServerRow;
  readonly changed: Changed;
}

export const updateServer = command({
  permission: 'server.update',
  errors: [InvalidInput, Conflict, NotFound],
  announces: ['config'],
  audit: ({ id }: UpdateServerRequest, { changed }: UpdatedServer) => ({
    action: 'server.update',
    subjectIds: [encodeId('server', id)],
    changes: changed,
  }),
  async run({ scope, fail }, input): Promise<UpdatedServer> {
    const server = (await lockServer(scope, input.id)) ?? fail(new NotFound());
    const settings = checked(input);
    const domains = input.domainIds === undefined ? {} : await limitDomains(scope, server, input.domainIds);
    const changed = { ...beforeAndAfter<Settings>(server, settings), ...domains };
    if (Object.keys(changed).length === 0) return { server, changed };
    const limited = input.domainIds === undefined ? {} : { domainsLimited: input.domainIds !== null };
    try {
      const updated = await updateRow(scope, server.id, { ...settings, ...limited });
      return { server: updated ?? fail(new NotFound()), changed };
    } catch (error) {
      if (isTaken(error)) fail(new Conflict(`The account has a server named "${settings.name}" already.`));
      throw error;
    }
  },
});

function checked(input: UpdateServerRequest): Partial<Settings> {
  const issues = collectIssues();
  for (const field of ['name', 'color', 'trackOpens', 'trackLinks'] as const) {
    if (input[field] === null) issues.add([field], 'cannot be null: leave it out to keep what it is');
  }
  const { name, color, trackOpens, trackLinks, domainIds } = input;
  if (domainIds?.length === 0) issues.add(['domainIds'], 'is empty: name domains, or give null for all');
  if ((domainIds?.length ?? 0) > MAX_DOMAINS) issues.add(['domainIds'], `has more than ${MAX_DOMAINS} entries`);
  const settings = {
    ...(typeof name === 'string' ? { name: checkName(name, MAX_SERVER_NAME, issues) } : {}),
    ...(color == null ? {} : { color }),
    ...(trackOpens == null ? {} : { trackOpens }),
    ...(trackLinks == null ? {} : { trackLinks }),
  };
  if (issues.found.length > 0) throw new InvalidInput(issues.found);
  return settings;
}

/** Answers what has changed. Null: all domains and signatures of the account. */
async function limitDomains(scope: WriteScope, server: ServerRow, asked: readonly string[] | null): Promise<Changed> {
  const domainIds = asked === null ? null : [...new Set(asked)];
  const known = await findDomains(scope, domainIds ?? []);
  if (known.length !== (domainIds?.length ?? 0)) throw new NotFound();
  const before = (await listServerDomains(scope, [server.id])).map(({ id }) => id);
  await setServerDomains(scope, server.id, domainIds);
  return beforeAndAfter(
    { domainIds: server.domainsLimited ? publicIds(before) : null },
    { domainIds: domainIds === null ? null : publicIds(domainIds) },
  );
}

function publicIds(domainIds: readonly string[]): string[] {
  return domainIds.map((id) => encodeId('domain', id)).sort();
}

/** PostgreSQL's unique_violation, of the one unique key that an update can touch. */
function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '23505';
}
