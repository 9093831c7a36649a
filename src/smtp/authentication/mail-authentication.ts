// SPF, DKIM, DMARC and ARC of mail that came in, in a thread of their own: hashing 50 MB, or a message made to be slow,
// keeps nothing waiting but other mail that is to be judged. After acceptance: nobody is refused by its results here, and
// DNS of strangers must hold up neither a peer nor, for long, a message.
import { Worker } from 'node:worker_threads';
import { ownCopy } from '#/mail/mime/own-copy.ts';
import type { Clock, Dns, Log } from '#/runtime/ports.ts';
import { createQuestions } from './dns-questions.ts';
import { type AuthenticatedMail, type AuthenticationResults, UNKNOWN } from './results.ts';
import type { DnsAnswer, FromThread, Ping, Task } from './worker.ts';

export interface MailAuthentication extends AsyncDisposable {
  /** Never fails; what cannot be found out is `temperror`. */
  authenticate(mail: AuthenticatedMail): Promise<AuthenticationResults>;
}

/** In all, waiting for its turn included: the mail is not to be seen before. */
const PATIENCE_MS = 10_000;
/** A thread that does not answer in this time counts, and does not wait for DNS. */
const PONG_MS = 2_000;
/** Most of a mail's time is waiting for DNS; who calls holds their sources, and bounds those. */
const AT_ONCE = 64;
/** MB. A message has at most 50, and is held some times while it is read. */
const MAX_HEAP = 512;

export function createMailAuthentication(options: {
  readonly dns: Dns;
  readonly clock: Clock;
  readonly log: Log;
  /** Named in nothing that leaves; mailauth wants one. */
  readonly host: string;
  readonly patienceMs?: number;
}): MailAuthentication {
  const { clock, log, host, patienceMs = PATIENCE_MS } = options;
  const answer = createQuestions(options.dns, clock);
  const closing = new AbortController();
  const waiting: (() => void)[] = [];
  const underWay = new Set<Promise<unknown>>();
  let running = 0;
  let thread: Thread | null = null;

  /** Null: not in time. */
  const within = async <T>(ms: number, work: Promise<T>): Promise<T | null> => {
    const finished = new AbortController();
    const late = clock.sleep(ms, AbortSignal.any([finished.signal, closing.signal])).then(() => null);
    return Promise.race([work, late]).finally(() => finished.abort('in time'));
  };

  const judge = async (mail: AuthenticatedMail, until: number): Promise<AuthenticationResults> => {
    const left = until - clock.monotonic();
    if (closing.signal.aborted || left <= 0) return UNKNOWN;
    if (thread === null || thread.ended) thread = new Thread(answer);
    const current = thread;
    const { sender, peerAddress: ip, helo } = mail;
    try {
      const judging = ownCopy(mail.source).then((source) => current.run({ source, sender, ip, helo, mta: host }));
      judging.catch(() => undefined);
      const results = await within(left, judging);
      if (results !== null) return results;
      // A sender's slow DNS is that mail's own affair; a thread that is stuck is everybody's.
      if ((await within(PONG_MS, current.ping())) === null) await current.end();
    } catch (error) {
      log.warn({ error }, 'a mail could not be authenticated');
    }
    return UNKNOWN;
  };

  const inTurn = async (mail: AuthenticatedMail): Promise<AuthenticationResults> => {
    const until = clock.monotonic() + patienceMs;
    // Whoever has waited takes over the place of the one that woke it.
    if (running < AT_ONCE) running++;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await judge(mail, until);
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };

  return {
    authenticate(mail) {
      const turn = inTurn(mail);
      underWay.add(turn);
      return turn.finally(() => underWay.delete(turn));
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await Promise.allSettled(underWay);
      await thread?.end();
    },
  };
}

class Thread {
  ended = false;
  readonly #worker: Worker;
  readonly #tasks = new Map<number, PromiseWithResolvers<AuthenticationResults>>();
  #count = 0;
  #pongs: (() => void)[] = [];

  constructor(answer: ReturnType<typeof createQuestions>) {
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), {
      name: 'authenticate-mail',
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP },
    });
    this.#worker.unref();
    this.#worker.on('message', (message: FromThread) => {
      switch (message.kind) {
        case 'question':
          void answer(message.name, message.type).then((found) =>
            this.#worker.postMessage({ kind: 'answer', id: message.id, ...found } satisfies DnsAnswer),
          );
          break;
        case 'done':
          this.#take(message.id)?.resolve(message.results);
          break;
        case 'failed':
          this.#take(message.id)?.reject(new Error(message.message));
          break;
        case 'pong':
          for (const pong of this.#pongs.splice(0)) pong();
      }
    });
    this.#worker.on('error', (error: Error) => this.#lost(error));
    this.#worker.on('exit', () => this.#lost(new Error('the thread that judges mail has ended')));
  }

  run(task: Omit<Task, 'kind' | 'id'>): Promise<AuthenticationResults> {
    const id = ++this.#count;
    const results = Promise.withResolvers<AuthenticationResults>();
    this.#tasks.set(id, results);
    this.#worker.postMessage({ kind: 'task', id, ...task } satisfies Task, [task.source.buffer]);
    return results.promise;
  }

  ping(): Promise<true> {
    this.#worker.postMessage({ kind: 'ping' } satisfies Ping);
    return new Promise((resolve) => this.#pongs.push(() => resolve(true)));
  }

  async end(): Promise<void> {
    this.ended = true;
    await this.#worker.terminate();
  }

  #take(id: number): PromiseWithResolvers<AuthenticationResults> | undefined {
    const results = this.#tasks.get(id);
    this.#tasks.delete(id);
    return results;
  }

  #lost(error: Error): void {
    this.ended = true;
    for (const results of this.#tasks.values()) results.reject(error);
    this.#tasks.clear();
  }
}
