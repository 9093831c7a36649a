// Many rows in one statement, with one prepared plan for any number of them: columns travel as arrays (unnest). VALUES
// lists would need a plan per length and end at 65,535 parameters.
import { CompiledQuery, type Transaction } from 'kysely';
import { type ArrayType, encodeArray } from './arrays.ts';
import type { DB } from './tables.gen.ts';

export interface InsertSpec<R> {
  readonly table: string;
  /** Type of each column; keys are the row's. jsonb values are given as JSON text, those of an enum by their label. */
  readonly columns: { readonly [K in keyof R & string]: ArrayType | { readonly enum: string } };
  /** Columns whose value is an expression, the same for all rows. */
  readonly computed?: Readonly<Record<string, string>>;
}

interface Compiled {
  readonly text: string;
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
  let statement = compiled.get(spec);
  if (statement === undefined) compiled.set(spec, (statement = compile(spec)));
  const { text, types } = statement;
  const keys = Object.keys(spec.columns) as (keyof R & string)[];
  const arrays = keys.map((key, index) => {
    const values = rows.map((row) => row[key]);
    // The spec says of each column what its values are.
    return encodeArray(types[index] ?? 'text', values as never);
  });
  // Compiled once and without result: neither Kysely's compiler nor its plugins have anything to do.
  await tx.withoutPlugins().executeQuery(CompiledQuery.raw(text, arrays));
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
  const arrays = columns.map(({ type }, index) => `$${index + 1}::${type}[]`).join(', ');
  const names = columns.map(({ name }) => name).join(', ');
  return {
    text: `insert into ${spec.table} (${targets}) select ${sources} from unnest(${arrays}) as row (${names})`,
    types: columns.map(({ type }) => type),
  };
}
