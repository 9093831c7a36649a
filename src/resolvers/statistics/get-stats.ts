// What happened on a server in a range of time, as it was counted.
import { readCounts } from '#/db/counters.ts';
import type { ReadScope } from '#/db/scope.ts';
import { findServer, listStreams } from '#/db/servers.ts';
import { BadUserInput, NotFound } from '#/domain/errors.ts';
import {
  type Counts,
  firstHourKept,
  HOURS_KEPT_DAYS,
  MAX_STATS_DAYS,
  startsIn,
  type StatsInterval,
  wholeRange,
} from '#/domain/statistics.ts';
import { query } from '../define.ts';
import { checkFilterText } from '../filter-text.ts';

export interface StatsRequest {
  readonly serverId: string;
  readonly from: Date;
  readonly to: Date;
  readonly interval: StatsInterval;
  /** Slug. */
  readonly stream: string | null;
  readonly tag: string | null;
}

export interface CountedBucket {
  readonly start: Date;
  readonly counts: Counts;
}

const units = { HOUR: 'hour', DAY: 'day', WEEK: 'week', MONTH: 'month', TOTAL: null } as const;

export const getStats = query({
  permission: 'stats.read',
  errors: [NotFound],
  async run({ scope, deps, fail }, request: StatsRequest): Promise<readonly CountedBucket[]> {
    const { serverId, interval, tag } = request;
    if ((await findServer(scope, serverId)) === undefined) fail(new NotFound());
    const now = deps.clock.now();
    checkRange(request, now);
    const range = wholeRange(interval, request.from, request.to, now);
    const streamId = await streamIdOf(scope, request);
    // An empty tag is no tag, as it is on messages.
    const counted = await readCounts(scope, {
      ...range,
      serverId,
      streamId,
      tag: checkFilterText('tag', tag) || null,
      by: units[interval],
    });
    return startsIn(interval, range.from, range.to).map((start) => ({
      start,
      counts: counted.get(start.getTime()) ?? NOTHING,
    }));
  },
});

const NOTHING: Counts = new Map();

function checkRange({ from, to, interval }: StatsRequest, now: Date): void {
  if (to <= from) throw new BadUserInput('to: is not after from.');
  const most = MAX_STATS_DAYS[interval];
  if (to.getTime() - from.getTime() > most * 86_400_000)
    throw new BadUserInput(`to: is more than ${most} days after from, which is the most for ${interval}.`);
  if (interval === 'HOUR' && from < firstHourKept(now))
    throw new BadUserInput(`from: hours are kept for ${HOURS_KEPT_DAYS} days. Ask for days.`);
}

async function streamIdOf(scope: ReadScope, { serverId, stream }: StatsRequest): Promise<string | null> {
  if (stream === null) return null;
  const found = (await listStreams(scope, [serverId])).find(({ slug }) => slug === stream);
  if (found === undefined) throw new BadUserInput(`stream: there is no stream "${stream}" on this server.`);
  return found.id;
}
