// API tokens: when one was rotated, what its account was reminded of, and after how long. Frozen in time: imports nothing
// of ours.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // reminded_…_at: a mail has told the owner and admins of it. It is told once.
  `alter table api_tokens
     add column rotated_at timestamptz,
     add column reminded_old_at timestamptz,
     add column reminded_unused_at timestamptz`,
  // Age of a token at which its account is reminded to rotate it.
  `alter table accounts
     add column token_reminder_days smallint not null default 90 check (token_reminder_days between 7 and 730)`,
];
