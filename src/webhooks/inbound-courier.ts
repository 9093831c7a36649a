// Hands the inbound messages of one server to its webhook, while something is due. Holds the endpoint under the process'
// lease; nobody else calls it meanwhile. Each message has its own schedule and fails for itself; an endpoint that does not
// answer is called once at a time, and its calls come out of those that all such endpoints share.
import type { InboundMessageRow } from '#/db/inbound-messages.ts';
import {
  type EndpointKey,
  type HeldEndpoint,
  type InboundOutcome,
  listDueInbound,
  readInboundEndpoint,
  recordInboundOutcome,
  releaseInboundEndpoint,
  releaseQueuedInbound,
} from '#/db/inbound-work.ts';
import { type SystemScope, writeInSystemScope } from '#/db/scope.ts';
import { encodeId } from '#/domain/ids.ts';
import { bucketAt } from '#/domain/retention.ts';
import { signedRequest, timestampOf } from '#/domain/webhooks/endpoint.ts';
import { inboundSecretPurpose, inboundTarget, judgeInboundCall } from '#/domain/webhooks/inbound-call.ts';
import { nextTurn, SLICE, slicesOf } from '#/domain/slices.ts';
import { Signing } from '#/domain/webhooks/signature.ts';
import type { Verdict } from '#/domain/webhooks/verdict.ts';
import type { Clock, HttpClient, HttpResult, Log, Random, SecretBox } from '#/runtime/ports.ts';
import type { ByteBudget } from './byte-budget.ts';
import { type Slots, SLOW_MS } from './slots.ts';

/** Calls to one endpoint at once. */
const MAX_WINDOW = 10;
const RETRY_MS = { first: 50, most: 2_000 } as const;
/** While calls are open, to see whether more has become due. */
const LOOK_MS = 1_000;
/** Messages of an endpoint that is gone, taken out of the queue at once. */
const RELEASED = 1_000;

export interface InboundCourierDeps {
  readonly system: SystemScope;
  readonly owner: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly http: HttpClient;
  readonly secrets: SecretBox;
  readonly slots: Slots;
  readonly budget: ByteBudget;
  /** Null: its content is not kept any more. */
  bodyOf(message: InboundMessageRow): Promise<Uint8Array | null>;
  onCall?(verdict: Verdict, latencyMs: number): void;
}

export class InboundCourier {
  readonly #deps: InboundCourierDeps;
  readonly #key: EndpointKey;
  readonly #stopping = new AbortController();
  readonly #busy = new Map<string, Promise<void>>();
  #window = 1;
  /** Of the endpoint, in a row; null: not read yet. */
  #failures: number | null = null;
  /** The last answer took long. */
  #slow = false;
  #woken = Promise.withResolvers<void>();
  /** Resolves when nothing is due and the endpoint is let go, or it was stopped. */
  readonly done: Promise<void>;

  constructor(deps: InboundCourierDeps, key: EndpointKey) {
    this.#deps = deps;
    this.#key = key;
    this.done = this.#run();
  }

  /** Something may have come, or there may be room. */
  wake(): void {
    this.#woken.resolve();
  }

  /** Begins nothing more, and resolves when what was begun is settled. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.wake();
    await this.done;
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #run(): Promise<void> {
    const { log, clock } = this.#deps;
    while (!this.#stopped) {
      this.#woken = Promise.withResolvers<void>();
      try {
        if (!(await this.#turn())) break;
        await this.#rest();
      } catch (error) {
        const serverId = encodeId('server', this.#key.serverId);
        log.error({ error, serverId }, 'inbound messages could not be handed on; trying again');
        await clock.sleep(RETRY_MS.most, this.#stopping.signal);
      }
    }
    await Promise.all(this.#busy.values());
    // What is due, or becomes so, is for whoever claims the endpoint next.
    await this.#release().catch((error: unknown) => log.warn({ error }, 'an endpoint could not be let go'));
  }

  /** False: there is nothing to do here any more. */
  async #turn(): Promise<boolean> {
    const { system, owner, clock } = this.#deps;
    const endpoint = await readInboundEndpoint(system, owner, this.#key);
    if (endpoint === undefined || endpoint.serverDeleted) return false;
    if (endpoint.url === null) return (await releaseQueuedInbound(system, this.#key, RELEASED)) === RELEASED;
    this.#failures ??= endpoint.failures;
    const room = this.#window - this.#busy.size;
    if (room <= 0) return true;
    const now = clock.now();
    const due = { ...this.#key, now, fromBucket: bucketAt(now, 0), without: [...this.#busy.keys()], limit: room };
    const rows = await listDueInbound(system, due);
    for (const row of rows) if (!this.#begin(endpoint, endpoint.url, row)) break;
    return rows.length > 0 || this.#busy.size > 0;
  }

  async #rest(): Promise<void> {
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#stopping.signal]);
    await Promise.race([this.#woken.promise, this.#deps.clock.sleep(LOOK_MS, signal)]);
    over.abort();
  }

  /** False: there is no room in this process. */
  #begin(endpoint: HeldEndpoint, url: string, row: InboundMessageRow): boolean {
    if (this.#stopped) return false;
    const { slots, budget } = this.#deps;
    const wake = () => this.wake();
    const suspect = this.#slow || this.#failures !== 0;
    const slot = slots.take({ suspect, calling: this.#busy.size }, wake);
    if (slot === null) return false;
    const bytes = budget.take(row.size, wake);
    if (bytes === null) {
      slot();
      return false;
    }
    const delivering = this.#deliver(endpoint, url, row)
      .catch((error: unknown) => this.#deps.log.error({ error }, 'an inbound message could not be handed on'))
      .finally(() => {
        slot();
        bytes();
        this.#busy.delete(row.id);
        wake();
      });
    this.#busy.set(row.id, delivering);
    return true;
  }

  async #deliver(endpoint: HeldEndpoint, url: string, row: InboundMessageRow): Promise<void> {
    const body = await this.#deps.bodyOf(row);
    if (body === null) return this.#forget(row);
    const result = await this.#deps.http.send(await this.#requestOf(endpoint, url, row, body));
    await this.#settle(row, result);
  }

  async #requestOf(endpoint: HeldEndpoint, url: string, row: InboundMessageRow, body: Uint8Array) {
    const now = this.#deps.clock.now();
    const id = encodeId('inboundMessage', row.id);
    const signing = new Signing(this.#secretsOf(endpoint, now), id, timestampOf(now));
    for (const slice of slicesOf(body)) {
      signing.add(slice);
      if (slice.length === SLICE) await nextTurn();
    }
    return signedRequest({ target: { ...inboundTarget(url), headers: [] } }, id, body, now, signing.end());
  }

  /** Two sign while one is being replaced. */
  #secretsOf(endpoint: HeldEndpoint, now: Date): string[] {
    const { secretEncrypted, previousSecretEncrypted, previousSecretUntil } = endpoint;
    const isLive = previousSecretUntil !== null && previousSecretUntil > now;
    const sealed = [secretEncrypted, isLive ? previousSecretEncrypted : null].filter((one) => one !== null);
    return sealed.map((one) => this.#deps.secrets.open(one, inboundSecretPurpose(this.#key)).toString());
  }

  async #settle(row: InboundMessageRow, { status, error, retryAfter, latencyMs }: HttpResult): Promise<void> {
    const { clock, random } = this.#deps;
    const now = clock.now();
    const call = status === null ? ({ status, retryAfter: null } as const) : { status, retryAfter };
    const { verdict, ...judged } = judgeInboundCall(row.attempts, call, now, random.uniform());
    this.#adapt(verdict, latencyMs);
    const failure = judged.status === 'PROCESSED' ? null : (error ?? `answered ${status}`);
    const shown = { lastStatus: status, lastLatencyMs: latencyMs, lastAttemptAt: now };
    await this.#record(row, { ...judged, failure, ...shown });
  }

  /** Retention, or its customer, has removed it while it waited. */
  #forget(row: InboundMessageRow): Promise<void> {
    const { attempts, lastStatus, lastLatencyMs, lastAttemptAt } = row;
    const failure = 'the message is no longer kept';
    const ended = { status: 'FAILED', attempts, nextAttemptAt: null, failure } as const;
    return this.#record(row, { ...ended, lastStatus, lastLatencyMs, lastAttemptAt });
  }

  #adapt(verdict: Verdict, latencyMs: number): void {
    this.#deps.onCall?.(verdict, latencyMs);
    this.#slow = latencyMs > SLOW_MS;
    this.#failures = verdict === 'later' ? (this.#failures ?? 0) + 1 : 0;
    this.#window = verdict === 'taken' ? Math.min(this.#window + 1, MAX_WINDOW) : Math.ceil(this.#window / 2);
  }

  /** Tries until the database has it; a process that stops leaves it to the next one, which calls again. */
  async #record(row: InboundMessageRow, outcome: InboundOutcome): Promise<void> {
    const { system, owner, clock, log } = this.#deps;
    for (let pause: number = RETRY_MS.first; ; pause = Math.min(pause * 2, RETRY_MS.most)) {
      try {
        return await writeInSystemScope(system, clock.now(), (scope) =>
          recordInboundOutcome(scope, owner, row, outcome, this.#failures ?? 0),
        );
      } catch (error) {
        if (this.#stopped) throw error;
        log.error({ error }, 'the outcome of a call for an inbound message could not be recorded; trying again');
        await clock.sleep(pause, this.#stopping.signal);
      }
    }
  }

  async #release(): Promise<void> {
    const { system, owner, clock } = this.#deps;
    const now = clock.now();
    const endpoint = await readInboundEndpoint(system, owner, this.#key);
    if (endpoint === undefined) return;
    const from = endpoint.serverDeleted ? 'never' : bucketAt(now, 0);
    await writeInSystemScope(system, now, (scope) => releaseInboundEndpoint(scope, owner, this.#key, from));
  }
}
