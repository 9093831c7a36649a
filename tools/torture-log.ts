// npm run torture-log -- [--seconds 3600] [--nodes 4] [--readers 12] [--writers 32]: the exactness of the event log, for as
// long as one likes, on a PostgreSQL of its own. test/e2e/log-exactness.test.ts runs the same for a few seconds.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startNode } from '#/app.ts';
import { migrateToLatest } from '#/db/migrate.ts';
import { encodeId } from '#/domain/ids.ts';
import { bootstrap } from '#/resolvers/installation/bootstrap.ts';
import { loadConfig } from '#/runtime/config.ts';
import { startEmbeddedPostgres } from '#/runtime/embedded-postgres.ts';
import { createLog } from '#/runtime/log.ts';
import { tortureLog } from '../test/support/log-torture.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    nodes: { type: 'string', default: '4' },
    readers: { type: 'string', default: '12' },
    writers: { type: 'string', default: '32' },
  },
});

const log = createLog({ level: 'warn' });
await using stack = new AsyncDisposableStack();
const dataDir = await mkdtemp(join(tmpdir(), 'veredus-torture-'));
await chmod(dataDir, 0o711);
stack.defer(() => rm(dataDir, { recursive: true, force: true }));
const postgres = await startEmbeddedPostgres({ dataDir, durable: false, maxConnections: 200, log });
stack.defer(() => postgres.stop());
const { connectionString } = postgres;
await migrateToLatest(connectionString, new Date());
const config = loadConfig({
  VEREDUS_HTTP_PORT: '0',
  VEREDUS_WORKERS: '1',
  VEREDUS_ROLES: 'api',
  VEREDUS_RATE_LIMIT: '0',
  VEREDUS_SECRET_KEY: 'a key that protects nothing but this run of a test',
});
const nodes: { readonly url: string; readonly deps: Awaited<ReturnType<typeof startNode>>['deps'] }[] = [];
for (let index = 0; index < Number(values.nodes); index++) {
  const node = stack.use(await startNode({ log, config, connectionString }));
  nodes.push({ url: `http://127.0.0.1:${node.httpPort}`, deps: node.deps });
}
const [first] = nodes;
if (first === undefined) throw new Error('there is no node');
const account = await bootstrap(first.deps, {
  account: 'Torture',
  ownerEmail: 'owner@acme.example',
  ownerPasswordHash: null,
  server: 'Production',
  delivery: 'SANDBOX',
  verifiedDomains: [],
});
console.log(
  `${values.writers} writers, ${values.readers} readers, ${values.nodes} nodes, ${encodeId('server', account.serverId)}`,
);
const { failures, ...counts } = await tortureLog({
  connectionString,
  nodes,
  account,
  seconds: Number(values.seconds),
  writers: Number(values.writers),
  readers: Number(values.readers),
  say: (line) => console.log(line),
});
console.log(JSON.stringify(counts));
for (const failure of failures) console.error(failure);
console.log(failures.length === 0 ? 'Everybody saw each event once and in the one order.' : 'FAILED');
process.exitCode = failures.length === 0 ? 0 : 1;
