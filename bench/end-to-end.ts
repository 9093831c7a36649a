// End to end: accepted by batches, delivered over one relay to a sink, unsigned or with both signatures; beside it
// Postfix, unsigned, between its own smtp-source and smtp-sink.
import { BATCH_BYTES } from './batch.ts';
import { settle } from './database.ts';
import { startPostfix } from './postfix.ts';
import { relayRun, type RelayRun, type Signing, startRelaying } from './relay-run.ts';
import { atLeast, type Context, cpuFigures, figure, type Outcome, ratio } from './scenario.ts';
import { startSink } from './sink.ts';

export function endToEnd(context: Context): Promise<readonly Outcome[]> {
  return measure(context, 'off', 2);
}

export function endToEndSigned(context: Context): Promise<readonly Outcome[]> {
  return measure(context, 'required', 1.5);
}

async function measure(context: Context, signing: Signing, target: number): Promise<readonly Outcome[]> {
  const messages = context.quick ? 4_000 : 20_000;
  await using sink = await startSink(context.say);
  await using postfixSink = await startSink(context.say);
  await using serving = await startRelaying(context, sink, signing);
  const postfix = await startPostfix(postfixSink, context.say);
  await using _ = typeof postfix === 'string' ? null : postfix;
  const ours: RelayRun[] = [];
  const theirs: { readonly accepted: number; readonly delivered: number }[] = [];
  await relayRun(serving, sink, { run: 'warm-up', first: 0, messages: context.quick ? 2_000 : 10_000 });
  if (typeof postfix !== 'string') await postfix.deliver(500, BATCH_BYTES);
  for (let run = 1; run <= context.runs; run++) {
    await settle(serving.connectionString);
    ours.push(await relayRun(serving, sink, { run: `e2e-${run}`, first: run * 10_000_000, messages }));
    await settle(serving.connectionString);
    if (typeof postfix !== 'string') theirs.push(await postfix.deliver(messages, BATCH_BYTES));
    const peer = theirs.at(-1);
    context.say(
      `e2e ${run}: ${Math.round(ours.at(-1)?.delivered ?? 0)}/s${peer === undefined ? '' : `, Postfix ${Math.round(peer.delivered)}/s`}`,
    );
  }
  const delivered = figure(
    'delivered a second',
    '/s',
    ours.map((run) => run.delivered),
    { remark: `to ${sink.name}` },
  );
  const accepted = figure(
    'accepted a second meanwhile',
    '/s',
    ours.map((run) => run.accepted),
  );
  const cpu = cpuFigures(ours.map((run) => run.cpu));
  if (typeof postfix === 'string') return [delivered, accepted, ...cpu, { name: 'ratio to Postfix', skipped: postfix }];
  const peer = figure(
    `Postfix ${postfix.version} delivered a second`,
    '/s',
    theirs.map((run) => run.delivered),
  );
  return [
    delivered,
    accepted,
    peer,
    figure(
      `Postfix ${postfix.version} accepted a second`,
      '/s',
      theirs.map((run) => run.accepted),
    ),
    ratio('ratio to Postfix', delivered, peer, atLeast(target)),
    ...cpu,
  ];
}
