// What was accepted and is yet to be read. Each arrival is a row under a lease: of the process that took it, which reads it
// from memory, or of whoever claims it once the lease has ended or nobody had room for it. An arrival:
//
//   held by its process ──┐
//   due in the table ─────┴→ read → ended in the transaction that stores what it means
//                              └ failed → due again, later and later
//
// A process that dies leaves its rows to the others; one that is slow is overtaken, and then ends nothing (endArrivals).
import { type ArrivalRow, claimArrivals, readArrivalContents, releaseArrivals } from '#/db/arrivals.ts';
import { createBatcher } from '#/db/batcher.ts';
import { writeInSystemScope, writeStatement } from '#/db/scope.ts';
import { decodeLargeStored, decodeStored } from '#/mail/content.ts';
import type { Load } from '#/runtime/ports.ts';
import type { Deps } from '../deps.ts';

/** Above the time that reading takes (within-time.ts), name servers, and waiting in line behind MAX_HELD others. */
const LEASE_MS = 60_000;
/** What a process keeps to itself, in memory; more is left to be claimed. */
const MAX_HELD = 500;
const MAX_HELD_BYTES = 16 * 1024 * 1024;
/** Being read at once. Most of a mail's time is waiting for name servers; one mail may be as large as it is. */
const MAX_READING = 256;
const MAX_READING_BYTES = 32 * 1024 * 1024;
const CLAIM = 100;
const POLL_MS = 1_000;
/**
 * Accepting goes first. A process is in a rush where RUSH mails are coming in, or came in RUSH_MS, and hardly any time is
 * left: then one is read in PACE_MS. That is as fast as the slowest rush, so what is slower never piles up.
 */
const RUSH = 5;
const RUSH_MS = 250;
const RUSH_LOAD = 0.8;
const PACE_MS = 50;
/** Sources from here on are unpacked beside the event loop. */
const LARGE = 1024 * 1024;
const FIRST_RETRY_MS = 5_000;
const LAST_RETRY_MS = 30 * 60_000;

export type ReadArrival = (arrival: ArrivalRow, source: Buffer) => Promise<void>;

export interface Backlog extends AsyncDisposable {
  /** Room in memory for what is being accepted; false: it is left to be claimed. */
  reserve(bytes: number): boolean;
  giveBack(bytes: number): void;
  leaseUntil(now: Date): Date;
  /** Of what was reserved, once it is durable. */
  hold(rows: readonly ArrivalRow[], source: Buffer): void;
  /** Something is due. */
  look(): void;
  /** A mail is coming in, until it is disposed of. */
  coming(): Disposable;
  /** A mail was accepted. */
  accepted(): void;
  /** Resolves when nothing is left that is due. */
  settled(): Promise<void>;
}

interface Item {
  readonly row: ArrivalRow;
  /** Null: in the table. */
  readonly source: Buffer | null;
  /** Of the room in memory. */
  readonly reserved: number;
}

export function createBacklog(deps: Deps, load: Load, read: ReadArrival): Backlog {
  return new Line(deps, load, read);
}

class Line implements Backlog {
  readonly #deps: Deps;
  readonly #load: Load;
  readonly #read: ReadArrival;
  readonly #closing = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  readonly #contents;
  #waiting: Item[] = [];
  #reservedCount = 0;
  #reservedBytes = 0;
  #readingBytes = 0;
  #coming = 0;
  #rush = { since: 0, count: 0, before: 0 };
  #pacedUntil = 0;
  #due = true;
  #claiming: Promise<boolean> | null = null;
  #woken = Promise.withResolvers<void>();
  readonly #running: Promise<void>;

  constructor(deps: Deps, load: Load, read: ReadArrival) {
    this.#deps = deps;
    this.#load = load;
    this.#read = read;
    this.#contents = createBatcher(50, async (rows: readonly ArrivalRow[]) => {
      const found = await readArrivalContents(deps.system, rows);
      return rows.map(({ id }) => found.get(id) ?? null);
    });
    this.#running = this.#run();
  }

  reserve(bytes: number): boolean {
    if (this.#closing.signal.aborted) return false;
    if (this.#reservedCount >= MAX_HELD || this.#reservedBytes + bytes > MAX_HELD_BYTES) return false;
    this.#reservedCount++;
    this.#reservedBytes += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#reservedCount--;
    this.#reservedBytes -= bytes;
  }

  leaseUntil(now: Date): Date {
    return new Date(now.getTime() + LEASE_MS);
  }

  hold(rows: readonly ArrivalRow[], source: Buffer): void {
    // The room is given back with the last of them.
    this.#waiting.push(
      ...rows.map((row, index) => ({ row, source, reserved: index === rows.length - 1 ? source.length : -1 })),
    );
    this.#wake();
  }

  look(): void {
    this.#due = true;
    this.#wake();
  }

  coming(): Disposable {
    this.#coming++;
    return {
      [Symbol.dispose]: () => {
        if (--this.#coming < RUSH) this.#wake();
      },
    };
  }

  accepted(): void {
    const now = this.#deps.clock.monotonic();
    if (now - this.#rush.since > RUSH_MS) this.#rush = { since: now, count: 0, before: this.#rush.count };
    this.#rush.count++;
  }

  async settled(): Promise<void> {
    for (;;) {
      while (this.#waiting.length > 0 || this.#underWay.size > 0) {
        this.#wake();
        await (this.#underWay.size > 0
          ? Promise.race(this.#underWay)
          : new Promise((resolve) => setImmediate(resolve)));
      }
      // What became due after a look had begun is not in it.
      if (this.#claiming !== null) await this.#claiming;
      else if (this.#closing.signal.aborted || !(await this.#claim())) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#wake();
    await this.#running;
    await Promise.all(this.#underWay);
    const left = this.#waiting.splice(0).map(({ row }) => row);
    const now = this.#deps.clock.now();
    if (left.length > 0)
      await writeStatement(this.#deps.system, now, (scope) => releaseArrivals(scope, left, now)).catch(
        (error: unknown) =>
          this.#deps.log.warn({ error }, 'mail that is yet to be read waits for the end of its lease'),
      );
  }

  #wake(): void {
    this.#woken.resolve();
  }

  async #run(): Promise<void> {
    const { clock } = this.#deps;
    let lookAt = clock.monotonic();
    while (!this.#closing.signal.aborted) {
      this.#woken = Promise.withResolvers<void>();
      this.#startSome();
      // Only for as much as can begin soon: what is claimed is under a lease.
      if ((this.#due || clock.monotonic() >= lookAt) && this.#waiting.length < CLAIM) {
        lookAt = clock.monotonic() + POLL_MS;
        this.#due = await this.#claim();
        if (this.#due) continue;
      }
      await this.#pause(this.#waiting.length > 0 && this.#isBusy() ? PACE_MS : POLL_MS);
    }
  }

  async #pause(ms: number): Promise<void> {
    const done = new AbortController();
    await Promise.race([this.#woken.promise, this.#deps.clock.sleep(ms, done.signal)]);
    done.abort('woken');
  }

  #isBusy(): boolean {
    const { since, count, before } = this.#rush;
    const lately = this.#deps.clock.monotonic() - since <= 2 * RUSH_MS ? Math.max(count, before) : 0;
    return Math.max(lately, this.#coming) >= RUSH && this.#load.share() >= RUSH_LOAD;
  }

  /** One in PACE_MS. */
  #mayInterrupt(): boolean {
    const now = this.#deps.clock.monotonic();
    if (now < this.#pacedUntil) return false;
    this.#pacedUntil = now + PACE_MS;
    return true;
  }

  /** Whether there was anything. */
  #claim(): Promise<boolean> {
    return (this.#claiming ??= this.#claimSome().finally(() => (this.#claiming = null)));
  }

  async #claimSome(): Promise<boolean> {
    const { system, clock, log } = this.#deps;
    const now = clock.now();
    try {
      const rows = await writeInSystemScope(system, now, (scope) =>
        claimArrivals(scope, { limit: CLAIM, leaseUntil: this.leaseUntil(now) }),
      );
      this.#waiting.push(...rows.map((row) => ({ row, source: null, reserved: -1 })));
      if (rows.length > 0) this.#wake();
      return rows.length > 0;
    } catch (error) {
      log.error({ error }, 'mail that is yet to be read could not be claimed');
      return false;
    }
  }

  #startSome(): void {
    while (this.#underWay.size < MAX_READING && !this.#closing.signal.aborted) {
      const [next] = this.#waiting;
      if (next === undefined) return;
      const { size } = next.row;
      if (this.#readingBytes > 0 && this.#readingBytes + size > MAX_READING_BYTES) return;
      if (this.#isBusy() && !this.#mayInterrupt()) return;
      this.#waiting.shift();
      this.#readingBytes += size;
      const reading = this.#readOne(next).finally(() => {
        this.#underWay.delete(reading);
        this.#readingBytes -= size;
        if (next.reserved >= 0) this.giveBack(next.reserved);
        this.#wake();
      });
      this.#underWay.add(reading);
    }
  }

  async #readOne({ row, source }: Item): Promise<void> {
    try {
      const whole = source ?? (await this.#fetch(row));
      // Null: somebody else has read it.
      if (whole !== null) await this.#read(row, whole);
    } catch (error) {
      await this.#postpone(row, error);
    }
  }

  async #fetch(row: ArrivalRow): Promise<Buffer | null> {
    const stored = await this.#contents.add(row);
    if (stored === null) return null;
    const { kind, content } = row.size < LARGE ? decodeStored(stored) : await decodeLargeStored(stored);
    if (kind !== 'source') throw new Error('mail that came in is stored as its source');
    return content.source;
  }

  /** Never given up: what was accepted is read one day, when what is wrong here has been mended. */
  async #postpone(row: ArrivalRow, error: unknown): Promise<void> {
    const { system, clock, log } = this.#deps;
    const { kind, size, tries } = row;
    log.error({ error, kind, size, tries }, 'mail that came in could not be taken up; it is tried again');
    const now = clock.now();
    const dueAt = new Date(now.getTime() + Math.min(FIRST_RETRY_MS * 2 ** Math.min(tries, 20), LAST_RETRY_MS));
    await writeStatement(system, now, (scope) => releaseArrivals(scope, [row], dueAt)).catch(() => {
      // Its lease ends by itself.
    });
  }
}
