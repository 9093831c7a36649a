// The end-to-end run again, with a million recipients that wait for a later time.
import { settle } from './database.ts';
import { fill } from './fill.ts';
import { relayRun, startRelaying } from './relay-run.ts';
import { atLeast, type Context, figure, type Outcome, ratio } from './scenario.ts';
import { startSink } from './sink.ts';

export async function backlog(context: Context): Promise<readonly Outcome[]> {
  const messages = context.quick ? 4_000 : 20_000;
  const waiting = context.quick ? 50_000 : 1_000_000;
  await using sink = await startSink(context.say);
  await using serving = await startRelaying(context, sink);
  let next = 0;
  const measure = async (name: string) => {
    const rates: number[] = [];
    for (let run = 1; run <= context.runs; run++) {
      await settle(serving.connectionString);
      next += 10_000_000;
      rates.push((await relayRun(serving, sink, { run: `${name}-${run}`, first: next, messages })).delivered);
      context.say(`backlog, ${name} ${run}: ${Math.round(rates.at(-1) ?? 0)}/s`);
    }
    return rates;
  };
  await relayRun(serving, sink, { run: 'warm-up', first: 0, messages: context.quick ? 2_000 : 10_000 });
  const before = figure('delivered a second, nothing waiting', '/s', await measure('before'));
  context.say(`backlog: ${waiting} recipients are put to wait …`);
  await fill(serving, { from: 0, to: waiting, kind: 'waiting' }, context.say);
  const after = figure(`delivered a second, ${waiting} waiting`, '/s', await measure('after'));
  return [before, after, ratio('ratio of the two', after, before, atLeast(0.9), 'less than 10 % slower')];
}
