// The pool, and Kysely on it. Every statement is a named prepared statement: planned once per connection.
import { createHash } from 'node:crypto';
import { Duplex } from 'node:stream';
import { CamelCasePlugin, Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import type { DB } from './tables.gen.ts';

export type Database = Kysely<DB>;

/** int8 comes as a JavaScript number: ours are log positions, counts and search terms, none of them beyond 2^53. */
const types: pg.CustomTypesConfig = {
  getTypeParser(oid, format) {
    if (oid === pg.types.builtins.INT8 && format !== 'binary') return Number;
    return pg.types.getTypeParser(oid, format) as unknown;
  },
};

/**
 * Plans that do not depend on statistics. Every statement of ours is made for an index, in that index's order; the
 * tables grow from nothing by thousands of rows a second, and a plan made when a partition was empty (scan it, hash it,
 * sort it) is a hundred times too slow a minute later: 157 ms in place of 1 for the log's reader, measured.
 */
const PLANNER = ['enable_seqscan', 'enable_bitmapscan', 'enable_hashjoin', 'enable_mergejoin', 'jit']
  .map((name) => `-c ${name}=off`)
  .join(' ');

export interface DatabaseOptions {
  readonly connectionString: string;
  readonly maxConnections: number;
  /** Milliseconds after which the server gives up on a statement: no query of ours may take as long. */
  readonly statementTimeout?: number;
}

export interface DatabaseConnection extends AsyncDisposable {
  readonly db: Database;
  readonly connectionString: string;
}

export function connectDatabase(options: DatabaseOptions): DatabaseConnection {
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    max: options.maxConnections,
    types,
    // Statements of one transaction that do not wait for each other's answers leave together (Promise.all).
    pipeline: true,
    options: PLANNER,
    statement_timeout: options.statementTimeout ?? 30_000,
    idle_in_transaction_session_timeout: 30_000,
    idleTimeoutMillis: 60_000,
    Client: PreparingClient,
  });
  // An idle connection that the server closes must not end the process; the pool replaces it.
  pool.on('error', () => {});
  const db = new Kysely<DB>({
    dialect: new PostgresDialect({ pool }),
    plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })],
  });
  return { db, connectionString: options.connectionString, [Symbol.asyncDispose]: () => db.destroy() };
}

const statementNames = new Map<string, string>();

/** Statements that a process may hold prepared: filters combine to some hundreds; past that they run unnamed. */
const MAX_PREPARED = 1_000;

function statementName(text: string): string | undefined {
  const known = statementNames.get(text);
  if (known !== undefined) return known;
  if (statementNames.size >= MAX_PREPARED) return undefined;
  const name = createHash('sha256').update(text).digest('base64url').slice(0, 24);
  statementNames.set(text, name);
  return name;
}

/**
 * With modifyFront, marks a select that is planned anew each time: a search, whose best plan depends on its values and
 * whose filters combine to more statements than are worth keeping.
 */
export const planAnew = sql.raw('/* plan anew */');
const PLANNED_ANEW = 'select /* plan anew */';

/**
 * Gives each parametrised statement that Kysely sends its prepared name, and lets what is sent in one turn leave in one
 * write: a system call that wakes the server costs more than building the statement.
 */
class PreparingClient extends pg.Client {
  #gathering = false;

  constructor(config?: pg.ClientConfig) {
    super(config);
    // One that is lost while it is lent out: its statements are told so, the pool throws it away, and the process lives on.
    this.on('error', () => {});
  }

  // node-pg's overloads cannot be repeated here.
  // oxlint-disable-next-line typescript/no-explicit-any
  override query(...args: any[]): any {
    this.#gather();
    const text: unknown = args[0];
    const values: unknown = args[1];
    if (typeof text === 'string' && Array.isArray(values) && !text.startsWith(PLANNED_ANEW)) {
      const name = statementName(text);
      if (name !== undefined) return super.query({ name, text, values });
    }
    return Reflect.apply(super.query, this, args);
  }

  #gather(): void {
    const stream: unknown = Reflect.get(Object(Reflect.get(this, 'connection')), 'stream');
    if (this.#gathering || !(stream instanceof Duplex)) return;
    this.#gathering = true;
    stream.cork();
    process.nextTick(() => {
      this.#gathering = false;
      stream.uncork();
    });
  }
}
