// What every process is built on, apart from app.ts: a supervisor or a command that loads no schema and no servers takes
// half the memory.
import { connectDatabase } from '#/db/client.ts';
import { type SystemScope, systemScope } from '#/db/scope.ts';
import { createChannel } from '#/events/channel.ts';
import { systemClock } from '#/runtime/clock.ts';
import { createIds } from '#/runtime/ids.ts';
import type { Channel, Clock, Ids, Log, Random, SecretBox } from '#/runtime/ports.ts';
import { systemRandom } from '#/runtime/random.ts';
import { createSecretBox } from '#/runtime/secret-box.ts';

/** Connections to the database of one process: 20 processes of them fit a PostgreSQL of 300. */
const DATABASE_CONNECTIONS = 14;

/** What every process has, whatever its roles: also the command line's. */
export interface Base extends AsyncDisposable {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly channel: Channel;
  readonly secrets: SecretBox;
}

interface BaseOptions {
  readonly connectionString: string;
  readonly log: Log;
  /** In place of the real ones, in tests. */
  readonly clock?: Clock;
  readonly random?: Random;
  /** The first seals, all open. */
  readonly secretKeys: readonly string[];
}

export function createBase(options: BaseOptions): Base {
  const { connectionString, log } = options;
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const database = connectDatabase({ connectionString, maxConnections: DATABASE_CONNECTIONS });
  const channel = createChannel({ connectionString, clock, log });
  return {
    system: systemScope(database.db),
    clock,
    random,
    ids: createIds(clock, random),
    channel,
    secrets: createSecretBox(options.secretKeys, random),
    async [Symbol.asyncDispose]() {
      await channel[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}
