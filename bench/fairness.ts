// A broadcast of one account while another sends password resets: how long those wait between acceptance and the first
// attempt, and how much of the broadcast still waited meanwhile.
import { BATCH, BATCH_BYTES, BATCH_CONNECTIONS } from './batch.ts';
import { connect, type Connection, numberFrom } from './database.ts';
import { ACCEPTED, sendEmailsBody, writeLetter } from './letters.ts';
import { runLoad } from './load.ts';
import { startRelaying } from './relay-run.ts';
import { atMost, type Context, figure, type Outcome } from './scenario.ts';
import type { Serving } from './serving.ts';
import { startSink } from './sink.ts';
import { percentile } from './stats.ts';

const EVERY_MS = 100;
const OTHER = 'other.example';

const SEND = `mutation ($input: SendEmailInput!) { sendEmail(input: $input) {
  __typename ... on Message { id } ... on Error { message } } }`;
const WAITS = `
  select extract(epoch from min(a.started_at) - m.accepted_at) * 1000 as wait
  from messages m left join delivery_attempts a
    on a.account_id = m.account_id and a.message_id = m.id and a.bucket = m.bucket
  where m.server_id = $1 group by m.id, m.accepted_at`;
const OPEN = 'select count(*) from delivery_queue where server_id = $1';

export async function fairness(context: Context): Promise<readonly Outcome[]> {
  const broadcast = context.quick ? 10_000 : 200_000;
  await using sink = await startSink(context.say);
  await using serving = await startRelaying(context, sink);
  const other = await serving.another('Other', OTHER);
  await using client = await connect(serving.connectionString);
  await reset(serving, other.token, 0);
  const flooding = flood(serving, broadcast).then(() => 'accepted' as const);
  const waiting: number[] = [];
  let sent = 1;
  // Until the broadcast is through: it must be there all the while for the figure to mean anything.
  for (let more = true; more; sent++) {
    await reset(serving, other.token, sent);
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    if (sent % 10 !== 0) continue;
    waiting.push(await numberFrom(client, OPEN, [serving.serverUuid]));
    const accepted = await Promise.race([flooding, new Promise<null>((resolve) => setImmediate(() => resolve(null)))]);
    more = accepted === null || (waiting.at(-1) ?? 0) > 0;
  }
  const waits = await waitsOf(client, other.serverUuid);
  context.say(
    `fairness: ${sent} resets beside ${broadcast} mails, of which up to ${Math.max(...waiting)} were waiting`,
  );
  return [
    figure('p99 of a reset, acceptance to first attempt', 'ms', [percentile(waits, 0.99)], { target: atMost(2_000) }),
    figure('p50 of a reset', 'ms', [percentile(waits, 0.5)]),
    figure('most that waited of the broadcast', '', [Math.max(...waiting)]),
  ];
}

async function reset(serving: Serving, token: string, number: number): Promise<void> {
  const input = {
    from: `noreply@${OTHER}`,
    to: [`user-${number}@mail.example`],
    subject: 'Reset your password',
    text: 'Follow the link within ten minutes.',
  };
  const response = await fetch(`http://127.0.0.1:${serving.port}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query: SEND, variables: { input } }),
  });
  const answer = await response.text();
  if (!answer.includes(ACCEPTED)) throw new Error(`a reset was answered ${answer}`);
}

async function flood(serving: Serving, messages: number): Promise<void> {
  const letters = Array.from({ length: BATCH }, (_, index) => writeLetter(1_000 + index, BATCH_BYTES));
  const body = sendEmailsBody(letters, 'broadcast').replaceAll('"tag":"receipt"', '"stream":"broadcast"');
  await runLoad({
    port: serving.port,
    token: serving.token,
    connections: BATCH_CONNECTIONS,
    bodies: [body],
    itemsPerRequest: BATCH,
    first: 0,
    expect: { text: ACCEPTED, count: BATCH },
    until: { requests: messages / BATCH },
  });
}

/** Of those that were tried; the last few may not have been yet. */
async function waitsOf(client: Connection, serverUuid: string): Promise<number[]> {
  for (;;) {
    const { rows } = await client.query(WAITS, [serverUuid]);
    const waits = rows.map((row) => row['wait']);
    if (waits.every((wait) => wait !== null)) return waits.map(Number);
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}
