// A load generator over HTTP/1.1: keep-alive connections, each sending its next request when the last is answered. It
// runs in a thread of its own and writes ready-made bytes into raw sockets, because a client library would take as much
// of two cores as what it measures.
import { Worker } from 'node:worker_threads';
import { percentile } from './stats.ts';

export interface LoadOptions {
  readonly port: number;
  readonly token: string;
  readonly connections: number;
  /** JSON bodies, taken in turn. Markers (letters.ts) in them become numbers, one for each item of a request. */
  readonly bodies: readonly string[];
  readonly itemsPerRequest: number;
  /** Number of the first item. */
  readonly first: number;
  /** What each answer must hold, and how often; anything else ends the run. */
  readonly expect: { readonly text: string; readonly count: number };
  readonly until: { readonly requests: number } | { readonly warmUpSeconds: number; readonly seconds: number };
}

export interface LoadResult {
  /** Answered within the measured time. */
  readonly requests: number;
  readonly items: number;
  readonly seconds: number;
  /** Milliseconds of each measured request. */
  readonly latencies: Float64Array;
  /** Number of the item that would have come next. */
  readonly next: number;
}

export interface Load {
  /** Settles when the last request is answered; rejects at the first unexpected answer. */
  readonly result: Promise<LoadResult>;
}

export function startLoad(options: LoadOptions): Load {
  const worker = new Worker(new URL('./load-worker.ts', import.meta.url), { workerData: options });
  const { promise, resolve, reject } = Promise.withResolvers<LoadResult>();
  worker.once('message', (answer: LoadResult | { readonly failure: string }) => {
    if ('failure' in answer) reject(new Error(answer.failure));
    else resolve(answer);
  });
  worker.once('error', reject);
  worker.once('exit', () => reject(new Error('the load generator ended without a result')));
  return { result: promise };
}

export function runLoad(options: LoadOptions): Promise<LoadResult> {
  return startLoad(options).result;
}

export const latencyAt = (result: LoadResult, share: number) => percentile(result.latencies, share);
