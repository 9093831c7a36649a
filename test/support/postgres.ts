// A migrated database of its own for whoever asks, cloned from the template of this run (some 10 ms in memory).
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { inject } from 'vitest';

export interface TestDatabase extends AsyncDisposable {
  readonly connectionString: string;
  /** Ends whatever is still connected. */
  drop(): Promise<void>;
}

/** PostgreSQL refuses to clone while anyone, a clone by another worker included, holds the template. */
const OBJECT_IN_USE = '55006';
const TRIES = 200;

export async function createDatabase(): Promise<TestDatabase> {
  const admin = inject('databaseUrl');
  const template = inject('templateDatabase');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await withClient(admin, async (client) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await client.query(`create database ${name} template ${template} strategy file_copy`);
        return;
      } catch (error) {
        if (!(error instanceof pg.DatabaseError && error.code === OBJECT_IN_USE) || attempt === TRIES) throw error;
        await sleep(10 + Math.random() * 40);
      }
    }
  });
  const drop = () =>
    withClient(admin, async (client) => {
      await client.query(`drop database if exists ${name} with (force)`);
    });
  return { connectionString: urlOfDatabase(admin, name), drop, [Symbol.asyncDispose]: drop };
}

/** The same server and role, another database; also for `user:password@/name?host=/socket`, which URL cannot parse. */
export function urlOfDatabase(url: string, name: string): string {
  const matched = /^([a-z]+:\/\/[^/?]*)(?:\/[^?]*)?(\?.*)?$/i.exec(url);
  if (!matched) throw new Error('the database URL is not of the form postgresql://…');
  return `${matched[1]}/${name}${matched[2] ?? ''}`;
}

async function withClient(connectionString: string, use: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}
