// `npm run bench -- [SCENARIO…] [--runs N] [--quick] [--folder DIR] [--profile DIR]`: the figures that this product is
// held to, each the median of some runs, with what the machine itself can do measured beside it.
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { atEnd, endAll } from './at-end.ts';
import { backlog } from './backlog.ts';
import { batch } from './batch.ts';
import { classify } from './classify.ts';
import { classifyRules } from './classify-rules.ts';
import { coldStart } from './cold-start.ts';
import { delivery } from './delivery.ts';
import { endToEnd, endToEndSigned } from './end-to-end.ts';
import { describeEnvironment } from './environment.ts';
import { fairness } from './fairness.ts';
import { feed } from './feed.ts';
import { idle } from './idle.ts';
import { inbound } from './inbound.ts';
import { live } from './live.ts';
import { tableOf } from './report.ts';
import type { Context, Outcome, Scenario } from './scenario.ts';
import { search } from './search.ts';
import { send } from './send.ts';
import { sign } from './sign.ts';
import { signIn } from './sign-in.ts';
import { ROOT } from './serving.ts';
import { stages } from './stages.ts';
import { storage } from './storage.ts';
import { tokens } from './tokens.ts';
import { webhooks } from './webhooks.ts';
import { submission } from './submission.ts';

const scenarios: Readonly<Record<string, Scenario>> = {
  send,
  batch,
  delivery,
  e2e: endToEnd,
  signed: endToEndSigned,
  sign,
  stages,
  tokens,
  idle,
  live,
  feed,
  backlog,
  fairness,
  search,
  cold: coldStart,
  'sign-in': signIn,
  storage,
  webhooks,
  classify,
  'classify-rules': classifyRules,
  submission,
  inbound,
};

const USAGE = `npm run bench -- [${Object.keys(scenarios).join('|')}…]
  --runs N       runs of which the median is told (3)
  --quick        small sizes, to see that everything works
  --folder DIR   where data folders are made (data/bench)
  --profile DIR  CPU profiles of the program's processes go there`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '3' },
    quick: { type: 'boolean', default: false },
    folder: { type: 'string', default: join(ROOT, 'data/bench') },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const chosen = positionals.length === 0 ? Object.keys(scenarios) : positionals;
const unknown = chosen.filter((name) => !(name in scenarios));
const runs = Number(values.runs);
if (values.help || unknown.length > 0 || !Number.isInteger(runs) || runs < 1) {
  console.log(unknown.length > 0 ? `there is no scenario ${unknown.join(', ')}\n\n${USAGE}` : USAGE);
  process.exit(values.help ? 0 : 64);
}

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interrupted = true;
    console.log('\ninterrupted: ending what was started …');
    void endAll().finally(() => process.exit(130));
  });
}

// Also when it breaks, or when whoever reads its output goes away, nothing of what it started may live on.
process.stdout.on('error', () => {});
process.once('uncaughtException', (error) => {
  console.error(error);
  void endAll().finally(() => process.exit(1));
});

await mkdir(resolve(values.folder), { recursive: true, mode: 0o711 });
const folder = await mkdtemp(join(resolve(values.folder), 'run-'));
// The database's own user has to pass through.
await chmod(folder, 0o711);
const removeFolder = atEnd(() => rm(folder, { recursive: true, force: true }));
const profileDir = values.profile === undefined ? null : resolve(values.profile);

const environment = describeEnvironment(ROOT, folder);
for (const [name, value] of Object.entries(environment)) {
  console.log(`${name.padEnd(18)} ${typeof value === 'object' ? JSON.stringify(value) : value}`);
}
if (environment.loadAverage > 0.5) console.log('The machine is not idle: these figures are not for the record.');

const startedAt = performance.now();
const results: Record<
  string,
  { readonly outcomes: readonly Outcome[]; readonly notes: Readonly<Record<string, unknown>> }
> = {};
for (const name of chosen) {
  const scenario = scenarios[name];
  if (scenario === undefined) continue;
  console.log(`\n── ${name} ──`);
  const notes: Record<string, unknown> = {};
  const context: Context = {
    runs,
    quick: values.quick,
    folder,
    profileDir,
    say: (line) => console.log(`  ${line}`),
    note: (key, value) => (notes[key] = value),
  };
  let outcomes: readonly Outcome[];
  try {
    outcomes = await scenario(context);
  } catch (error) {
    // The end is under way; what breaks meanwhile is no result.
    if (interrupted) await new Promise(() => {});
    console.error(error);
    const reason = error instanceof Error ? error.message : String(error);
    outcomes = [{ name, failed: reason.slice(0, 1_000) }];
    process.exitCode = 1;
  }
  results[name] = { outcomes, notes };
  console.log(tableOf(outcomes));
}

const date = environment.date.slice(0, 16).replace(':', '');
const file = join(ROOT, 'bench/results', `${date}${values.quick ? '.tmp' : ''}.json`);
const minutes = Math.round((performance.now() - startedAt) / 6_000) / 10;
await mkdir(join(ROOT, 'bench/results'), { recursive: true });
await writeFile(file, `${JSON.stringify({ environment, runs, quick: values.quick, minutes, results }, null, 2)}\n`);

console.log('\n── all ──');
console.log(
  tableOf(
    Object.entries(results).flatMap(([name, { outcomes }]) =>
      outcomes.map((outcome) => ({ ...outcome, name: `${name}: ${outcome.name}` })),
    ),
  ),
);
console.log(`\nThe results are in ${file}; it took ${minutes} minutes.`);
await removeFolder();
