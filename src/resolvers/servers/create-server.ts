// Makes a server with its three streams.
import { insertServer, type ServerRow } from '#/db/servers.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import type { LinkTracking } from '#/domain/email/types.ts';
import { Conflict, InvalidInput, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { DEFAULT_COLOR, type DeliveryType, MAX_SERVER_NAME, type ServerColor } from '#/domain/servers.ts';
import { checkName } from '#/domain/streams.ts';
import { command } from '../define.ts';
import { insertDefaultStreams } from './default-streams.ts';

export interface CreateServerRequest {
  readonly accountId: string;
  readonly name: string;
  readonly color: ServerColor | null;
  readonly deliveryType: DeliveryType | null;
  readonly trackOpens: boolean | null;
  readonly trackLinks: LinkTracking | null;
}

export const createServer = command({
  permission: 'server.create',
  errors: [InvalidInput, Conflict, NotFound],
  announces: ['config'],
  audit: (_input: CreateServerRequest, server: ServerRow) => ({
    action: 'server.create',
    subjectIds: [encodeId('server', server.id)],
    changes: { name: server.name, color: server.color, deliveryType: server.deliveryType },
  }),
  async run({ scope, inside, fail }, input) {
    if (input.accountId !== scope.accountId) fail(new NotFound());
    const issues = collectIssues();
    const name = checkName(input.name, MAX_SERVER_NAME, issues);
    if (issues.found.length > 0) fail(new InvalidInput(issues.found));
    const server: ServerRow = {
      accountId: scope.accountId,
      id: inside.ids.next(),
      name,
      color: input.color ?? DEFAULT_COLOR,
      deliveryType: input.deliveryType ?? 'LIVE',
      trackOpens: input.trackOpens ?? false,
      trackLinks: input.trackLinks ?? 'NONE',
      createdAt: scope.now,
      deletedAt: null,
      domainsLimited: false,
    };
    if (!(await insertServer(scope, server))) fail(new Conflict(`The account has a server named "${name}" already.`));
    await insertDefaultStreams(scope, inside.ids, server.id);
    return server;
  },
});
