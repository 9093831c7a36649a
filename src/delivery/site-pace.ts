// The pace at which this worker sends to one site: its share of what all workers may, and whom it lets in within that.
// What is not let in goes back to the queue with a time at which there will probably be room, so that it holds up nobody;
// each account has a calendar of its own there, so that somebody with few need not wait behind somebody with many.
import { type Measure, type Pace, paceOf } from '#/domain/delivery/measures.ts';
import type { Site } from '#/domain/delivery/sites.ts';
import type { Clock, Random } from '#/runtime/ports.ts';

/** What a pool asks before it opens a connection, and tells when one has ended. */
export interface Gate {
  /** False: not now. True counts as open until `closed`. */
  open(): boolean;
  closed(): void;
  /** More are open than may be: the next that has nothing to finish should end. */
  readonly crowded: boolean;
  readonly messagesPerConnection: number;
}

/** The operator's own relay is not shaped. */
export function fixedGate(connections: number, messagesPerConnection: number): Gate {
  let open = 0;
  return {
    open: () => open < connections && ++open > 0,
    closed: () => void open--,
    crowded: false,
    messagesPerConnection,
  };
}

/** In line for a connection: enough that it never waits for us, few enough that nobody waits long behind them. */
const LINE_PER_CONNECTION = 10;
/** Seconds of its pace that may be sent at once after a pause. */
const BURST_S = 2;
/** Of what may be sent at once, so much is kept for accounts that have nothing waiting. */
const RESERVE = 1 / 3;
/** One account may hold so many times the room that is left (engine.ts tells the same of the worker). */
const SHARE_OF_FREE = 2;
/** Another worker may have the connections: soon. */
const ELSEWHERE_MS = { least: 1_000, spread: 2_000 } as const;
/** Nothing is put back for longer in the hope of room: the pace may change. */
const LONGEST_WAIT_MS = 15 * 60_000;
/** What comes back after a suspension comes back one after the other. */
const SPREAD_AFTER_SUSPENSION_MS = 60_000;

export class SitePace implements Gate {
  site: Site;
  /** The addresses of ours that it is kept for. */
  readonly source: string;
  readonly #clock: Clock;
  readonly #random: Random;
  #measures: readonly Measure[] = [];
  #permits: { readonly count: number; readonly until: number } | null = null;
  #sending = { tokens: 0, at: 0 };
  #opening = { tokens: 0, at: 0 };
  readonly #held = new Map<string, number>();
  readonly #calendars = new Map<string, number>();
  #load = 0;
  #open = 0;
  /** Messages a second that were finished of late, while there were more; nothing is known at first. */
  #drain: number;
  #finishedAt = 0;
  lastUsedAt: number;

  constructor(site: Site, deps: { readonly clock: Clock; readonly random: Random; readonly source: string }) {
    this.site = site;
    this.source = deps.source;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#drain = site.limits.messagesPerSecond;
    this.lastUsedAt = deps.clock.monotonic();
    const long = { tokens: Number.MAX_SAFE_INTEGER, at: this.lastUsedAt };
    this.#sending = { ...long };
    this.#opening = { ...long };
  }

  /** Recipients let in and not yet done. */
  get load(): number {
    return this.#load;
  }

  get opened(): number {
    return this.#open;
  }

  /** Null: never asked. */
  get permits(): number | null {
    return this.#permits?.count ?? null;
  }

  set measures(measures: readonly Measure[]) {
    this.#measures = measures;
  }

  get measures(): readonly Measure[] {
    return this.#measures;
  }

  grant(count: number, untilMonotonic: number): void {
    this.#permits = { count, until: untilMonotonic };
  }

  /** Of the whole site. */
  pace(accountId: string | null = null): Pace {
    return paceOf(this.site.limits, this.#measures, accountId, this.#clock.now());
  }

  /** Null: let in, to be followed by `done`; else when to come again. */
  admit(accountId: string): Date | null {
    this.lastUsedAt = this.#clock.monotonic();
    const { suspendedUntil } = this.pace(accountId);
    if (suspendedUntil !== null) return this.#later(suspendedUntil.getTime(), SPREAD_AFTER_SUSPENSION_MS);
    const share = this.#share();
    if (share === 0) return this.#later(this.#clock.now().getTime() + ELSEWHERE_MS.least, ELSEWHERE_MS.spread);
    const free = this.#mayOpen() * LINE_PER_CONNECTION - this.#load;
    const mine = this.#held.get(accountId) ?? 0;
    if (free <= 0 || (mine > 0 && mine >= SHARE_OF_FREE * free)) return this.#appoint(accountId);
    const perSecond = this.pace().messagesPerSecond * share;
    const burst = Math.max(1, perSecond * BURST_S);
    const kept = this.#isWaiting(accountId) && burst >= 2 ? burst * RESERVE : 0;
    if (!take(this.#sending, this.#clock.monotonic(), perSecond, burst, kept)) return this.#appoint(accountId);
    this.#load++;
    this.#held.set(accountId, mine + 1);
    return null;
  }

  done(accountId: string): void {
    this.#load--;
    const left = (this.#held.get(accountId) ?? 0) - 1;
    if (left > 0) this.#held.set(accountId, left);
    else this.#held.delete(accountId);
    const now = this.#clock.monotonic();
    const gap = Math.max(1, now - this.#finishedAt);
    this.#finishedAt = now;
    // Over some twenty messages. Guessed too high it costs a look too many, too low it leaves the site idle.
    if (this.#load > 0) this.#drain += (1_000 / gap - this.#drain) / 20;
  }

  open(): boolean {
    if (this.#open >= this.#mayOpen()) return false;
    const perSecond = (this.pace().connectionsPerMinute * this.#share()) / 60;
    // Ten seconds' worth at once.
    if (!take(this.#opening, this.#clock.monotonic(), perSecond, Math.max(1, perSecond * 10), 0)) return false;
    this.#open++;
    return true;
  }

  closed(): void {
    this.#open--;
  }

  get crowded(): boolean {
    return this.#open > this.#mayOpen();
  }

  get messagesPerConnection(): number {
    return this.site.limits.messagesPerConnection;
  }

  /** Connections. When the database is away and permits have run out, one: with a few workers that is less than the limit. */
  #mayOpen(): number {
    const permits = this.#permits;
    if (permits === null || permits.count === 0) return 0;
    return this.#clock.monotonic() < permits.until ? Math.min(permits.count, this.pace().connections) : 1;
  }

  /** The part of the site's pace that is this worker's. */
  #share(): number {
    return Math.min(1, this.#mayOpen() / this.pace().connections);
  }

  #isWaiting(accountId: string): boolean {
    return (this.#calendars.get(accountId) ?? 0) > this.#clock.now().getTime();
  }

  /** The next free place in the account's calendar, at the rate at which the site takes mail from us. */
  #appoint(accountId: string): Date {
    const now = this.#clock.now().getTime();
    for (const [account, until] of this.#calendars) if (until <= now) this.#calendars.delete(account);
    const busy = this.#calendars.size + (this.#calendars.has(accountId) ? 0 : 1);
    const allowed = this.pace().messagesPerSecond * Math.max(this.#share(), 0.01);
    const rate = Math.max(0.1, Math.min(Math.max(this.#drain, this.#mayOpen()), allowed));
    const place = Math.max(this.#calendars.get(accountId) ?? now, now + 500) + (busy * 1_000) / rate;
    this.#calendars.set(accountId, Math.min(place, now + LONGEST_WAIT_MS));
    return this.#later(Math.min(place, now + LONGEST_WAIT_MS), 500);
  }

  #later(ms: number, spreadMs: number): Date {
    return new Date(ms + spreadMs * this.#random.uniform());
  }
}

/** A bucket that fills with time. `kept`: what must be left in it. */
function take(
  bucket: { tokens: number; at: number },
  now: number,
  perSecond: number,
  most: number,
  kept: number,
): boolean {
  bucket.tokens = Math.min(most, bucket.tokens + (Math.max(0, now - bucket.at) / 1_000) * perSecond);
  bucket.at = now;
  if (bucket.tokens < 1 + kept) return false;
  bucket.tokens--;
  return true;
}
