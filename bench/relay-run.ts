// One run from acceptance to delivery: emails by batches, over one relay, to a sink.
import { BATCH, type Bodies, sendBatches } from './batch.ts';
import { connect, numberFrom } from './database.ts';
import { until } from './programs.ts';
import { type Context, type CpuCost, cpuCost } from './scenario.ts';
import { type Serving, startServing } from './serving.ts';
import type { Counter } from './sink.ts';

export interface RelayRun {
  /** From the first request until the last outcome is recorded. */
  readonly delivered: number;
  /** From the first request until the last answer. */
  readonly accepted: number;
  readonly cpu: CpuCost;
}

/** `off`: unsigned; `required`: with both DKIM signatures. */
export type Signing = 'off' | 'required';

export function startRelaying(
  context: Context,
  sink: { readonly port: number },
  signing: Signing = 'off',
): Promise<Serving> {
  return startServing(context, {
    settings: {
      VEREDUS_OUTBOUND: 'relay',
      VEREDUS_RELAY_URL: `smtp://127.0.0.1:${sink.port}`,
      VEREDUS_SIGNING: signing,
    },
  });
}

const OPEN = `select count(*) from (
  select from recipients where server_id = $1 and status in ('QUEUED', 'DELAYED') limit 1) as open`;
const DELIVERED = `select count(*) from recipients where server_id = $1 and status = 'DELIVERED'`;

export async function relayRun(
  serving: Serving,
  sink: Counter,
  options: { readonly run: string; readonly first: number; readonly messages: number; readonly bodies?: Bodies },
): Promise<RelayRun> {
  const { run, first, messages, bodies } = options;
  await using client = await connect(serving.connectionString);
  const atSink = sink.count;
  const before = await numberFrom(client, DELIVERED, [serving.serverUuid]);
  const cpuBefore = serving.cpu();
  const startedAt = performance.now();
  const sending = sendBatches(serving, run, first, messages / (bodies?.perRequest ?? BATCH), bodies);
  const describe = () => `${sink.count - atSink} of ${messages} reached the sink`;
  const arriving = until(() => sink.count >= atSink + messages, { everyMs: 5, timeoutMs: 300_000, describe });
  const [accepted] = await Promise.all([sending, arriving]);
  await until(async () => (await numberFrom(client, OPEN, [serving.serverUuid])) === 0, {
    everyMs: 5,
    timeoutMs: 60_000,
    describe: () => 'outcomes are not recorded',
  });
  const seconds = (performance.now() - startedAt) / 1_000;
  const cpu = cpuCost(cpuBefore, serving.cpu(), messages);
  const delivered = (await numberFrom(client, DELIVERED, [serving.serverUuid])) - before;
  if (delivered !== messages) throw new Error(`${delivered} of ${messages} are recorded as delivered`);
  return { delivered: messages / seconds, accepted: accepted.items / accepted.seconds, cpu };
}
