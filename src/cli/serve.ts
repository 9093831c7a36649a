// `veredus serve`: the database, the migrations, and the processes that run the roles; then waits for the end.
import { AggregatorRegistry } from 'prom-client';
import { createBase } from '#/base.ts';
import { endArrivalLeases } from '#/db/arrivals.ts';
import { endAllLeases } from '#/db/delivery-queue.ts';
import { endInboundLeases } from '#/db/inbound-work.ts';
import { endWebhookLeases } from '#/db/webhook-work.ts';
import { migrateToLatest } from '#/db/migrate.ts';
import { writeInSystemScope } from '#/db/scope.ts';
import { createMetricsServer } from '#/http/metrics-server.ts';
import { systemClock } from '#/runtime/clock.ts';
import { refuseClaimedPort } from '#/runtime/claimed-port.ts';
import { type Config, loadConfig } from '#/runtime/config.ts';
import { environment } from '#/runtime/environment.ts';
import { createLog } from '#/runtime/log.ts';
import type { Log } from '#/runtime/ports.ts';
import { obtainSecretKeys } from '#/runtime/secret-keys.ts';
import { obtainSmtpCertificate } from '#/runtime/smtp-certificate.ts';
import { readArguments } from './arguments.ts';
import { openDatabase } from './database.ts';
import { addresses, firstSteps } from './first-start.ts';
import { assertSharedKey } from './shared-key.ts';
import { startWorkers } from './workers.ts';

export async function run(args: readonly string[]): Promise<void> {
  readArguments(args, {});
  const config = loadConfig(environment());
  const secretKeys = await obtainSecretKeys(config);
  const log = createLog({ level: config.logLevel });
  // Before anything starts that a signal would have to stop.
  const end = Promise.withResolvers<string>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => end.resolve(signal));

  await using stack = new AsyncDisposableStack();
  const database = stack.use(await openDatabase(config, log, 'own'));
  const { connectionString } = database;
  if (config.autoMigrate) await migrateToLatest(connectionString, systemClock.now());
  const steps = await prepareInstallation(config, connectionString, secretKeys, log);

  // Workers that all found an old one would each make their own.
  if (config.roles.has('submission') || config.roles.has('inbound')) await obtainSmtpCertificate(config, systemClock);
  await refuseClaimedPorts(config);
  const env = {
    VEREDUS_DATABASE_URL: connectionString,
    VEREDUS_DATABASE_URL_FILE: '',
    VEREDUS_SECRET_KEY: secretKeys.join(','),
    VEREDUS_SECRET_KEY_FILE: '',
  };
  const workers = startWorkers({ count: config.workers, env, log, clock: systemClock });
  stack.defer(() => workers.stop());
  const failed = Promise.race([
    workers.ready.then(() => new Promise<never>(() => {})),
    database.exited.then(({ code }) =>
      Promise.reject(new Error(`the embedded PostgreSQL ended by itself (code ${code})`)),
    ),
  ]);
  const httpPort = await Promise.race([workers.ready, failed, end.promise.then(() => null)]);
  if (config.metricsPort !== null) stack.use(await serveMetrics(config, config.metricsPort));
  if (config.roles.has('api')) {
    console.log(addresses(config, httpPort));
    if (steps !== null) console.log(steps(httpPort));
  }
  log.info({ httpPort, workers: config.workers, roles: [...config.roles] }, 'serving');

  const reason = await Promise.race([end.promise, failed]);
  log.info({ reason }, 'stopping');
}

async function refuseClaimedPorts(config: Config): Promise<void> {
  const { roles, submissionPort, submissionsPort, inboundPort, smtpHost } = config;
  const ports = [
    ...(roles.has('submission') ? [submissionPort, submissionsPort] : []),
    ...(roles.has('inbound') ? [inboundPort] : []),
  ];
  for (const port of ports) await refuseClaimedPort(port, smtpHost);
}

/** Before any worker runs: ends the leases of dead ones; on an empty installation makes the sandbox server and what to tell of it. */
async function prepareInstallation(config: Config, connectionString: string, secretKeys: readonly string[], log: Log) {
  await using base = createBase({ connectionString, secretKeys, log });
  // The embedded server's folder is locked to this process: whoever held a lease is dead, and need not be waited for.
  if (config.databaseUrl === null) {
    await writeInSystemScope(base.system, systemClock.now(), async (scope) => {
      await endAllLeases(scope);
      await endWebhookLeases(scope);
      await endInboundLeases(scope);
      await endArrivalLeases(scope);
    });
  }
  await assertSharedKey(base);
  return await firstSteps(config, base);
}

async function serveMetrics(config: Config, port: number): Promise<AsyncDisposable> {
  const all = new AggregatorRegistry();
  const registry = { metrics: () => all.clusterMetrics(), contentType: all.contentType };
  const server = createMetricsServer(config.httpHost, port, () => Promise.resolve(true), registry);
  await server.listen();
  return { [Symbol.asyncDispose]: () => server.close() };
}
