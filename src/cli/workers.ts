// The processes of a node, as their parent sees them: started together, started again when one dies, stopped together.
import cluster, { type Worker } from 'node:cluster';
import type { Clock, Log } from '#/runtime/ports.ts';

export interface FromWorker {
  readonly kind: 'ready';
  readonly httpPort: number | null;
}

const STOP = 'veredus:stop';
/** A worker that dies at once must not be started in a circle. */
const RESTART_MS = 1_000;
/** Longer than a worker's own deadlines together; what is left then is abandoned, and recovered by leases. */
const STOP_MS = 25_000;
/**
 * Of V8 for young objects, of which it may take 32. A request's objects live for some 100 ms: with 8 MB most outlived two
 * collections and grew old, and what is old is collected with everything that is. 16 MB cost a tenth less processor time
 * (5 KB mails: 1.0 s in place of 2.0 for young objects, of 13), 24 no less, and the memory of two workers at full load
 * stays under 700 MB.
 */
const YOUNG_MB = 16;

export function isStop(message: unknown): boolean {
  return message === STOP;
}

export interface Workers {
  /** The port that they share; null without the role `api`. Rejects when the first start fails. */
  readonly ready: Promise<number | null>;
  stop(): Promise<void>;
}

export function startWorkers(options: {
  readonly count: number;
  readonly env: Readonly<Record<string, string>>;
  readonly log: Log;
  readonly clock: Clock;
}): Workers {
  const { count, log, clock } = options;
  const ready = Promise.withResolvers<number | null>();
  const started = new Set<number>();
  let stopping = false;

  cluster.setupPrimary({ args: ['worker'], execArgv: [...process.execArgv, `--max-semi-space-size=${YOUNG_MB}`] });
  const fork = (): void => {
    const worker = cluster.fork(options.env);
    worker.on('message', (message: FromWorker) => {
      if (message?.kind !== 'ready') return;
      started.add(worker.id);
      if (started.size >= count) ready.resolve(message.httpPort);
    });
    worker.on('error', (error) => log.warn({ error }, 'a worker could not be spoken to'));
    worker.once('exit', (code, signal) => {
      if (stopping) return;
      if (started.size < count)
        return ready.reject(new Error(`a worker ended at its start (${signal ?? `code ${code}`})`));
      log.error({ code, signal }, 'a worker died; another takes its place');
      void clock.sleep(RESTART_MS).then(() => stopping || fork());
    });
  };
  for (let index = 0; index < count; index++) fork();

  return {
    ready: ready.promise,
    async stop() {
      stopping = true;
      const workers = Object.values(cluster.workers ?? {}).filter((worker): worker is Worker => worker !== undefined);
      const ended = Promise.all(
        workers.map((worker) => new Promise<void>((resolve) => worker.once('exit', () => resolve()))),
      );
      for (const worker of workers) if (worker.isConnected()) worker.send(STOP);
      const done = new AbortController();
      await Promise.race([ended, clock.sleep(STOP_MS, done.signal)]);
      done.abort();
      for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL');
    },
  };
}
