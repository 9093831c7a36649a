// Counts the log into counters by hour and day, each row of it exactly once: what a batch adds and how far it has come are
// committed together. One process at a time does so for the whole installation; a batch whose process dies never was.
import {
  addCounts,
  type CounterRow,
  type CounterSource,
  findCountedTags,
  moveCounterCursor,
  readCounterCursor,
  type TagOfDay,
  takeInTags,
  tryToCount,
} from '#/db/counters.ts';
import { type SystemScope, type SystemWriteScope, writeInSystemScope } from '#/db/scope.ts';
import { ALL_TAGS, MAX_COUNTED_TAG, OTHER_TAGS, startOfDay } from '#/domain/statistics.ts';
import { type CountedGroup, nextStretch, readStretch } from '#/events/log-counts.ts';
import type { Channel, Clock, Ids, Log } from '#/runtime/ports.ts';

/** Rows of the log of one batch. */
const BATCH = { least: 200, most: 2_000 } as const;
/**
 * What these come to, roughly: from the first counter that is written on, the transaction holds up the horizon of the log,
 * and so everybody who follows it; some hundred counters take some milliseconds. Where many servers and tags are busy at
 * once batches are smaller.
 */
const MAX_GROUPS = 400;
/** Counters need not be younger than this, and what comes in one second makes one batch. */
const EVERY_MS = 1_000;
/** Looks by itself this often, should a wake-up be lost. */
const POLL_MS = 10_000;
/** So long after its last batch the others leave the counting to whoever made it. */
const HOLD_MS = 15_000;
const sources: readonly CounterSource[] = ['events', 'inbound'];

interface Deps {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly channel: Channel;
  readonly ids: Ids;
  readonly log: Log;
}

export function startCounting({ system, clock, channel, ids, log }: Deps): AsyncDisposable {
  const stopping = new AbortController();
  const counter = { holder: ids.next(), signal: stopping.signal, rows: BATCH.most };
  let woken = Promise.withResolvers<void>();
  const wake = () => woken.resolve();
  const stopListening = [channel.on('events', wake), channel.on('inbound', wake)];
  const running = (async () => {
    while (!stopping.signal.aborted) {
      woken = Promise.withResolvers<void>();
      await countNew({ system, clock }, counter).catch((error: unknown) =>
        log.error({ error }, 'the log could not be counted; trying again'),
      );
      await clock.sleep(EVERY_MS, stopping.signal);
      const over = new AbortController();
      await Promise.race([woken.promise, clock.sleep(POLL_MS, AbortSignal.any([stopping.signal, over.signal]))]);
      over.abort();
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      for (const stop of stopListening) stop();
      stopping.abort();
      wake();
      await running;
    },
  };
}

interface Counter {
  /** Null: whoever asks counts out of turn, and leaves it to the others afterwards. */
  readonly holder: string | null;
  readonly signal?: AbortSignal;
  /** Of the next batch: what the last ones came to tells. */
  rows?: number;
}

/** All that is below the horizon, batch by batch. How many rows it was. */
export async function countNew(deps: Pick<Deps, 'system' | 'clock'>, counter: Counter): Promise<number> {
  let counted = 0;
  for (const source of sources) {
    for (let more = true; more && counter.signal?.aborted !== true; ) {
      const rows = counter.rows ?? BATCH.most;
      const batch = await countBatch(deps, source, counter.holder, rows);
      const next = batch.groups > MAX_GROUPS ? rows / 2 : rows * 2;
      if (batch.rows > 0) counter.rows = Math.max(BATCH.least, Math.min(Math.floor(next), BATCH.most));
      counted += batch.rows;
      ({ more } = batch);
    }
  }
  return counted;
}

interface Batch {
  readonly rows: number;
  readonly groups: number;
  readonly more: boolean;
}

const NOTHING: Batch = { rows: 0, groups: 0, more: false };

/** Reads first: the transaction has no id, and holds up nobody's view of the log, before there is something to write. */
export function countBatch(
  { system, clock }: Pick<Deps, 'system' | 'clock'>,
  source: CounterSource,
  holder: string | null,
  most: number = BATCH.most,
): Promise<Batch> {
  return writeInSystemScope(system, clock.now(), async (scope) => {
    const cursor = await readCounterCursor(scope, source);
    const isOthers = cursor.holder !== holder && cursor.heldUntil !== null && cursor.heldUntil > scope.now;
    if ((holder !== null && isOthers) || !(await tryToCount(scope))) return NOTHING;
    const from = await readCounterCursor(scope, source);
    const stretch = await nextStretch(scope, from, most);
    if (stretch === null) return NOTHING;
    const groups = await readStretch(scope, from, stretch);
    const own = await tagsOfTheirOwn(scope, groups);
    await addCounts(scope, 'counters_by_day', rowsOf(groups, own, 'day'));
    await addCounts(scope, 'counters_by_hour', rowsOf(groups, own, 'hour'));
    const heldUntil = holder === null ? null : new Date(scope.now.getTime() + HOLD_MS);
    await moveCounterCursor(scope, from, { ...stretch.through, holder, heldUntil });
    return { rows: stretch.rows, groups: groups.length, more: stretch.more };
  });
}

/** Tags that have, or now get, counters of their own on their day; the most frequent of the batch first. */
async function tagsOfTheirOwn(scope: SystemWriteScope, groups: readonly CountedGroup[]): Promise<ReadonlySet<string>> {
  const wanted = new Map<string, TagOfDay & { count: number }>();
  for (const { tag, hour, accountId, serverId, count } of groups) {
    if (tag === null || tag === ALL_TAGS || tag.length > MAX_COUNTED_TAG || tag === OTHER_TAGS) continue;
    const known = wanted.get(keyOf({ serverId, tag, startsAt: startOfDay(hour) }));
    if (known !== undefined) known.count += count;
    else {
      const ofDay = { accountId, serverId, tag, startsAt: startOfDay(hour), count };
      wanted.set(keyOf(ofDay), ofDay);
    }
  }
  const own = new Set((await findCountedTags(scope, [...wanted.values()])).map(keyOf));
  const unknown = [...wanted.values()].filter((tag) => !own.has(keyOf(tag)));
  const takenIn = await takeInTags(
    scope,
    unknown.toSorted((a, b) => b.count - a.count || (a.tag < b.tag ? -1 : 1)),
  );
  for (const tag of takenIn) own.add(keyOf(tag));
  return own;
}

function keyOf({ serverId, startsAt, tag }: Pick<TagOfDay, 'serverId' | 'startsAt' | 'tag'>): string {
  return `${serverId} ${startsAt.getTime()} ${tag}`;
}

/** Each group counts for all and, with a tag, once more under that. In the order of their key: who writes waits in no circle. */
function rowsOf(groups: readonly CountedGroup[], own: ReadonlySet<string>, unit: 'hour' | 'day'): CounterRow[] {
  const rows = new Map<string, { -readonly [K in keyof CounterRow]: CounterRow[K] }>();
  for (const { hour, tag, count, ...group } of groups) {
    const day = startOfDay(hour);
    const startsAt = unit === 'day' ? day : hour;
    const tags = [ALL_TAGS];
    if (tag !== null && tag !== ALL_TAGS)
      tags.push(own.has(keyOf({ serverId: group.serverId, startsAt: day, tag })) ? tag : OTHER_TAGS);
    for (const counted of tags) {
      const { serverId, streamId, metric, bucket } = group;
      const key = [serverId, counted, startsAt.getTime(), streamId, metric, bucket].join(' ');
      const row = rows.get(key);
      if (row !== undefined) row.count += count;
      else rows.set(key, { ...group, tag: counted, startsAt, count });
    }
  }
  return [...rows].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}
