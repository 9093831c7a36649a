// One process of a node, started by `serve` (never by hand): runs the roles until its parent says stop or is gone.
import cluster from 'node:cluster';
import { AggregatorRegistry, collectDefaultMetrics, Registry } from 'prom-client';
import { startNode } from '#/app.ts';
import { loadConfig } from '#/runtime/config.ts';
import { environment } from '#/runtime/environment.ts';
import { createLog } from '#/runtime/log.ts';
import { UsageError } from './arguments.ts';
import { type FromWorker, isStop } from './workers.ts';

export async function run(): Promise<void> {
  if (!cluster.isWorker) throw new UsageError('worker is started by serve');
  const config = loadConfig(environment());
  const log = createLog({ level: config.logLevel });
  const stop = Promise.withResolvers<void>();
  // A terminal's Ctrl-C reaches the whole group; the parent decides when this process ends.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => stop.resolve());
  process.on('message', (message) => isStop(message) && stop.resolve());
  // The parent died: nobody will ever say stop.
  process.on('disconnect', () => stop.resolve());

  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  AggregatorRegistry.setRegistries(metrics);
  // Its making is what answers the parent's requests for figures.
  new AggregatorRegistry();
  const { databaseUrl } = config;
  if (databaseUrl === null) throw new UsageError('worker is started by serve');
  // The parent serves the metrics of all.
  const node = await startNode({
    config: { ...config, metricsPort: null },
    connectionString: databaseUrl,
    log,
    metrics,
  });
  const ready: FromWorker = { kind: 'ready', httpPort: node.httpPort };
  process.send?.(ready);
  await stop.promise;
  await node[Symbol.asyncDispose]();
  process.exit(0);
}
