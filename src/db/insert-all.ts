// Many rows in one statement, with one prepared plan for any number of them: columns travel as arrays (unnest). VALUES
// lists would need a plan per length and end at 65,535 parameters.
import { sql, type Transaction } from 'kysely';
import { array, type ArrayType } from './arrays.ts';
import type { DB } from './tables.gen.ts';

export interface InsertSpec<R> {
  readonly table: string;
  /** Type of each column; keys are the row's. jsonb values are given as JSON text, those of an enum by their label. */
  readonly columns: { readonly [K in keyof R & string]: ArrayType | { readonly enum: string } };
  /** Columns whose value is an expression, the same for all rows. */
  readonly computed?: Readonly<Record<string, string>>;
}

interface Compiled {
  readonly before: string;
  readonly after: string;
  readonly types: readonly ArrayType[];
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
    // The spec says of each column what its values are.
    return array(types[index] ?? 'text', values as never);
  });
  await sql`${sql.raw(before)}${sql.join(arrays)}${sql.raw(after)}`.execute(tx);
}

function compile<R>(spec: InsertSpec<R>): Compiled {
  const columns = Object.entries<ArrayType | { readonly enum: string }>(spec.columns).map(([key, type]) => {
    const name = snake(key);
    const labelled = typeof type === 'object';
    return { name, type: labelled ? 'text' : type, source: `row.${name}${labelled ? `::${type.enum}` : ''}` } as const;
  });
  const computed = Object.entries(spec.computed ?? {});
  const targets = [...columns.map(({ name }) => name), ...computed.map(([column]) => column)].join(', ');
  const sources = [...columns.map(({ source }) => source), ...computed.map(([, expression]) => expression)].join(', ');
  return {
    before: `insert into ${spec.table} (${targets}) select ${sources} from unnest(`,
    after: `) as row (${columns.map(({ name }) => name).join(', ')})`,
    types: columns.map(({ type }) => type),
  };
}
