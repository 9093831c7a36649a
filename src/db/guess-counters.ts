// Failed guesses by what they are counted by. Keys are hashes: the table does not tell what people typed.
import { sql } from 'kysely';
import type { GuessCount } from '#/domain/identity/throttle.ts';
import type { Database } from './client.ts';
import type { SystemWriteScope, WriteScope } from './scope.ts';

type Counter = GuessCount & { readonly key: Buffer };
/** Counters belong to nobody. */
type Writing = WriteScope | SystemWriteScope;

export function findGuessCounters(db: Database, keys: readonly Buffer[]): Promise<Counter[]> {
  return db
    .selectFrom('guessCounters')
    .selectAll()
    .where('key', 'in', [...keys])
    .execute();
}

/** The counter, locked until the transaction ends: guesses of one key stand in line, whichever node they reach. */
export async function lockGuessCounter(scope: Writing, key: Buffer): Promise<GuessCount> {
  const never = new Date(0);
  const { rows } = await sql<Counter>`
    insert into guess_counters (key, failures, last_failed_at, blocked_until) values (${key}, 0, ${never}, ${never})
    on conflict (key) do update set failures = guess_counters.failures returning *`.execute(scope.tx);
  const [row] = rows;
  if (row === undefined) throw new Error('a counter was not made');
  return row;
}

export async function saveGuessCounter(scope: Writing, key: Buffer, count: GuessCount): Promise<void> {
  const { failures, lastFailedAt, blockedUntil } = count;
  await scope.tx
    .updateTable('guessCounters')
    .set({ failures, lastFailedAt, blockedUntil })
    .where('key', '=', key)
    .execute();
}

export async function clearGuessCounters(scope: SystemWriteScope, keys: readonly Buffer[]): Promise<void> {
  await scope.tx
    .deleteFrom('guessCounters')
    .where('key', 'in', [...keys])
    .execute();
}

export async function forgetGuesses(db: Database, before: Date): Promise<void> {
  await db.deleteFrom('guessCounters').where('lastFailedAt', '<', before).where('blockedUntil', '<', before).execute();
}
