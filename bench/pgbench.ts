// The limit of single acceptances: pgbench committing the rows that one accepted email is, on prepared statements.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bucketAt, RETENTION_DAYS } from '#/domain/retention.ts';
import { metadataTerms, subjectTerms } from '#/domain/search-terms.ts';
import { encodeContent } from '#/mail/content.ts';
import { DOMAIN, type Letter } from './letters.ts';
import { findOrInstall, runProgram } from './programs.ts';

const CLIENTS = 32;

export interface Pgbench {
  readonly version: string;
  /** Commits a second. */
  run(seconds: number): Promise<number>;
}

/** `connectionString`: a migrated database. Why it cannot be run, where it cannot. */
export async function preparePgbench(
  connectionString: string,
  letter: Letter,
  say: (line: string) => void,
): Promise<Pgbench | string> {
  const program = findOrInstall('pgbench', 'postgresql-contrib', say);
  if (program === null) return 'pgbench is not installed, and could not be';
  const { output } = await runProgram(program, ['--version'], { timeoutMs: 10_000 });
  return {
    version: output.trim(),
    async run(seconds) {
      const folder = await mkdtemp(join(tmpdir(), 'veredus-pgbench-'));
      try {
        const script = join(folder, 'accept.sql');
        await writeFile(script, acceptance);
        const variables = Object.entries(variablesOf(letter)).flatMap(([name, value]) => ['-D', `${name}=${value}`]);
        const args = ['-n', '-M', 'prepared', '-c', CLIENTS, '-j', 2, '-T', seconds, '-f', script].map(String);
        const run = await runProgram(program, [...args, ...variables, connectionString], {
          timeoutMs: (seconds + 60) * 1_000,
        });
        const tps = /tps = ([\d.]+)/.exec(run.output)?.[1];
        if (tps === undefined) throw new Error(`pgbench said:\n${run.output}`);
        return Number(tps);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

/** Values travel as parameters, the content too. */
function variablesOf(letter: Letter) {
  const address = { name: null, address: `customer-000000000@mail.example` };
  const content = encodeContent({
    from: { name: 'Shop', address: `orders@${DOMAIN}` },
    to: [address],
    cc: [],
    replyTo: [],
    ...letter,
    headers: [],
    attachments: [],
  });
  const [word] = subjectTerms('Receipt');
  return {
    bucket: bucketAt(new Date(), RETENTION_DAYS.default),
    account: '0191a000-0000-7000-8000-000000000001',
    server: '0191a000-0000-7000-8000-000000000002',
    stream: '0191a000-0000-7000-8000-000000000003',
    from: `orders@${DOMAIN}`,
    subject: 'Receipt 000000000',
    word: word ?? 0,
    pair: metadataTerms({ order: '000000000' })[0] ?? 0,
    content: `\\x${content.toString('hex')}`,
    hash: `\\x${'ab'.repeat(32)}`,
  };
}

/**
 * One transaction as one statement: fewer round trips than a statement for each table, hence the higher limit. The same
 * rows and indexes as an acceptance has, with the same share of random places in them.
 */
const acceptance = `\\set order random(1, 999999999)
\\set number random(1, 9007199254740991)
with one as materialized (
  select uuidv7() as id, now() as now, 'customer-' || :order || '@mail.example' as address,
    jsonb_build_object('order', :order::text) as metadata),
key as (
  insert into idempotency_keys (account_id, server_id, key, request_hash, message_id, expires_at)
  select :account::uuid, :server::uuid, id::text, :hash::bytea, id, now + interval '24 hours' from one),
message as (
  insert into messages (bucket, account_id, id, server_id, stream_id, from_address, from_key, subject, tag, metadata,
    accepted_at, send_at, deliver_by, expires_at, message_id_header, attachments, size, sandboxed)
  select :bucket::int, :account::uuid, id, :server::uuid, :stream::uuid, :from::text, :from::text, :subject::text, 'receipt',
    metadata, now, null, now + interval '48 hours', now + interval '45 days', '<' || id || '@bench.example>', null, 2048, false
  from one),
terms as (
  insert into message_terms (bucket, server_id, account_id, term, message_id)
  select :bucket::int, :server::uuid, :account::uuid, term, id
  from one cross join unnest(array[:word::bigint, :number::bigint, :pair::bigint + :order::bigint]) as term),
content as (
  insert into message_contents (bucket, account_id, message_id, piece, body)
  select :bucket::int, :account::uuid, id, 0, :content::bytea from one),
recipient as (
  insert into recipients (bucket, account_id, message_id, ordinal, server_id, kind, status, address, address_key, settled_at)
  select :bucket::int, :account::uuid, id, 0, :server::uuid, 'TO', 'QUEUED', address, address, null from one),
queued as (
  insert into delivery_queue (account_id, message_id, ordinal, bucket, server_id, stream_id, lane, sandboxed, address, domain,
    due_at, deliver_by)
  select :account::uuid, id, 0, :bucket::int, :server::uuid, :stream::uuid, 0, false, address, 'mail.example', now,
    now + interval '48 hours' from one)
insert into events (bucket, account_id, server_id, log_xact, id, type, occurred_at, message_id, stream_id, recipient, tag,
  metadata, data)
select :bucket::int, :account::uuid, :server::uuid,
  pg_current_xact_id()::text::bigint + (select log_offset from installation), uuidv7(), 'ACCEPTED', now, id, :stream::uuid,
  address, 'receipt', metadata, null from one;
`;
