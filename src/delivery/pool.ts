// Sessions to one destination. Jobs wait in line; connections are opened while jobs wait and the limit allows, take job
// after job, and are closed when none came for a while. A connection is in one of three states: dialling, at work, idle.
import type {
  Clock,
  SmtpConnectOptions,
  SmtpConnectResult,
  SmtpSession,
  SmtpTransaction,
  SmtpTransactionResult,
} from '#/runtime/ports.ts';

/** After so many a receiver may think us rude; the next one opens a new connection. */
const MESSAGES_PER_SESSION = { mx: 100, relay: 10_000 } as const;
const IDLE_MS = 5_000;

export interface JobResult {
  readonly session: Pick<SmtpSession, 'target' | 'tls'> | null;
  /** Null: no connection could be had; `connect` says why. */
  readonly transaction: SmtpTransactionResult | null;
  readonly connect: Extract<SmtpConnectResult, { ok: false }> | null;
}

interface Job {
  readonly transaction: SmtpTransaction;
  readonly resolve: (result: JobResult) => void;
}

export interface PoolOptions {
  readonly transport: keyof typeof MESSAGES_PER_SESSION;
  readonly maxConnections: number;
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

  submit(transaction: SmtpTransaction): Promise<JobResult> {
    this.load++;
    return new Promise<JobResult>((resolve) => {
      const job: Job = {
        transaction,
        resolve: (result) => {
          this.load--;
          resolve(result);
        },
      };
      const last = this.#idle.pop();
      if (last !== undefined) return last.take(job);
      this.#waiting.push(job);
      if (this.#connections < this.#options.maxConnections) void this.#connection();
    });
  }

  async #connection(): Promise<void> {
    this.#connections++;
    let session: SmtpSession | null = null;
    let taken = 0;
    try {
      for (let job = this.#waiting.shift() ?? null; job !== null; job = await this.#nextJob()) {
        if (session !== null && (!session.usable || taken >= MESSAGES_PER_SESSION[this.#options.transport])) {
          void session.close();
          session = null;
        }
        const reused = session !== null;
        if (session === null) {
          session = await this.#dial(job);
          taken = 0;
          if (session === null) return;
        }
        taken++;
        const result = await session.send(job.transaction);
        // The peer had closed an idle connection: nothing of this job was seen by anybody, so it goes to a new one.
        if (reused && isStale(result)) this.#putBack(job);
        else job.resolve({ session, transaction: result, connect: null });
      }
    } finally {
      void session?.close();
      this.#connections--;
      if (this.#waiting.length > 0 && this.#connections < this.#options.maxConnections) void this.#connection();
      else if (this.#connections === 0) this.#options.onEmpty();
    }
  }

  /** Where nothing answers, nobody in line waits for the same: all hear of it now. */
  async #dial(job: Job): Promise<SmtpSession | null> {
    const connected = await this.#options.dial();
    if (connected.ok) return connected.session;
    job.resolve({ session: null, transaction: null, connect: connected });
    if (this.#connections === 1) {
      for (const other of this.#waiting.splice(0))
        other.resolve({ session: null, transaction: null, connect: connected });
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

function isStale(result: SmtpTransactionResult): boolean {
  return result.reply === null && !result.inDoubt && (result.phase === 'mail' || result.phase === 'rset');
}
