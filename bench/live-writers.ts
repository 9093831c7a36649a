// What following costs those who write: `send` as fast as it goes, by turns with nobody following the log and with somebody on
// whom nothing is spent but the reading.
import { ACCEPTED, sendEmailBody, writeLetter } from './letters.ts';
import { startClients } from './live-clients.ts';
import { runLoad } from './load.ts';
import { atMost, type Context, type CpuCost, cpuCost, type Figure, figure } from './scenario.ts';
import { type Serving, startServing } from './serving.ts';
import { settle } from './database.ts';
import { median } from './stats.ts';

const CONNECTIONS = 32;
const BYTES = 2_048;
const QUERY = 'subscription { messageEvents(filter: { tag: "nobody has this" }) { id } }';

export async function writersCost(context: Context): Promise<readonly Figure[]> {
  const alone: Sending[] = [];
  const followed: Sending[] = [];
  await using serving = await startServing(context, {
    settings: { VEREDUS_ROLES: 'api,maintenance', VEREDUS_WORKERS: '1' },
  });
  await using clients = await startClients(serving, 1);
  let number = 0;
  await send(context, serving, ++number);
  // At least three pairs: it is a small difference of two large figures.
  for (let run = 1; run <= Math.max(3, context.runs); run++) {
    alone.push(await send(context, serving, ++number));
    await clients.open(1, QUERY);
    followed.push(await send(context, serving, ++number));
    await clients.close();
    context.say(`live, writers ${run}: ${describe(alone.at(-1))} alone, ${describe(followed.at(-1))} followed`);
  }
  const lost = (of: (sending: Sending) => number) => (1 - median(followed.map(of)) / median(alone.map(of))) * 100;
  return [
    figure('writers lose while the log is followed', '%', [lost(({ rate }) => rate)], { target: atMost(5) }),
    figure('processor time of an accepted email that following adds, program and PostgreSQL', '%', [
      -lost(({ cost }) => cost.program + cost.postgres),
    ]),
  ];
}

interface Sending {
  readonly rate: number;
  readonly cost: CpuCost;
}

async function send(context: Context, serving: Serving, run: number): Promise<Sending> {
  const first = run * 10_000_000;
  const before = serving.cpu();
  const result = await runLoad({
    port: serving.port,
    token: serving.token,
    connections: CONNECTIONS,
    bodies: [sendEmailBody(writeLetter(1, BYTES), `live-${run}`)],
    itemsPerRequest: 1,
    first,
    expect: { text: ACCEPTED, count: 1 },
    until: context.quick ? { warmUpSeconds: 1, seconds: 4 } : { warmUpSeconds: 3, seconds: 12 },
  });
  const cost = cpuCost(before, serving.cpu(), result.next - first);
  await settle(serving.connectionString);
  return { rate: result.items / result.seconds, cost };
}

const describe = (sending: Sending | undefined) =>
  `${Math.round(sending?.rate ?? Number.NaN)}/s and ${((sending?.cost.program ?? 0) + (sending?.cost.postgres ?? 0)).toFixed(2)} ms`;
