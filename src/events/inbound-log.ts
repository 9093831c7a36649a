// The live stream of inbound messages of one server, read from their table in the order of the log (log.ts): what was
// committed below the horizon, page by page. Each follower reads for itself; there are few, and mail comes seldom.
import { sql } from 'kysely';
import type { Database } from '#/db/client.ts';
import type { InboundMessageRow } from '#/db/inbound-messages.ts';
import { bucketAt } from '#/domain/retention.ts';
import type { LogPosition } from './catalogue.ts';
import type { LiveSource } from './live-source.ts';
import { readHorizon } from './log.ts';
import { type TableDeps, TableFollower, type TablePage } from './table-follower.ts';

const PAGE = 100;

export interface InboundReach {
  readonly accountId: string;
  readonly serverId: string;
  readonly streamId: string | null;
}

interface Deps extends TableDeps {
  readonly db: Database;
}

/** From now on. What was blocked is not among it until somebody lets it through. */
export async function followInbound(deps: Deps, reach: InboundReach): Promise<LiveSource<InboundMessageRow>> {
  let position = await readHorizon(deps.db);
  return new TableFollower(deps, 'inbound', async () => {
    const { rows, last, pending } = await readAfter(deps, reach, position);
    position = last;
    return { items: rows.filter(({ status }) => status !== 'BLOCKED'), pending };
  });
}

async function readAfter({ db, clock }: Deps, reach: InboundReach, after: LogPosition): Promise<Read> {
  const { accountId, serverId, streamId } = reach;
  const horizon = await readHorizon(db);
  const ofStream = streamId === null ? sql`` : sql`and stream_id = ${streamId}::uuid`;
  const { rows } = await sql<InboundMessageRow>`
    select * from inbound_messages
    where server_id = ${serverId}::uuid and account_id = ${accountId}::uuid ${ofStream}
      and (log_xact, id) > (${after.xact}, ${after.id}::uuid) and bucket >= ${bucketAt(clock.now(), 0)}
    order by log_xact, id limit ${PAGE}`.execute(db);
  const complete = rows.filter(({ logXact }) => logXact < horizon.xact);
  const last = complete.at(-1);
  return {
    rows: complete,
    last: last === undefined ? after : { xact: last.logXact, id: last.id },
    // Something lies at or above the horizon, or in the next page.
    pending: complete.length < rows.length || rows.length === PAGE,
  };
}

interface Read extends Pick<TablePage<never>, 'pending'> {
  readonly rows: readonly InboundMessageRow[];
  readonly last: LogPosition;
}
