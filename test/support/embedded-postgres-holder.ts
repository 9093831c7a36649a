// A node process that starts an embedded PostgreSQL on the folder of its first argument, prints the connection string
// and stays: for tests that kill it.
import { setTimeout as sleep } from 'node:timers/promises';
import { startEmbeddedPostgres } from '#/runtime/embedded-postgres.ts';
import { silentLog } from './silent-log.ts';

const [dataDir] = process.argv.slice(2);
if (dataDir === undefined) throw new Error('usage: embedded-postgres-holder.ts DATA_DIR');
const server = await startEmbeddedPostgres({ dataDir, durable: true, memoryBytes: 2 ** 28, log: silentLog });
console.log(server.connectionString);
await sleep(60_000);
await server.stop();
