// sendEmails, 500 emails of 5 KB a request, 4 connections; beside it multi-row inserts of the same bytes into one table.
import pg from 'pg';
import { settle, startDatabase } from './database.ts';
import { ACCEPTED, type Letter, sendEmailsBody, writeLetter } from './letters.ts';
import { type LoadResult, runLoad } from './load.ts';
import { atLeast, type Context, type CpuCost, cpuCost, cpuFigures, figure, type Outcome, ratio } from './scenario.ts';
import { type Serving, startServing } from './serving.ts';

export const BATCH = 500;
export const BATCH_BYTES = 5_120;
export const BATCH_CONNECTIONS = 4;

export async function batch(context: Context): Promise<readonly Outcome[]> {
  const requests = context.quick ? 12 : 120;
  const accepted: number[] = [];
  const raw: number[] = [];
  const costs: CpuCost[] = [];
  await using database = await startDatabase(context);
  await using serving = await startServing(context, {
    connectionString: await database.create('accepting'),
    settings: { VEREDUS_ROLES: 'api,maintenance' },
  });
  const limit = await database.create('raw');
  await sendBatches(serving, 'warm-up', 0, context.quick ? 4 : 20);
  for (let run = 1; run <= context.runs; run++) {
    const before = serving.cpu();
    const result = await sendBatches(serving, `batch-${run}`, run * 10_000_000, requests);
    costs.push(cpuCost(before, serving.cpu(), result.items));
    accepted.push(result.items / result.seconds);
    await settle(database.connectionString);
    raw.push(await insertRaw(limit, requests));
    await settle(database.connectionString);
    context.say(`batch ${run}: ${Math.round(accepted.at(-1) ?? 0)}/s, raw inserts ${Math.round(raw.at(-1) ?? 0)}/s`);
  }
  const rate = figure('messages accepted a second', '/s', accepted, { target: atLeast(8_000) });
  const rows = figure('raw rows a second', '/s', raw, { remark: 'multi-row VALUES × 500, the same bytes' });
  return [rate, rows, ratio('ratio to raw inserts', rate, rows, atLeast(0.2)), ...cpuFigures(costs)];
}

/** What sendEmails is given: so many emails a request, and bodies that differ. */
export interface Bodies {
  readonly perRequest: number;
  /** JSON of as many requests as there are connections; idempotency keys begin with `run`. */
  of(run: string): readonly string[];
}

/** Each request has letters of its own; `domains`: theirs go round among so many. */
export function bodiesOf(bytes: number, perRequest: number, domains: number | null = null): Bodies {
  const letters = lettersOf(bytes, perRequest);
  return {
    perRequest,
    of: (run) =>
      letters.map((part, index) => {
        const body = sendEmailsBody(part, run);
        let next = index * perRequest;
        return domains === null ? body : body.replaceAll('@mail.example', () => `@${domainName(next++ % domains)}`);
      }),
  };
}

export const domainName = (number: number) => `d${number}.example`;

function lettersOf(bytes: number, perRequest: number): readonly (readonly Letter[])[] {
  return Array.from({ length: BATCH_CONNECTIONS }, (_, part) =>
    Array.from({ length: perRequest }, (_, index): Letter => writeLetter(1_000 + part * perRequest + index, bytes)),
  );
}

const usualBodies = bodiesOf(BATCH_BYTES, BATCH);

export function sendBatches(
  serving: Serving,
  run: string,
  first: number,
  requests: number,
  bodies: Bodies = usualBodies,
): Promise<LoadResult> {
  return runLoad({
    port: serving.port,
    token: serving.token,
    connections: BATCH_CONNECTIONS,
    bodies: bodies.of(run),
    itemsPerRequest: bodies.perRequest,
    first,
    expect: { text: ACCEPTED, count: bodies.perRequest },
    until: { requests },
  });
}

/** Rows a second. */
async function insertRaw(connectionString: string, statements: number): Promise<number> {
  const pool = new pg.Pool({ connectionString, max: BATCH_CONNECTIONS });
  try {
    // Not compressed by the server, which would be the slower way to write.
    await pool.query('drop table if exists raw_messages');
    await pool.query('create table raw_messages (id uuid primary key, body text storage external not null)');
    const places = Array.from({ length: BATCH }, (_, index) => `($${index * 2 + 1},$${index * 2 + 2})`);
    const text = `insert into raw_messages (id, body) values ${places.join(',')}`;
    const bodies = lettersOf(BATCH_BYTES, BATCH).map((part) => part.map(({ text, html }) => text + html));
    const insert = (part: number, statement: number) => {
      const values = (bodies[part] ?? []).flatMap((body, index) => [rawId(statement * BATCH + index), body]);
      return pool.query({ name: 'raw', text, values });
    };
    for (let part = 0; part < BATCH_CONNECTIONS; part++) await insert(part, part);
    let next = BATCH_CONNECTIONS;
    const end = next + statements;
    const startedAt = performance.now();
    await Promise.all(
      bodies.map(async (_, part) => {
        while (next < end) await insert(part, next++);
      }),
    );
    return (statements * BATCH) / ((performance.now() - startedAt) / 1_000);
  } finally {
    await pool.end();
  }
}

/** Rising, as time-ordered ids are. */
function rawId(number: number): string {
  return `0191a000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`;
}
