// `veredus recount`: proves that the counters say what the log says, as far as the log is still there, or prints where not.
import { createBase } from '#/base.ts';
import { encodeId } from '#/domain/ids.ts';
import { recount, type Recounted } from '#/maintenance/recount.ts';
import { loadConfig } from '#/runtime/config.ts';
import { environment } from '#/runtime/environment.ts';
import { createLog } from '#/runtime/log.ts';
import { obtainSecretKeys } from '#/runtime/secret-keys.ts';
import { readArguments } from './arguments.ts';
import { openDatabase } from './database.ts';

/** Of each week of the log. More tells nobody more. */
const SHOWN = 100;

export async function run(args: readonly string[]): Promise<void> {
  const { json, repair } = readArguments(args, {
    json: { type: 'boolean', default: false },
    repair: { type: 'boolean', default: false },
  });
  const config = loadConfig(environment());
  const secretKeys = await obtainSecretKeys(config);
  // Standard output is for the answer alone.
  const log = createLog({ level: 'silent' });
  await using database = await openDatabase(config, log, 'share');
  await using base = createBase({ connectionString: database.connectionString, secretKeys, log });
  let events = 0;
  let different = 0;
  for await (const part of recount(base, SHOWN, repair)) {
    if (part.unit === 'day') events += part.rows;
    different += part.differences.length;
    for (const difference of linesOf(part)) console.log(json ? JSON.stringify(difference) : wordsOf(difference));
  }
  const repaired = repair && different > 0;
  const equal = different === 0;
  if (json) console.log(JSON.stringify({ rows: events, equal, repaired }));
  else console.log(summary(events, equal, repaired));
  if (!equal && !repaired) process.exitCode = 1;
}

function summary(rows: number, equal: boolean, repaired: boolean): string {
  if (equal) return `the counters are what the log says, of ${rows} rows of the log`;
  return repaired ? `corrected, from ${rows} rows of the log` : `the counters differ from ${rows} rows of the log`;
}

function linesOf({ differences }: Recounted) {
  return differences.map(({ accountId, serverId, streamId, startsAt, ...rest }) => ({
    server: encodeId('server', serverId),
    account: encodeId('account', accountId),
    stream: encodeId('stream', streamId),
    startsAt: startsAt.toISOString(),
    ...rest,
  }));
}

function wordsOf(line: ReturnType<typeof linesOf>[number]): string {
  const { server, stream, tag, metric, unit, startsAt, counted, logged } = line;
  const about = `${unit} ${startsAt} ${server} ${stream}${tag === '' ? '' : ` tag ${JSON.stringify(tag)}`} ${metric}`;
  return `${about}: counted ${counted ?? 0}, in the log ${logged ?? 0}`;
}
