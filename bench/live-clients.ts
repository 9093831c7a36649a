// The subscribers of bench/live.ts, as processes of their own, and tokens for them.
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { makeToken } from '#/domain/token.ts';
import { systemRandom } from '#/runtime/random.ts';
import { atEnd } from './at-end.ts';
import { connect } from './database.ts';
import type { ClientOrder, ClientReport } from './live-client.ts';
import { endChild } from './programs.ts';
import type { Serving } from './serving.ts';

/** Below the limit of sockets for one token. */
const SOCKETS_PER_TOKEN = 190;

export interface Clients extends AsyncDisposable {
  /** Each a subscription of its own. */
  open(sockets: number, query: string): Promise<void>;
  close(): Promise<void>;
  measure(latencies: boolean): Promise<void>;
  report(): Promise<{ readonly count: number; readonly fewest: number; readonly latencies: Float64Array }>;
}

export async function startClients(serving: Serving, processes: number): Promise<Clients> {
  const children = Array.from({ length: processes }, () => {
    const child = fork(new URL('./live-client.ts', import.meta.url), { serialization: 'advanced' });
    const end = atEnd(() => endChild(child, 'SIGKILL', 1_000));
    const ask = (order: ClientOrder, answer: ClientReport['kind']) =>
      new Promise<ClientReport>((resolve, reject) => {
        const listener = (report: ClientReport) => {
          if (report.kind === 'failed') reject(new Error(report.reason));
          if (report.kind !== answer) return;
          child.off('message', listener);
          resolve(report);
        };
        child.on('message', listener);
        child.send(order);
      });
    return { ask, end };
  });
  return {
    async open(sockets, query) {
      const tokens = await makeTokens(serving, Math.ceil(sockets / SOCKETS_PER_TOKEN));
      const each = sockets / processes;
      await Promise.all(
        children.map(({ ask }) => ask({ kind: 'open', port: serving.port, tokens, sockets: each, query }, 'open')),
      );
    },
    async close() {
      await Promise.all(children.map(({ ask }) => ask({ kind: 'close' }, 'closed')));
    },
    async measure(withLatencies) {
      await Promise.all(children.map(({ ask }) => ask({ kind: 'measure', latencies: withLatencies }, 'measuring')));
    },
    async report() {
      const reports = await Promise.all(children.map(({ ask }) => ask({ kind: 'report' }, 'report')));
      const known = reports.filter((report) => report.kind === 'report');
      return {
        count: known.reduce((sum, { count }) => sum + count, 0),
        fewest: Math.min(...known.map(({ fewest }) => fewest)),
        latencies: Float64Array.from(known.flatMap(({ latencies: each }) => [...each])),
      };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(children.map(({ end }) => end()));
    },
  };
}

/** Copies of the program's own token, which differ in nothing but their secrets. */
async function makeTokens({ connectionString, serverUuid }: Serving, count: number): Promise<readonly string[]> {
  const secrets = Array.from({ length: count }, () => makeToken('vrs_', (length) => systemRandom.bytes(length)));
  await using client = await connect(connectionString);
  await client.query(
    `insert into api_tokens (account_id, id, kind, server_id, name, secret_hash, hint, scopes, created_at)
     select account_id, gen_random_uuid(), kind, server_id, name, secret, hint, scopes, created_at
     from (select * from api_tokens where server_id = $1 order by id limit 1) as own, unnest($2::bytea[]) as secret`,
    [serverUuid, secrets.map((secret) => createHash('sha256').update(secret).digest())],
  );
  return secrets;
}
