// The live stream of inbound messages of one server, read from their table in the order of the log (log.ts): what was
// committed below the horizon, page by page. Each follower reads for itself; there are few, and mail comes seldom.
import { sql } from 'kysely';
import type { Database } from '#/db/client.ts';
import type { InboundMessageRow } from '#/db/inbound-messages.ts';
import { bucketAt } from '#/domain/retention.ts';
import type { Channel, Clock } from '#/runtime/ports.ts';
import type { LogPosition } from './catalogue.ts';
import { readHorizon } from './log.ts';

const PAGE = 100;
/** Looks by itself this often, should a wake-up be lost. */
const POLL_MS = 2_000;
/** What is committed waits for older transactions to end. */
const PENDING_MS = 20;

export interface InboundReach {
  readonly accountId: string;
  readonly serverId: string;
  readonly streamId: string | null;
}

interface Deps {
  readonly db: Database;
  readonly channel: Channel;
  readonly clock: Clock;
}

/** From now on. What was blocked is not among it until somebody lets it through. */
export async function followInbound(
  deps: Deps,
  reach: InboundReach,
): Promise<AsyncIterableIterator<InboundMessageRow>> {
  return new InboundFollower(deps, reach, await readHorizon(deps.db));
}

class InboundFollower implements AsyncIterableIterator<InboundMessageRow> {
  readonly #deps: Deps;
  readonly #reach: InboundReach;
  readonly #closing = new AbortController();
  readonly #stopListening: () => void;
  #position: LogPosition;
  #buffer: InboundMessageRow[] = [];
  #woken = Promise.withResolvers<void>();

  constructor(deps: Deps, reach: InboundReach, position: LogPosition) {
    this.#deps = deps;
    this.#reach = reach;
    this.#position = position;
    this.#stopListening = deps.channel.on('inbound', () => this.#woken.resolve());
  }

  async next(): Promise<IteratorResult<InboundMessageRow, undefined>> {
    while (!this.#closing.signal.aborted) {
      const message = this.#buffer.shift();
      if (message !== undefined) return { done: false, value: message };
      this.#woken = Promise.withResolvers<void>();
      const pending = await this.#read();
      if (this.#buffer.length > 0 || this.#closing.signal.aborted) continue;
      await this.#pause(pending ? PENDING_MS : POLL_MS);
    }
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<InboundMessageRow, undefined>> {
    this.#stopListening();
    this.#closing.abort();
    this.#woken.resolve();
    this.#buffer = [];
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<never> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #pause(ms: number): Promise<void> {
    const done = new AbortController();
    await Promise.race([this.#woken.promise, this.#deps.clock.sleep(ms, done.signal)]);
    done.abort();
  }

  /** Whether something lies at or above the horizon. */
  async #read(): Promise<boolean> {
    const { accountId, serverId, streamId } = this.#reach;
    const { xact, id } = this.#position;
    const horizon = await readHorizon(this.#deps.db);
    const ofStream = streamId === null ? sql`` : sql`and stream_id = ${streamId}::uuid`;
    const { rows } = await sql<InboundMessageRow>`
      select * from inbound_messages
      where server_id = ${serverId}::uuid and account_id = ${accountId}::uuid ${ofStream}
        and (log_xact, id) > (${xact}, ${id}::uuid) and bucket >= ${bucketAt(this.#deps.clock.now(), 0)}
      order by log_xact, id limit ${PAGE}`.execute(this.#deps.db);
    const complete = rows.filter(({ logXact }) => logXact < horizon.xact);
    const last = complete.at(-1);
    if (last !== undefined) this.#position = { xact: last.logXact, id: last.id };
    this.#buffer = complete.filter(({ status }) => status !== 'BLOCKED');
    return complete.length < rows.length || rows.length === PAGE;
  }
}
