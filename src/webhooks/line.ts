// What one endpoint still has to get, as far as it is in memory: deliveries that are due again, and those that were just
// taken from the log or a replay. A little of it; the rest lies in the database and in the log.
import type { WebhookDeliveryRow } from '#/db/webhook-deliveries.ts';
import { listPending, type Position, skipTo } from '#/db/webhook-work.ts';
import type { WebhookRow } from '#/db/webhooks.ts';
import { bucketAt } from '#/domain/retention.ts';
import { readServerLog } from '#/events/log.ts';
import { LogSource } from './log-source.ts';
import { type CourierDeps, filterOf, type Job, type Stock, stockFrom } from './stock.ts';

const PENDING_PAGE = 200;
/** Deliveries on record ahead of the calls. */
const STOCK = 20;
/** How often an endpoint that gets nothing moves its cursor past events that are not for it. */
export const SKIP_MS = 5 * 60_000;

interface LineOptions {
  /** Something has come. */
  wake(): void;
  /** Another process has the endpoint. */
  lost(): void;
}

export class Line {
  readonly #deps: CourierDeps;
  readonly #options: LineOptions;
  readonly #stock: Stock;
  readonly #webhook: WebhookRow;
  readonly #source: LogSource;
  /** Ids of all that are in memory: in line, called, or not yet settled. It outlives the line, with the calls. */
  readonly #busy: Set<string>;
  #due: Job[] = [];
  #fresh: Job[] = [];
  #cursor: Position;
  /** When there may be something in the database that is due. */
  #dueAt = 0;
  #skipAt: number;
  #mayReplay = true;
  /** Events below this transaction go one after the other. */
  catchUpXact: number;

  constructor(deps: CourierDeps, webhook: WebhookRow, busy: Set<string>, options: LineOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#stock = stockFrom(deps);
    this.#webhook = webhook;
    this.#busy = busy;
    this.#cursor = { xact: webhook.cursorXact, id: webhook.cursorId };
    this.catchUpXact = webhook.catchUpXact;
    this.#skipAt = this.#now + SKIP_MS;
    const { accountId, serverId } = webhook;
    const { feed, clock, log } = deps;
    const filter = filterOf(webhook);
    this.#source = new LogSource({
      feed,
      clock,
      log,
      accountId,
      serverId,
      filter,
      after: this.#cursor,
      onEvent: options.wake,
    });
  }

  get catchingUp(): boolean {
    const below = ({ row }: Job) => row.logXact < this.catchUpXact && !row.replayed;
    return this.#cursor.xact < this.catchUpXact || this.#fresh.some(below);
  }

  /** When to look again though nothing wakes. */
  get nextAt(): number {
    return Math.min(this.#dueAt, this.#skipAt);
  }

  /** What is in line goes back to the database, where it never left. */
  close(): void {
    this.#source.close();
    for (const { row } of [...this.#due, ...this.#fresh]) this.#busy.delete(row.id);
    this.#due = [];
    this.#fresh = [];
  }

  async fillUp(window: number): Promise<void> {
    if (this.#due.length === 0 && this.#now >= this.#dueAt) await this.#loadDue();
    if (this.#now >= this.#skipAt || this.#mayHaveCaughtUp) await this.#skip();
    const room = Math.max(STOCK, 2 * window) - this.#fresh.length;
    if (room > 0 && this.#source.waiting > 0) await this.#takeLive(room);
    else if (room > 0 && this.#mayReplay && !this.catchingUp) await this.#takeReplay(room);
  }

  /** The next to be called; retries only where `mayRetry`, or where there is nothing else. */
  pick(mayRetry: boolean): Job | undefined {
    return (mayRetry ? this.#due.shift() : undefined) ?? this.#fresh.shift() ?? this.#due.shift();
  }

  putBack(job: Job): void {
    (job.row.attempts > 0 ? this.#due : this.#fresh).unshift(job);
  }

  /** Of all that waits the first in the log, due or not. */
  async oldest(): Promise<Job | undefined> {
    if (this.#due.length === 0) {
      const { rows } = await this.#readPending();
      this.#add(this.#due, await this.#stock.jobsOf(rows));
    }
    if (this.#due.length === 0 && this.#fresh.length === 0 && this.#source.waiting > 0) await this.#takeLive(1);
    const [oldest] = [...this.#due, ...this.#fresh].toSorted(byPosition);
    this.#fresh = this.#fresh.filter((job) => job !== oldest);
    for (const job of this.#due) if (job !== oldest) this.#busy.delete(job.row.id);
    this.#due = [];
    this.#dueAt = 0;
    return oldest;
  }

  /** One that was not tried yet. */
  async untried(): Promise<Job | undefined> {
    if (this.#fresh.length === 0 && this.#source.waiting > 0) await this.#takeLive(1);
    return this.#fresh.shift();
  }

  /** It has ended, or waits in the database until `nextAttemptAt`. */
  settled(id: string, nextAttemptAt: Date | null): void {
    this.#busy.delete(id);
    if (nextAttemptAt !== null) this.#dueAt = Math.min(this.#dueAt, nextAttemptAt.getTime());
  }

  get #now(): number {
    return this.#deps.clock.now().getTime();
  }

  /** The last of what was missed has been taken, unless the log has yet to say: what waits for the end must not wait for news. */
  get #mayHaveCaughtUp(): boolean {
    return this.#cursor.xact < this.catchUpXact && this.#fresh.length === 0 && this.#source.waiting === 0;
  }

  async #loadDue(): Promise<void> {
    try {
      await this.#readDue();
    } catch (error) {
      this.#dueAt = 0;
      throw error;
    }
  }

  async #readDue(): Promise<void> {
    const now = this.#now;
    // What is settled while the database is asked lowers it again.
    this.#dueAt = Infinity;
    const { rows, full } = await this.#readPending();
    const timeOf = ({ nextAttemptAt }: WebhookDeliveryRow) => nextAttemptAt?.getTime() ?? 0;
    const notYet = rows.find((row) => timeOf(row) > now);
    this.#dueAt = Math.min(this.#dueAt, notYet !== undefined ? timeOf(notYet) : full ? now : Infinity);
    this.#add(this.#due, await this.#stock.jobsOf(rows.filter((row) => timeOf(row) <= now)));
    this.#due.sort(byPosition);
  }

  /** But for those that are in memory already, also if they were settled while the database answered. */
  async #readPending(): Promise<{ readonly rows: readonly WebhookDeliveryRow[]; readonly full: boolean }> {
    const busy = new Set(this.#busy);
    const rows = await listPending(this.#deps.system.db, this.#webhook, PENDING_PAGE);
    return { rows: rows.filter(({ id }) => !busy.has(id)), full: rows.length === PENDING_PAGE };
  }

  #add(line: Job[], jobs: readonly Job[]): void {
    for (const { row } of jobs) this.#busy.add(row.id);
    line.push(...jobs);
  }

  async #takeLive(room: number): Promise<void> {
    const events = this.#source.peek(room);
    const jobs = await this.#stock.take(this.#webhook, events);
    if (jobs === null) return this.#options.lost();
    this.#source.drop(events.length);
    this.#cursor = events.at(-1)?.position ?? this.#cursor;
    this.#skipAt = this.#now + SKIP_MS;
    this.#add(this.#fresh, jobs);
  }

  async #takeReplay(room: number): Promise<void> {
    const taken = await this.#stock.takeReplay(this.#webhook, room);
    if (taken === null) return this.#options.lost();
    this.#mayReplay = taken.more;
    this.#add(this.#fresh, taken.jobs);
    // Another turn, should there be a replay after this one.
    if (taken.more) this.#options.wake();
  }

  async #skip(): Promise<void> {
    this.#skipAt = this.#now + SKIP_MS;
    if (this.#source.waiting > 0) return;
    const { system, owner, clock } = this.#deps;
    const reach = { accountId: this.#webhook.accountId, serverId: this.#webhook.serverId, streamId: null };
    const fromBucket = bucketAt(clock.now(), 0);
    const page = await readServerLog(system.db, reach, this.#cursor, filterOf(this.#webhook), 1, fromBucket);
    if (page.events.length > 0 || page.horizon.xact <= this.#cursor.xact) return;
    await skipTo(system, owner, this.#webhook, this.#cursor, page.horizon);
    this.#cursor = page.horizon;
  }
}

function byPosition(a: Job, b: Job): number {
  return a.row.logXact - b.row.logXact || (a.row.eventId < b.row.eventId ? -1 : 1);
}
