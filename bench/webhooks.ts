// Webhooks: how long an event takes from its acceptance to a healthy endpoint, alone and with fifty dead ones beside it that
// are to get every event too; and how many a second one endpoint gets. Endpoints stand in a thread of their own.
import { setTimeout as sleep } from 'node:timers/promises';
import { sealPurpose, sealTarget } from '#/domain/webhooks/endpoint.ts';
import { makeSecret } from '#/domain/webhooks/signature.ts';
import { createIds } from '#/runtime/ids.ts';
import { systemClock } from '#/runtime/clock.ts';
import { systemRandom } from '#/runtime/random.ts';
import { createSecretBox } from '#/runtime/secret-box.ts';
import { connect } from './database.ts';
import { DOMAIN } from './letters.ts';
import { until } from './programs.ts';
import { atMost, type Context, figure, type Outcome } from './scenario.ts';
import { type Serving, SECRET_KEY, startServing } from './serving.ts';
import { percentile } from './stats.ts';
import { type Endpoints, startEndpoints } from './webhook-endpoints.ts';

const DEAD = 50;
const SEND =
  'mutation ($input: SendEmailsInput!) { sendEmails(input: $input) { __typename ... on Error { code message } } }';
const BATCH = 10;
/** Mails a second: a busy installation, far from its limit. */
const RATE = 100;

export async function webhooks(context: Context): Promise<readonly Outcome[]> {
  const seconds = context.quick ? 5 : 20;
  const burst = context.quick ? 2_000 : 20_000;
  await using endpoints = await startEndpoints();
  await using serving = await startServing(context, {
    settings: { VEREDUS_ROLES: 'api,webhooks,maintenance', VEREDUS_ALLOW_PRIVATE_NETWORKS: 'true' },
  });
  await addWebhooks(serving, [endpoints.url]);
  await steady(serving, endpoints, context.quick ? 2 : 5);
  const rates: number[] = [];
  const alone: (readonly number[])[] = [];
  for (let run = 1; run <= context.runs; run++) {
    rates.push(await flood(serving, endpoints, burst));
    alone.push(await steady(serving, endpoints, seconds));
    context.say(`webhooks ${run}: ${Math.round(rates.at(-1) ?? 0)}/s, alone p99 ${p99(alone.at(-1))} ms`);
  }
  const dead = Array.from({ length: DEAD }, (_, index) =>
    index % 2 === 0 ? endpoints.hangingUrl : endpoints.closedUrl,
  );
  await addWebhooks(serving, dead);
  // Each is found to be dead by its first calls.
  await steady(serving, endpoints, context.quick ? 5 : 20);
  const beside: (readonly number[])[] = [];
  for (let run = 1; run <= context.runs; run++) {
    beside.push(await steady(serving, endpoints, seconds));
    context.say(`webhooks ${run}: beside ${DEAD} dead ones p99 ${p99(beside.at(-1))} ms`);
  }
  const at = (runs: readonly (readonly number[])[], share: number) => runs.map((run) => percentile(run, share));
  return [
    figure('delivered a second to one endpoint', '/s', rates),
    figure('acceptance to the endpoint, p50', 'ms', at(alone, 0.5)),
    figure('acceptance to the endpoint, p99', 'ms', at(alone, 0.99)),
    figure(`the same beside ${DEAD} dead ones, p50`, 'ms', at(beside, 0.5)),
    figure(`the same beside ${DEAD} dead ones, p99`, 'ms', at(beside, 0.99), { target: atMost(250) }),
  ];
}

const p99 = (latencies: readonly number[] = []) => percentile(latencies, 0.99).toFixed(1);

/** Below the limit of a server, and without trial calls: as rows, sealed with the key of the benchmark. */
async function addWebhooks(serving: Serving, urls: readonly string[]): Promise<void> {
  const secrets = createSecretBox([SECRET_KEY], systemRandom);
  const ids = createIds(systemClock, systemRandom);
  await using client = await connect(serving.connectionString);
  for (const url of urls) {
    const row = { accountId: serving.accountUuid, id: ids.next() };
    const target = secrets.seal(sealTarget({ url, headers: [], basicAuth: null }), sealPurpose(row, 'target'));
    const secret = makeSecret((length) => systemRandom.bytes(length));
    const sealed = secrets.seal(Buffer.from(secret), sealPurpose(row, 'secret'));
    await client.query(
      `insert into webhooks (account_id, id, server_id, url_shown, target_encrypted, secret_encrypted, events, created_at,
         verified_at, cursor_xact, cursor_id)
       select $1, $2, $3, $4, $5, $6, '{ACCEPTED}', now(), now(),
         pg_snapshot_xmin(pg_current_snapshot())::text::bigint + log_offset, '00000000-0000-0000-0000-000000000000'
       from installation`,
      [row.accountId, row.id, serving.serverUuid, url, target, sealed],
    );
  }
  await client.query('notify veredus_webhooks');
  await until(async () => (await client.query('select 1 from webhooks where lease_owner is null')).rows.length === 0, {
    everyMs: 100,
    timeoutMs: 30_000,
    describe: () => 'nobody takes the webhooks',
  });
}

/** Milliseconds from each event's own time to its arrival, at a steady rate. */
async function steady(serving: Serving, endpoints: Endpoints, seconds: number): Promise<readonly number[]> {
  await endpoints.take(0);
  const start = performance.now();
  const count = seconds * RATE;
  for (let sent = 0; sent < count; sent += BATCH) {
    await send(serving, BATCH);
    await sleep(Math.max(0, start + ((sent + BATCH) / RATE) * 1_000 - performance.now()));
  }
  return (await endpoints.take(count)).map(({ latency }) => latency);
}

/** Deliveries a second between the first and the last of many that were accepted at once. */
async function flood(serving: Serving, endpoints: Endpoints, count: number): Promise<number> {
  await endpoints.take(0);
  const batches = Array.from({ length: count / 500 });
  for (let at = 0; at < batches.length; at += 4)
    await Promise.all(batches.slice(at, at + 4).map(() => send(serving, 500)));
  const calls = await endpoints.take(count);
  const times = calls.map(({ at }) => at);
  return (count * 1_000) / (Math.max(...times) - Math.min(...times));
}

async function send(serving: Serving, count: number): Promise<void> {
  const messages = Array.from({ length: count }, () => ({
    from: `noreply@${DOMAIN}`,
    to: ['customer@mail.example'],
    text: 'Your code is 123456.',
  }));
  const response = await fetch(`http://127.0.0.1:${serving.port}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${serving.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query: SEND, variables: { input: { messages } } }),
  });
  const answer = await response.text();
  if (answer.includes('"code"')) throw new Error(`an unexpected answer: ${answer.slice(0, 300)}`);
}
