// A migrated database of its own for whoever asks, cloned from a template of this run (some 40 ms in memory).
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { inject } from 'vitest';
import { FAKE_START } from './fake-clock.ts';

export interface TestDatabase extends AsyncDisposable {
  readonly connectionString: string;
  /** Ends whatever is still connected. */
  drop(): Promise<void>;
}

/** PostgreSQL refuses to clone while anyone, a clone by another worker included, holds the template. */
const OBJECT_IN_USE = '55006';
const TRIES = 200;

/** One connection of each worker, kept until the worker ends: many tests make a database. */
let kept: pg.Pool | undefined;

function connect(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 1, idleTimeoutMillis: 0, allowExitOnIdle: true });
  // The server may go before the worker does.
  pool.on('error', () => {});
  return pool;
}

/** `now`: of the clock that will be used with it. */
export async function createDatabase(now?: Date): Promise<TestDatabase> {
  const admin = inject('databaseUrl');
  const { today, fake } = inject('templates');
  const template = now?.getTime() === FAKE_START.getTime() ? fake : today;
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const pool = (kept ??= connect(admin));
  for (let attempt = 1; ; attempt += 1) {
    try {
      await pool.query(`create database ${name} template ${template} strategy file_copy`);
      break;
    } catch (error) {
      if (!(error instanceof pg.DatabaseError && error.code === OBJECT_IN_USE) || attempt === TRIES) throw error;
      await sleep(10 + Math.random() * 40);
    }
  }
  const drop = async () => {
    await pool.query(`drop database if exists ${name} with (force)`);
  };
  return { connectionString: urlOfDatabase(admin, name), drop, [Symbol.asyncDispose]: drop };
}

/** The same server and role, another database; also for `user:password@/name?host=/socket`, which URL cannot parse. */
export function urlOfDatabase(url: string, name: string): string {
  const matched = /^([a-z]+:\/\/[^/?]*)(?:\/[^?]*)?(\?.*)?$/i.exec(url);
  if (!matched) throw new Error('the database URL is not of the form postgresql://…');
  return `${matched[1]}/${name}${matched[2] ?? ''}`;
}
