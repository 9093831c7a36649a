// `npm run chaos -- [--mails N] [--nodes N] [--every SECONDS] [--seed N] [--policy RETRY|NEVER_TWICE]`: several nodes on one
// PostgreSQL accept and deliver mail while their processes are killed, the database crashes and the receiver goes away.
// A sink counts the copies of each mail. At the end none may be lost, and every copy too many must be on record as in
// doubt. Exit code 1 when that is not so.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#/runtime/embedded-postgres.ts';
import { createLog } from '#/runtime/log.ts';
import { request } from '../test/support/graphql-client.ts';
import { bootstrapProgram, type Program, type Settings, startProgram } from '../test/support/program.ts';
import { type SmtpPeer, startSmtpPeer } from '../test/support/smtp-peer.ts';

const { values } = parseArgs({
  options: {
    mails: { type: 'string', default: '50000' },
    nodes: { type: 'string', default: '2' },
    every: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    policy: { type: 'string', default: 'RETRY' },
  },
});
const MAILS = Number(values.mails);
const BATCH = 250;
const SENDERS = 2;

const SEND = `mutation ($input: SendEmailsInput!) {
  sendEmails(input: $input) { __typename ... on Message { id } ... on Error { code message } }
}`;

const log = createLog({ level: 'error' });
const random = seeded(Number(values.seed));
const chosen = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)];
const counts = { process: 0, node: 0, database: 0, outage: 0 };

const folder = await mkdtemp(join(tmpdir(), 'veredus-chaos-'));
const peer = await startSmtpPeer();
let database = await startDatabase();
const nodes = new Map<number, Program>();
let over = false;
try {
  const first = await startNode(0);
  const { serverToken } = await bootstrapProgram(settings(), [
    ...['--account', 'Acme', '--owner-email', 'owner@acme.example', '--server', 'Production'],
    ...['--verified-domain', 'acme.example'],
  ]);
  nodes.set(0, first);
  for (let index = 1; index < Number(values.nodes); index++) nodes.set(index, await startNode(index));
  await query('update message_streams set in_doubt_policy = $1::in_doubt_policy', [values.policy]);
  const breaking = breakThings();
  await sendAll(serverToken);
  await report('all are accepted');
  // Half of the trouble comes while nothing more is accepted.
  await until(async () => (await open()) < MAILS / 10, 300);
  over = true;
  await breaking;
  peer.setScript({ answer: () => null });
  await drain();
  process.exitCode = (await judge()) ? 0 : 1;
} finally {
  over = true;
  for (const node of nodes.values()) await node.kill().catch(() => {});
  await peer.close();
  await database.stop();
  await rm(folder, { recursive: true, force: true });
}

function settings(): Settings {
  return {
    VEREDUS_DATABASE_URL: database.connectionString,
    VEREDUS_OUTBOUND: 'relay',
    VEREDUS_RELAY_URL: `smtp://127.0.0.1:${peer.port}`,
    VEREDUS_SIGNING: 'off',
    VEREDUS_WORKERS: '2',
    VEREDUS_RATE_LIMIT: '0',
    VEREDUS_LOG_LEVEL: 'silent',
  };
}

function startNode(index: number): Promise<Program> {
  return startProgram({ ...settings(), VEREDUS_DATA_DIR: join(folder, `node-${index}`) }, 60_000);
}

function startDatabase(): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({ dataDir: join(folder, 'database'), durable: true, maxConnections: 200, log });
}

/** The same keys until the batch is answered, by whichever node is there: what a client does whose connection was cut. */
async function sendAll(token: string): Promise<void> {
  let next = 0;
  const sender = async (): Promise<void> => {
    while (next < MAILS) {
      const from = next;
      next += BATCH;
      const messages = Array.from({ length: Math.min(BATCH, MAILS - from) }, (_, index) => ({
        from: 'noreply@acme.example',
        to: [`r${from + index}@receiver.example`],
        subject: `Mail ${from + index}`,
        text: 'Your code is 123456.\n'.repeat(20),
        idempotencyKey: `chaos-${from + index}`,
      }));
      for (let done = false; !done; ) done = await trySending(token, messages);
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
}

async function trySending(token: string, messages: readonly object[]): Promise<boolean> {
  const node = chosen([...nodes.values()]);
  try {
    const sending = request<{ sendEmails: { id?: string; message?: string }[] }>(node?.url ?? '', token, SEND, {
      input: { messages },
    });
    // A node that is killed in the midst may leave its connection hanging.
    const answer = await Promise.race([sending, pause(20_000).then(() => null)]);
    if (answer === null) return false;
    for (const sent of answer.sendEmails) if (sent.id === undefined) throw new Error(`refused: ${sent.message}`);
    return true;
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('refused')) throw error;
    await pause(200);
    return false;
  }
}

async function breakThings(): Promise<void> {
  while (!over) {
    await pause(Number(values.every) * 1_000 * (0.5 + random()));
    if (over) return;
    const dice = random();
    if (dice < 0.5) await killProcess();
    else if (dice < 0.7) await killNode();
    else if (dice < 0.8) await crashDatabase();
    else await outage();
  }
}

/** A worker, whose parent starts another in its place. */
async function killProcess(): Promise<void> {
  const node = chosen([...nodes.values()]);
  const victim = chosen(node?.pids().slice(1) ?? []);
  if (victim === undefined) return;
  counts.process++;
  kill(victim, 'SIGKILL');
}

/** All of its processes at once, as a machine goes. */
async function killNode(): Promise<void> {
  const [index, node] = chosen([...nodes]) ?? [];
  if (index === undefined || node === undefined) return;
  counts.node++;
  nodes.delete(index);
  await node.kill();
  await restart(index);
}

async function restart(index: number): Promise<void> {
  // Unless the database is away as well.
  for (let tries = 0; tries < 5; tries++) {
    try {
      nodes.set(index, await startNode(index));
      return;
    } catch {
      await pause(1_000);
    }
  }
  throw new Error(`node ${index} could not be started again`);
}

/** As by a crash of the machine: without a checkpoint. */
async function crashDatabase(): Promise<void> {
  counts.database++;
  const [pid] = (await readFile(join(folder, 'database/postgres/postmaster.pid'), 'utf8')).split('\n');
  kill(Number(pid), 'SIGQUIT');
  await database.exited;
  await database.stop();
  database = await startDatabase();
}

async function outage(): Promise<void> {
  counts.outage++;
  // Half of the time in the worst moment: the content is taken, and the answer is not given.
  const worst = random() < 0.5;
  peer.setScript({ answer: ({ verb }) => (worst ? (verb === '.' && random() < 0.3 ? 'drop' : null) : 'drop') });
  if (!worst) peer.hangUp();
  await pause(2_000);
  peer.setScript({ answer: () => null });
}

/** What waits for its next attempt is tried now: the pauses are tested elsewhere. */
async function drain(): Promise<void> {
  await until(async () => {
    await query('update delivery_queue set due_at = now() where not ready and lease_owner is null');
    return (await open()) === 0;
  }, 600);
}

function open(): Promise<number> {
  return number('select count(*) from delivery_queue');
}

async function report(what: string): Promise<void> {
  console.log(
    `${what}: ${await open()} open, ${peer.messages.length} copies at the sink; killed so far: ${JSON.stringify(counts)}`,
  );
}

interface Row {
  readonly address: string;
  readonly status: string;
  readonly doubts: string;
}

async function judge(): Promise<boolean> {
  const rows = await query<Row>(`
    select r.address, r.status::text, (select count(*) from delivery_attempts a
      where a.account_id = r.account_id and a.message_id = r.message_id and a.ordinal = r.ordinal and a.bucket = r.bucket
        and a.outcome = 'IN_DOUBT') as doubts
    from recipients r`);
  const copies = copiesAt(peer);
  const inDoubt = rows.filter(({ doubts, status }) => Number(doubts) > 0 || status === 'IN_DOUBT');
  const doubtful = new Set(inDoubt.map(({ address }) => address));
  const lost = rows.filter(({ address, status }) => !copies.has(address) && !(status === 'IN_DOUBT'));
  const unsettled = rows.filter(({ status }) => status !== 'DELIVERED' && status !== 'IN_DOUBT');
  const doubled = [...copies].filter(([, count]) => count > 1).map(([address]) => address);
  const silent = doubled.filter((address) => !doubtful.has(address));
  const unaccounted = await number(`
    select sum(case kind when 'ACCEPTED' then count else -count end) from delivery_tallies`);
  console.log(`killed: ${JSON.stringify(counts)}, ${values.nodes} nodes, policy ${values.policy}, seed ${values.seed}
accepted      ${String(rows.length).padStart(8)}   of ${MAILS}
lost          ${String(lost.length).padStart(8)}   must be 0
in doubt      ${String(inDoubt.length).padStart(8)}   on record, of which ${rows.filter(({ status }) => status === 'IN_DOUBT').length} for good
doubled       ${String(doubled.length).padStart(8)}
  not in doubt${String(silent.length).padStart(8)}   must be 0
unsettled     ${String(unsettled.length).padStart(8)}   must be 0
unaccounted   ${String(unaccounted).padStart(8)}   must be 0`);
  for (const { address, status } of [...lost, ...unsettled].slice(0, 10)) console.log(`  ${address} ${status}`);
  const faults = lost.length + silent.length + unsettled.length + Math.abs(unaccounted) + (MAILS - rows.length);
  const twice = values.policy === 'NEVER_TWICE' ? doubled.length : 0;
  return faults + twice === 0;
}

/** By recipient, each of whom gets one mail; a second Message-ID for one would be a second mail. */
function copiesAt({ messages }: SmtpPeer): Map<string, number> {
  const copies = new Map<string, number>();
  const ids = new Map<string, string | null>();
  for (const { recipients, messageId } of messages) {
    for (const address of recipients) {
      copies.set(address, (copies.get(address) ?? 0) + 1);
      if (ids.has(address) && ids.get(address) !== messageId) throw new Error(`${address} got two different mails`);
      ids.set(address, messageId);
    }
  }
  return copies;
}

async function query<T extends object>(text: string, parameters: readonly unknown[] = []): Promise<T[]> {
  for (;;) {
    const client = new pg.Client({ connectionString: database.connectionString });
    client.on('error', () => {});
    try {
      await client.connect();
      return (await client.query<T>(text, [...parameters])).rows;
    } catch (error) {
      // Away, on its way up or down; anything else is a mistake of this program.
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (/^(?:22|23|42)/.test(code)) throw error;
      await pause(500);
    } finally {
      await client.end().catch(() => {});
    }
  }
}

async function number(text: string): Promise<number> {
  const [row] = await query(text);
  return Number(Object.values(row ?? {})[0] ?? 0);
}

async function until(condition: () => Promise<boolean>, seconds: number): Promise<void> {
  const end = performance.now() + seconds * 1_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${seconds} s: ${await open()} are still open`);
    await pause(1_000);
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself.
  }
}

/** mulberry32: the same trouble for the same seed, as far as times allow. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
