// Many rows in one statement, with one prepared plan for any number of them: columns travel as arrays (unnest). VALUES
// lists would need a plan per length and end at 65,535 parameters.
import { sql, type Transaction } from 'kysely';
import type { DB } from './tables.gen.ts';

export interface InsertSpec<R> {
  readonly table: string;
  /** PostgreSQL type of each column; keys are the row's. jsonb values are given as JSON text. */
  readonly columns: { readonly [K in keyof R & string]: string };
  /** Columns whose value is an expression, the same for all rows. */
  readonly computed?: Readonly<Record<string, string>>;
}

interface Compiled {
  readonly before: string;
  readonly after: string;
  readonly types: readonly string[];
}

const compiled = new WeakMap<object, Compiled>();

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

export async function insertAll<R extends object>(
  tx: Transaction<DB>,
  spec: InsertSpec<R>,
  rows: readonly R[],
): Promise<void> {
  if (rows.length === 0) return;
  let text = compiled.get(spec);
  if (text === undefined) compiled.set(spec, (text = compile(spec)));
  const { before, after, types } = text;
  const keys = Object.keys(spec.columns) as (keyof R & string)[];
  const arrays = keys.map((key, index) => {
    const values = rows.map((row) => row[key]);
    return sql`${sql.val(values)}::${sql.raw(types[index] ?? '')}[]`;
  });
  await sql`${sql.raw(before)}${sql.join(arrays)}${sql.raw(after)}`.execute(tx);
}

function compile<R>(spec: InsertSpec<R>): Compiled {
  const columns = Object.keys(spec.columns).map(snake);
  const types = Object.values<string>(spec.columns);
  const computed = Object.entries(spec.computed ?? {});
  const targets = [...columns, ...computed.map(([column]) => column)].join(', ');
  const sources = [...columns.map((column) => `row.${column}`), ...computed.map(([, expression]) => expression)].join(
    ', ',
  );
  return {
    before: `insert into ${spec.table} (${targets}) select ${sources} from unnest(`,
    after: `) as row (${columns.join(', ')})`,
    types,
  };
}
