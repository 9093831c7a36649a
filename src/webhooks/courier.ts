// Calls one endpoint. Holds it under the process' lease; nobody else calls it meanwhile.
//
// Events come from the log after the endpoint's cursor. Before anything is sent they are on record, each as a delivery, in
// the transaction that moves the cursor: what dies with this process is found by the next one, as a pending delivery or
// still in the log. Ways of working:
//
//   open       some calls at once: one at first, one more with each success, half after a failure; retries have at most half
//   catching up  one after the other in the order of the log, until the end that the log had when the endpoint came back
//   failing    nothing but probes: the oldest that waits, at its own time, and then one event that was not tried yet, lest a
//              single event that the endpoint cannot bear hold up all others. A success ends it, and catching up begins.
//
// A paused endpoint has no courier; its events wait in the log.
import { readHeld } from '#/db/webhook-work.ts';
import type { WebhookRow } from '#/db/webhooks.ts';
import { encodeId } from '#/domain/ids.ts';
import { type Endpoint, openEndpoint, webhookRequest } from '#/domain/webhooks/endpoint.ts';
import { type EndpointHealth, type Judged, judgeCall } from '#/domain/webhooks/judge-call.ts';
import { DELIVERIES_TO_FAIL, FAILURES_TO_FAIL } from '#/domain/webhooks/rules.ts';
import { readHorizon } from '#/events/log.ts';
import type { HttpResult } from '#/runtime/ports.ts';
import { Line, SKIP_MS } from './line.ts';
import { type Caller, SLOW_MS } from './slots.ts';
import type { CourierDeps, Job } from './stock.ts';

/** Calls to one endpoint at once. */
export const MAX_WINDOW = 20;
/** Calls whose outcome is not on record yet: what a crash makes happen again. */
const MAX_UNSETTLED = 2 * MAX_WINDOW;
const RETRY_MS = 1_000;
/** Retries that are due within that time of each other are taken together. */
const TOGETHER_MS = 100;
/** `last_success_at` is as exact as this. */
const SUCCESS_MS = 10_000;

export class Courier {
  readonly #deps: CourierDeps;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  readonly #busy = new Set<string>();
  #row: WebhookRow;
  #endpoint: Endpoint;
  #health: EndpointHealth;
  /** As the database has it. */
  #stored: EndpointHealth;
  #line: Line;
  #stale = false;
  /** Calls that have no answer yet; of these, retries; and calls that are not settled yet. */
  #calling = 0;
  #retrying = 0;
  #unsettled = 0;
  #window = 1;
  /** Different deliveries that failed since the last success. */
  readonly #failed = new Set<string>();
  #failing = false;
  /** The last answer took long. */
  #slow = false;
  /** While failing: the delivery that is tried. */
  #head: Job | null = null;
  #woken = Promise.withResolvers<void>();

  constructor(deps: CourierDeps, row: WebhookRow) {
    this.#deps = deps;
    this.#row = row;
    this.#endpoint = openEndpoint(row, deps.secrets, deps.clock.now());
    this.#health = this.#stored = healthOf(row);
    this.#line = this.#newLine();
    this.#running = this.#run();
  }

  get revision(): number {
    return this.#row.revision;
  }

  get calling(): number {
    return this.#calling;
  }

  /** It was changed: it is read again before the next call. */
  reload(): void {
    this.#stale = true;
    this.#wake();
  }

  /** Begins nothing more, and resolves when what was begun is settled. */
  async stop(): Promise<void> {
    this.#end();
    await this.#running;
    while (this.#unsettled > 0) {
      this.#woken = Promise.withResolvers<void>();
      await this.#woken.promise;
    }
  }

  get #now(): number {
    return this.#deps.clock.now().getTime();
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  get #quietUntil(): number {
    return this.#health.notBefore?.getTime() ?? 0;
  }

  #wake(): void {
    this.#woken.resolve();
  }

  #end(): void {
    this.#stopping.abort();
    this.#line.close();
    this.#wake();
  }

  #newLine(): Line {
    return new Line(this.#deps, this.#row, this.#busy, { wake: () => this.#wake(), lost: () => this.#end() });
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps;
    while (!this.#stopped) {
      this.#woken = Promise.withResolvers<void>();
      const begun = this.#now;
      try {
        if (this.#stale) await this.#readAgain();
        if (begun >= this.#quietUntil) await this.#turn();
        await this.#rest(begun);
      } catch (error) {
        log.error({ error, webhookId: encodeId('webhook', this.#row.id) }, 'a webhook could not go on; trying again');
        await clock.sleep(RETRY_MS, this.#stopping.signal);
      }
    }
  }

  async #turn(): Promise<void> {
    if (this.#stopped) return;
    if (this.#failing) return this.#probe();
    await this.#line.fillUp(this.#window);
    this.#begin();
  }

  /**
   * Until something comes, or it is time for what waits. What was due when the turn began and is still there waits for
   * room, which wakes; what has become due since has not been looked at.
   */
  async #rest(begun: number): Promise<void> {
    const next = this.#failing ? (this.#head?.row.nextAttemptAt?.getTime() ?? Infinity) : this.#line.nextAt;
    const until = this.#quietUntil > begun ? this.#quietUntil : next;
    const ms = until <= begun ? SKIP_MS : Math.min(Math.max(until - this.#now, TOGETHER_MS), SKIP_MS);
    const done = new AbortController();
    const signal = AbortSignal.any([done.signal, this.#stopping.signal]);
    await Promise.race([this.#woken.promise, this.#deps.clock.sleep(ms, signal)]);
    done.abort();
  }

  /** Commands change a webhook under its lock and raise its revision. */
  async #readAgain(): Promise<void> {
    this.#stale = false;
    const { system, owner, secrets, clock } = this.#deps;
    const [row] = await readHeld(system, owner, [this.#row.id]);
    if (row === undefined) return this.#end();
    this.#line.close();
    this.#letGoOfHead();
    this.#row = row;
    this.#endpoint = openEndpoint(row, secrets, clock.now());
    this.#health = this.#stored = healthOf(row);
    this.#failed.clear();
    this.#failing = false;
    this.#window = 1;
    this.#line = this.#newLine();
  }

  // ── calls ──

  #begin(): void {
    while (!this.#stopped && !this.#failing && this.#now >= this.#quietUntil) {
      const { catchingUp } = this.#line;
      if (this.#calling >= (catchingUp ? 1 : this.#window) || this.#unsettled >= MAX_UNSETTLED) return;
      const job = this.#line.pick(catchingUp || this.#retrying < Math.ceil(this.#window / 2));
      if (job === undefined) return;
      const release = this.#deps.slots.take(this.#asCaller(), () => this.#wake());
      if (release === null) return this.#line.putBack(job);
      void this.#deliver(job, release);
    }
  }

  /** A suspect did not answer well when last called, or took long, or was never called. */
  #asCaller(): Caller {
    const suspect = this.#slow || this.#health.failures > 0 || this.#health.lastSuccessAt === null;
    return { suspect, calling: this.#calling };
  }

  async #probe(): Promise<void> {
    if (this.#unsettled > 0) return;
    this.#head ??= (await this.#line.oldest()) ?? null;
    const head = this.#head;
    if (head === null || (head.row.attempts > 0 && (head.row.nextAttemptAt?.getTime() ?? 0) > this.#now)) return;
    if (!(await this.#tryNow(head)) || !this.#failing || this.#stopped) return;
    const other = await this.#line.untried();
    if (other !== undefined && !(await this.#tryNow(other))) this.#line.putBack(other);
  }

  /** False: no slot is free. */
  async #tryNow(job: Job): Promise<boolean> {
    const release = this.#deps.slots.take({ suspect: true, calling: this.#calling }, () => this.#wake());
    if (release === null) return false;
    await this.#deliver(job, release);
    return true;
  }

  async #deliver(job: Job, release: () => void): Promise<void> {
    this.#unsettled++;
    try {
      const result = await this.#call(job).finally(release);
      const judged = this.#judge(job, result);
      if (judged.verdict === 'taken' && this.#failing) await this.#comeBack();
      this.#adapt(job, judged);
      this.#begin();
      await this.#settle(job, judged, result);
    } catch (error) {
      this.#deps.log.error({ error }, 'a call could not be made or recorded; its delivery is taken again');
      if (job === this.#head) this.#head = null;
      this.#line.settled(job.row.id, new Date(this.#now + RETRY_MS));
    } finally {
      this.#unsettled--;
      this.#wake();
    }
  }

  async #call(job: Job): Promise<HttpResult> {
    const retry = job.row.attempts > 0;
    this.#calling++;
    if (retry) this.#retrying++;
    try {
      const now = this.#deps.clock.now();
      const request = webhookRequest(this.#endpointAt(now), encodeId('event', job.row.eventId), job.body, now);
      return await this.#deps.http.send(request);
    } finally {
      this.#calling--;
      if (retry) this.#retrying--;
    }
  }

  /** Two secrets sign while one is being replaced; then the older one must not any more. */
  #endpointAt(now: Date): Endpoint {
    const { previousSecretUntil } = this.#row;
    if (this.#endpoint.secrets.length > 1 && previousSecretUntil !== null && previousSecretUntil <= now)
      this.#endpoint = openEndpoint(this.#row, this.#deps.secrets, now);
    return this.#endpoint;
  }

  #judge({ row }: Job, { status, retryAfter, latencyMs }: HttpResult): Judged {
    const { clock, random } = this.#deps;
    const outcome = status === null ? ({ status, retryAfter: null } as const) : { status, retryAfter };
    const judged = judgeCall(row, this.#health, outcome, clock.now(), random.uniform());
    this.#deps.onCall?.(judged.verdict, latencyMs);
    this.#slow = latencyMs > SLOW_MS;
    return judged;
  }

  /** The endpoint answers again: what has gathered meanwhile goes in order. */
  async #comeBack(): Promise<void> {
    this.#line.catchUpXact = (await readHorizon(this.#deps.system.db)).xact;
  }

  #adapt({ row }: Job, { verdict, health }: Judged): void {
    this.#health = health;
    if (verdict === 'taken') {
      this.#failing = false;
      this.#failed.clear();
      if (this.#head?.row.id === row.id) this.#head = null;
      this.#letGoOfHead();
      this.#window = this.#line.catchingUp ? 1 : Math.min(this.#window + 1, MAX_WINDOW);
    } else if (verdict === 'later') {
      this.#failed.add(row.id);
      this.#window = Math.max(1, Math.floor(this.#window / 2));
      this.#failing ||= health.failures >= FAILURES_TO_FAIL && this.#failed.size >= DELIVERIES_TO_FAIL;
    }
    if (health.pausedAt !== null) this.#end();
  }

  /** It goes back to the others that wait. */
  #letGoOfHead(): void {
    if (this.#head !== null) this.#line.settled(this.#head.row.id, this.#head.row.nextAttemptAt);
    this.#head = null;
  }

  async #settle(job: Job, { delivery, health, notice, verdict }: Judged, result: HttpResult): Promise<void> {
    const { accountId, id, bucket } = job.row;
    const attempt = {
      lastAttemptAt: this.#deps.clock.now(),
      lastStatus: result.status,
      lastError: verdict === 'taken' ? null : (result.error ?? textOf(result.status)),
      lastLatencyMs: result.latencyMs,
      responseHead: result.status === null ? null : result.head,
    };
    const tells = notice !== null || isNews(this.#stored, health) || this.#row.catchUpXact !== this.#line.catchUpXact;
    const { catchUpXact } = this.#line;
    if (tells) {
      this.#stored = health;
      this.#row = { ...this.#row, catchUpXact };
    }
    await this.#deps.ledger.settle({
      outcome: { accountId, id, bucket, ...delivery, ...attempt },
      health: tells ? { accountId, id: this.#row.id, ...health, catchUpXact, notice } : null,
    });
    if (job === this.#head && delivery.state === 'PENDING') job.row = { ...job.row, ...delivery };
    else {
      if (job === this.#head) this.#head = null;
      this.#line.settled(id, delivery.nextAttemptAt);
    }
  }
}

function healthOf(row: WebhookRow): EndpointHealth {
  const { failures, refusals, failingSince, lastSuccessAt, pausedAt, pauseReason, notBefore } = row;
  return { failures, refusals, failingSince, lastSuccessAt, pausedAt, pauseReason, notBefore };
}

/** Of successes only one in a while: a webhook that works must not be written with every event. */
function isNews(stored: EndpointHealth, health: EndpointHealth): boolean {
  const since = (health.lastSuccessAt?.getTime() ?? 0) - (stored.lastSuccessAt?.getTime() ?? 0);
  return (
    since >= SUCCESS_MS ||
    stored.failures !== health.failures ||
    stored.refusals !== health.refusals ||
    stored.pausedAt !== health.pausedAt ||
    stored.notBefore?.getTime() !== health.notBefore?.getTime()
  );
}

function textOf(status: number | null): string {
  if (status !== null && status >= 300 && status < 400) return `answered ${status}: redirects are not followed`;
  return `answered ${status}`;
}
