// Where a message is read: small ones here, big ones and everything that may unpack to much in a worker thread, so that
// nothing that somebody sends keeps the event loop of the server busy for more than some milliseconds.
import { Worker } from 'node:worker_threads';
import { MAX_RETURNED, readReturned } from '../bounce/read-report.ts';
import type { Returned } from '../bounce/returned.ts';
import { contentJson, type ContentJsonOptions } from '../content-json.ts';
import type { ReportAbout, ReportedDomain } from '../reports/about-domain.ts';
import { type StrippedReply, strippedReply } from '../reply/stripped-reply.ts';
import { parseSubmitted, type Submitted } from '../source/parse-submitted.ts';
import { type IncomingAttachment, type IncomingMail, type MailOutline, outlineOf, parseMail } from './incoming-mail.ts';
import { MailTooBig, MIME_LIMITS } from './limits.ts';
import { asBuffer } from './line-ends.ts';
import type { Answer, Task } from './offload-worker.ts';
import { ownCopy } from './own-copy.ts';

export interface ReadOptions {
  /** Ends the work and the thread that does it: how long a message may take is for who has a clock. */
  readonly signal?: AbortSignal;
}

/** The worst messages of this size that we could make take some 30 ms; an ordinary one takes less than one. */
const BIG_MAIL = 32 * 1024;
const BIG_TEXT = 32 * 1024;
/** More would only take the processors from who delivers. */
const MAX_WORKERS = 2;
/** MB. A message has at most 50, and is held three times while it is read. */
const MAX_HEAP = 512;

/** Reads a message that came in. Fails with MailTooBig, and when the signal says so. */
export async function readMail(source: Uint8Array, options: ReadOptions = {}): Promise<IncomingMail> {
  refuseTooBig(source);
  if (source.length <= BIG_MAIL) return parseMail(source);
  return (await pool.run({ kind: 'mail', source: await ownCopy(source) }, options.signal)) as IncomingMail;
}

/** The same for whoever does not want what it contains: texts of 50 MB take their time to come here, too. */
export async function readOutline(source: Uint8Array, options: ReadOptions = {}): Promise<MailOutline> {
  refuseTooBig(source);
  if (source.length <= BIG_MAIL) return outlineOf(parseMail(source));
  return (await pool.run({ kind: 'outline', source: await ownCopy(source) }, options.signal)) as MailOutline;
}

/** One file of it; null where there is none. */
export async function readAttachment(
  source: Uint8Array,
  index: number,
  options: ReadOptions = {},
): Promise<IncomingAttachment | null> {
  refuseTooBig(source);
  if (source.length <= BIG_MAIL) return parseMail(source).attachments[index] ?? null;
  const task = { kind: 'attachment', index, source: await ownCopy(source) } as const;
  return (await pool.run(task, options.signal)) as IncomingAttachment | null;
}

/** What it says as the body of a call. */
export async function readContentJson(
  source: Uint8Array,
  json: ContentJsonOptions,
  options: ReadOptions = {},
): Promise<Uint8Array> {
  refuseTooBig(source);
  if (source.length <= BIG_MAIL) return contentJson(source, json);
  const task = { kind: 'json', options: json, source: await ownCopy(source) } as const;
  return (await pool.run(task, options.signal)) as Uint8Array;
}

/** A message that a customer's program has composed. */
export async function readSubmitted(source: Uint8Array, options: ReadOptions = {}): Promise<Submitted> {
  if (source.length <= BIG_MAIL) return parseSubmitted(source);
  const task = { kind: 'submitted', source: await ownCopy(source) } as const;
  const { submission, ...read } = (await pool.run(task, options.signal)) as Submitted;
  return {
    ...read,
    submission: submission === null ? null : { ...submission, source: asBuffer(submission.source) },
  };
}

/** What a mail to a report address says of a domain: small files unpack to big ones, so never here. */
export async function readReportAbout(
  source: Uint8Array,
  about: ReportedDomain,
  options: ReadOptions = {},
): Promise<ReportAbout> {
  if (source.length > MIME_LIMITS.maxSize) return { kind: 'none' };
  return (await pool.run({ kind: 'report', about, source: await ownCopy(source) }, options.signal)) as ReportAbout;
}

/** What a message that came back says: bounce, complaint, answer of a machine. */
export async function readReturnedMail(source: Uint8Array, options: ReadOptions = {}): Promise<Returned> {
  if (source.length <= BIG_MAIL) return readReturned(source);
  const start = await ownCopy(source.subarray(0, MAX_RETURNED));
  return (await pool.run({ kind: 'returned', source: start }, options.signal)) as Returned;
}

export async function readStrippedReply(
  { text, html }: Pick<IncomingMail, 'text' | 'html'>,
  options: ReadOptions = {},
): Promise<StrippedReply> {
  if ((text?.length ?? 0) + (html?.length ?? 0) <= BIG_TEXT) return strippedReply({ text, html });
  return (await pool.run({ kind: 'reply', text, html }, options.signal)) as StrippedReply;
}

function refuseTooBig({ length }: Uint8Array): void {
  if (length > MIME_LIMITS.maxSize) throw new MailTooBig(`a message of ${length} octets`);
}

interface Job {
  readonly task: Task;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly signal: AbortSignal | undefined;
  worker: Worker | null;
  settled: boolean;
}

class WorkerPool {
  private readonly idle: Worker[] = [];
  private readonly waiting: Job[] = [];
  private readonly current = new Map<Worker, Job>();
  private workers = 0;

  run(task: Task, signal: AbortSignal | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const job: Job = { task, resolve, reject, signal, worker: null, settled: false };
      if (signal?.aborted === true) {
        reject(reasonOf(signal));
        return;
      }
      signal?.addEventListener('abort', () => this.abort(job), { once: true });
      this.waiting.push(job);
      this.next();
    });
  }

  private next(): void {
    const job = this.waiting[0];
    if (job === undefined) return;
    const worker = this.idle.pop() ?? (this.workers < MAX_WORKERS ? this.start() : null);
    if (worker === null) return;
    this.waiting.shift();
    if (job.settled) {
      this.idle.push(worker);
      this.next();
      return;
    }
    job.worker = worker;
    this.current.set(worker, job);
    // Only while it works does it keep the process alive.
    worker.ref();
    worker.postMessage(job.task, 'source' in job.task ? [job.task.source.buffer] : []);
  }

  private start(): Worker {
    const worker = new Worker(new URL('./offload-worker.ts', import.meta.url), {
      name: 'parse-mail',
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP },
    });
    this.workers++;
    worker.on('message', (answer: Answer) => {
      const job = this.current.get(worker);
      this.current.delete(worker);
      worker.unref();
      this.idle.push(worker);
      if (job !== undefined) settle(job, answer);
      this.next();
    });
    worker.on('error', (error: Error) => this.lost(worker, error));
    worker.on('exit', () => this.lost(worker, new Error('the thread that read a message has ended')));
    worker.unref();
    return worker;
  }

  /** Out of memory, or ended on purpose; told by `error` and then by `exit`. */
  private lost(worker: Worker, error: Error): void {
    const job = this.current.get(worker);
    this.current.delete(worker);
    const index = this.idle.indexOf(worker);
    if (index >= 0) this.idle.splice(index, 1);
    if (!gone.has(worker)) {
      gone.add(worker);
      this.workers--;
    }
    if (job !== undefined) settle(job, { error });
    this.next();
  }

  private abort(job: Job): void {
    if (job.settled) return;
    const error = reasonOf(job.signal);
    settle(job, { error });
    if (job.worker === null) return;
    this.current.delete(job.worker);
    void job.worker.terminate();
  }
}

const gone = new WeakSet<Worker>();

function settle(job: Job, answer: Answer): void {
  if (job.settled) return;
  job.settled = true;
  if ('error' in answer) job.reject(answer.error);
  else job.resolve(answer.value);
}

function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error('reading a message was given up');
}

const pool = new WorkerPool();
