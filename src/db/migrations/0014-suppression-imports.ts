// Files of suppressions that customers send, and how far each has been worked off.
// Frozen in time: imports nothing of ours.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // WAITING: for its file, until upload_until. upload_id: whose pieces are stored; who began last.
  `create type suppression_import_status as enum ('WAITING', 'QUEUED', 'RUNNING', 'COMPLETED', 'FAILED')`,

  // next_offset, next_line: where the next row begins; moved in the transaction that suppresses the rows before it.
  // turn_at: who is next among those that are QUEUED or RUNNING. tries: in a row that failed for no fault of the file.
  // problem_lines, problem_texts: side by side.
  `create table suppression_imports (
     account_id uuid not null,
     id uuid not null,
     stream_id uuid not null,
     status suppression_import_status not null,
     note text,
     started_by text not null,
     created_at timestamptz not null,
     upload_until timestamptz not null,
     upload_id uuid,
     bytes integer not null default 0,
     next_offset integer not null default 0,
     next_line integer not null default 1,
     rows_read integer not null default 0,
     rows_added integer not null default 0,
     rows_present integer not null default 0,
     rows_refused integer not null default 0,
     problem_lines integer[] not null default '{}',
     problem_texts text[] not null default '{}',
     failure text,
     tries smallint not null default 0,
     turn_at timestamptz not null,
     uploaded_at timestamptz,
     finished_at timestamptz,
     primary key (account_id, id),
     foreign key (account_id, stream_id) references message_streams (account_id, id))`,
  `create index suppression_imports_newest on suppression_imports (stream_id, id)`,
  `create index suppression_imports_open on suppression_imports (account_id)
     where status in ('WAITING', 'QUEUED', 'RUNNING')`,
  `create index suppression_imports_turn on suppression_imports (turn_at) where status in ('QUEUED', 'RUNNING')`,
  `create index suppression_imports_old on suppression_imports (created_at)`,

  `create table suppression_import_pieces (
     account_id uuid not null,
     import_id uuid not null,
     ordinal integer not null,
     data bytea not null,
     primary key (account_id, import_id, ordinal),
     foreign key (account_id, import_id) references suppression_imports (account_id, id) on delete cascade)`,
];
