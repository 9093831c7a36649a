// The database of a command: the configured one, the embedded one of a node that serves from the same folder, or the
// embedded one started for the command's own time.
import { join } from 'node:path';
import type { Config } from '#/runtime/config.ts';
import { findEmbeddedPostgres, startEmbeddedPostgres } from '#/runtime/embedded-postgres.ts';
import type { Log } from '#/runtime/ports.ts';

export interface UsableDatabase extends AsyncDisposable {
  readonly connectionString: string;
  /** Settles when an embedded server ends by itself; never otherwise. */
  readonly exited: Promise<{ readonly code: number | null }>;
}

export async function openDatabase(config: Config, log: Log, mode: 'own' | 'share'): Promise<UsableDatabase> {
  if (config.databaseUrl !== null) return shared(config.databaseUrl);
  const dataDir = join(config.dataDir);
  if (mode === 'share') {
    const running = await findEmbeddedPostgres(dataDir);
    if (running !== null) return shared(running);
  }
  return startEmbeddedPostgres({ dataDir, durable: true, maxConnections: 20 + config.workers * 20, log });
}

function shared(connectionString: string): UsableDatabase {
  return { connectionString, exited: new Promise(() => {}), async [Symbol.asyncDispose]() {} };
}
