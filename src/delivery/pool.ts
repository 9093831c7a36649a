// Sessions to one destination. Jobs wait in line; connections are opened while jobs wait and the limit allows, take job
// after job, and are closed when none came for a while. A connection is in one of three states: dialling, at work, idle.
// How many there may be, and for how many messages each, the gate says; where it lets nobody in and no connection is
// there to wait for, jobs are handed back.
import { isIdleTimeout } from '#/domain/delivery/reply-rules.ts';
import type { Gate } from './site-pace.ts';
import type {
  Clock,
  SmtpConnectOptions,
  SmtpConnectResult,
  SmtpSession,
  SmtpTransaction,
  SmtpTransactionResult,
} from '#/runtime/ports.ts';

const IDLE_MS = 5_000;

export interface JobResult {
  readonly session: Pick<SmtpSession, 'target' | 'tls' | 'check'> | null;
  /** Null: no connection could be had; `connect` says why. */
  readonly transaction: SmtpTransactionResult | null;
  readonly connect: Extract<SmtpConnectResult, { ok: false }> | null;
  /** No connection may be opened now: nothing was tried. */
  readonly heldBack: boolean;
}

interface Job {
  /** Asked when a connection is ready for it. */
  readonly transaction: () => Promise<SmtpTransaction>;
  readonly resolve: (result: JobResult) => void;
  readonly reject: (reason: unknown) => void;
}

export interface PoolOptions {
  readonly gate: Gate;
  /** Tries the destination's hosts in order. */
  dial(): Promise<SmtpConnectResult>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  onEmpty(): void;
}

export type DialOptions = Pick<SmtpConnectOptions, 'heloName' | 'tls' | 'verifyCertificate'>;

export class Pool {
  readonly #options: PoolOptions;
  readonly #waiting: Job[] = [];
  /** Connections that wait for a job, the longest-waiting first. */
  readonly #idle: { readonly take: (job: Job | null) => void; readonly since: number }[] = [];
  #sweeping = false;
  #connections = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Jobs in line and at work. */
  load = 0;

  /** Rejects when the transaction cannot be had; `transaction` may be asked twice. */
  submit(transaction: Job['transaction']): Promise<JobResult> {
    this.load++;
    return new Promise<JobResult>((resolve, reject) => {
      const job: Job = {
        transaction,
        resolve: (result) => {
          this.load--;
          resolve(result);
        },
        reject: (reason) => {
          this.load--;
          reject(reason);
        },
      };
      const last = this.#idle.pop();
      if (last !== undefined) return last.take(job);
      this.#waiting.push(job);
      this.#grow();
    });
  }

  /** One more connection, if there may be; what would wait for none is handed back. */
  #grow(): void {
    if (this.#options.gate.open()) {
      this.#connections++;
      void this.#connection();
    } else if (this.#connections === 0) {
      for (const { resolve } of this.#waiting.splice(0))
        resolve({ session: null, transaction: null, connect: null, heldBack: true });
    }
  }

  async #connection(): Promise<void> {
    const { gate } = this.#options;
    let session: SmtpSession | null = null;
    let taken = 0;
    try {
      for (let job = this.#waiting.shift() ?? null; job !== null; job = await this.#nextJob()) {
        if (session !== null && (!session.usable || taken >= gate.messagesPerConnection || gate.crowded)) {
          // The one in its place is a new one, and asks for its own permission.
          this.#waiting.unshift(job);
          return;
        }
        const reused = session !== null;
        if (session === null) {
          session = await this.#dial(job);
          taken = 0;
          if (session === null) return;
        }
        const transaction = await this.#transactionOf(job);
        if (transaction === null) continue;
        taken++;
        const result = await session.send(transaction);
        // The peer had closed an idle connection: nothing of this job was seen by anybody, so it goes to a new one.
        if (reused && isStale(result)) this.#putBack(job);
        else job.resolve({ session, transaction: result, connect: null, heldBack: false });
      }
    } finally {
      void session?.close();
      this.#connections--;
      gate.closed();
      if (this.#waiting.length > 0) this.#grow();
      if (this.#connections === 0) this.#options.onEmpty();
    }
  }

  /** Null: there is none, and the job knows. */
  async #transactionOf(job: Job): Promise<SmtpTransaction | null> {
    try {
      return await job.transaction();
    } catch (reason) {
      job.reject(reason);
      return null;
    }
  }

  /** Where nothing answers, nobody in line waits for the same: all hear of it now. */
  async #dial(job: Job): Promise<SmtpSession | null> {
    const connected = await this.#options.dial();
    if (connected.ok) return connected.session;
    job.resolve({ session: null, transaction: null, connect: connected, heldBack: false });
    if (this.#connections === 1) {
      for (const other of this.#waiting.splice(0))
        other.resolve({ session: null, transaction: null, connect: connected, heldBack: false });
    }
    return null;
  }

  #putBack(job: Job): void {
    this.#waiting.unshift(job);
  }

  #nextJob(): Promise<Job | null> {
    const next = this.#waiting.shift();
    if (next !== undefined) return Promise.resolve(next);
    if (this.#options.signal.aborted) return Promise.resolve(null);
    if (!this.#sweeping) void this.#sweep();
    return new Promise((take) => this.#idle.push({ take, since: this.#options.clock.monotonic() }));
  }

  /** One timer for all that wait, rather than one for each wait: those that waited long enough, or all at the end, go. */
  async #sweep(): Promise<void> {
    const { clock, signal } = this.#options;
    this.#sweeping = true;
    do {
      await clock.sleep(IDLE_MS / 5, signal);
      const now = clock.monotonic();
      const over = this.#idle.filter(({ since }) => signal.aborted || now - since >= IDLE_MS);
      this.#idle.splice(0, over.length);
      for (const { take } of over) take(null);
    } while (this.#idle.length > 0 || this.#connections > 0);
    this.#sweeping = false;
  }
}

/** The peer had closed the connection while it had nothing to do, with a word (421) or without. */
function isStale({ reply, inDoubt, phase }: SmtpTransactionResult): boolean {
  return (reply === null || isIdleTimeout(reply)) && !inDoubt && (phase === 'mail' || phase === 'rset');
}
