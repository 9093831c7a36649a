// Mail from the world, accepted durably: smtp-source with a connection for each message, as most servers of others send;
// Postfix receiving the same on the same machine in the same run. Our own figure is the real program's, for an inbound
// address; that of the protocol alone, with a synced file behind it, tells where the time goes.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { atEnd } from './at-end.ts';
import { connect, numberFrom } from './database.ts';
import { startPostfix } from './postfix.ts';
import { endChild, findProgram, runProgram, until } from './programs.ts';
import {
  atLeast,
  type Context,
  type CpuCost,
  cpuCost,
  cpuFigures,
  type Figure,
  figure,
  type Outcome,
  ratio,
} from './scenario.ts';
import { type Serving, startServing } from './serving.ts';
import { freePort, startSink } from './sink.ts';

const SESSIONS = 50;
const SIZES = [
  { name: '5 KB', bytes: 5 * 1024, messages: 10_000, target: 1.5 },
  { name: '100 KB', bytes: 100 * 1024, messages: 5_000, target: 1 },
] as const;
const STORED = 'select count(*) from inbound_messages';
const WAITING = 'select count(*) from arrivals';

interface Receiving extends AsyncDisposable {
  readonly port: number;
  readonly recipient: string;
}

export async function inbound(context: Context): Promise<readonly Outcome[]> {
  await using sink = await startSink(context.say);
  const postfix = await startPostfix(sink, context.say);
  if (typeof postfix === 'string') return [{ name: 'accepted a second', skipped: postfix }];
  await using _postfix = postfix;
  const source = findProgram('smtp-source');
  if (source === null) return [{ name: 'accepted a second', skipped: 'there is no smtp-source' }];
  context.note('postfix', postfix.version);
  const outcomes: Outcome[] = [];
  for (const size of SIZES) outcomes.push(...(await compare(context, source, postfix, size)));
  return outcomes;
}

type Postfix = Exclude<Awaited<ReturnType<typeof startPostfix>>, string>;
type Size = (typeof SIZES)[number];

async function compare(context: Context, source: string, postfix: Postfix, size: Size): Promise<readonly Figure[]> {
  const { name, bytes, target } = size;
  const count = context.quick ? size.messages / 10 : size.messages;
  const rates = { ours: [] as number[], read: [] as number[], protocol: [] as number[], theirs: [] as number[] };
  const costs: CpuCost[] = [];
  const send = async ({ port, recipient }: Receiving): Promise<number> => {
    const args = ['-s', SESSIONS, '-m', count, '-l', bytes, '-f', 'a@bench.example', '-t', recipient];
    const { seconds } = await runProgram(source, [...args.map(String), `127.0.0.1:${port}`], { timeoutMs: 300_000 });
    return count / seconds;
  };
  await using program = await startProgram(context);
  await using protocol = await startProtocol(context);
  await using client = await connect(program.serving.connectionString);
  // Whoever comes next has the machine for itself: what was accepted is read before.
  const allRead = () =>
    until(async () => (await numberFrom(client, WAITING)) === 0, {
      everyMs: 50,
      timeoutMs: 300_000,
      describe: () => 'mail that was accepted is not read',
    });
  for (const receiving of [program, protocol]) await send(receiving);
  await allRead();
  for (let run = 1; run <= context.runs; run++) {
    const before = await numberFrom(client, STORED);
    const cpu = program.serving.cpu();
    const startedAt = performance.now();
    rates.ours.push(await send(program));
    await allRead();
    rates.read.push((count * 1_000) / (performance.now() - startedAt));
    costs.push(cpuCost(cpu, program.serving.cpu(), count));
    const stored = (await numberFrom(client, STORED)) - before;
    if (stored !== count) throw new Error(`${stored} of ${count} are stored`);
    rates.protocol.push(await send(protocol));
    rates.theirs.push((await postfix.deliver(count, bytes)).accepted);
    const [ours, theirs] = [rates.ours, rates.theirs].map((all) => Math.round(all.at(-1) ?? 0));
    context.say(`${name} ${run}: ${ours}/s, Postfix ${theirs}/s`);
  }
  const accepted = figure(`accepted a second, ${name}`, '/s', rates.ours);
  const postfixes = figure(`Postfix accepts a second, ${name}`, '/s', rates.theirs);
  return [
    accepted,
    postfixes,
    ratio(`ratio to Postfix, ${name}`, accepted, postfixes, atLeast(target)),
    figure(`accepted and read a second, ${name}`, '/s', rates.read, { remark: 'until the last is there to be seen' }),
    ...cpuFigures(costs).map((cost) => ({ ...cost, name: `${cost.name}, ${name}` })),
    figure(`the protocol alone, ${name}`, '/s', rates.protocol, { remark: 'a synced file in place of the database' }),
  ];
}

async function startProgram(context: Context): Promise<Receiving & { readonly serving: Serving }> {
  const port = await freePort();
  const serving = await startServing(context, {
    settings: {
      VEREDUS_ROLES: 'api,inbound,maintenance',
      VEREDUS_INBOUND_PORT: String(port),
      VEREDUS_MAIL_HOST: 'mail.example',
    },
  });
  try {
    const query = 'query ($id: ID!) { server(id: $id) { inbound { address } } }';
    const answer = await fetch(`http://127.0.0.1:${serving.port}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${serving.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables: { id: serving.serverId } }),
    });
    const { data } = (await answer.json()) as { data: { server: { inbound: { address: string } } } | null };
    if (data === null) throw new Error('the server does not tell its inbound address');
    const recipient = data.server.inbound.address;
    return { port, recipient, serving, [Symbol.asyncDispose]: () => serving[Symbol.asyncDispose]() };
  } catch (error) {
    await serving[Symbol.asyncDispose]();
    throw error;
  }
}

async function startProtocol(context: Context): Promise<Receiving> {
  const folder = await mkdtemp(join(context.folder, 'inbound-'));
  const port = await freePort();
  const worker = new URL('./inbound-worker.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [worker, folder, String(port), String(availableParallelism())], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const end = atEnd(async () => {
    await endChild(child, 'SIGTERM', 5_000);
    await rm(folder, { recursive: true, force: true });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the receiver ended with ${code}`)));
    createInterface({ input: child.stdout }).once('line', () => resolve());
  });
  return { port, recipient: 'b@mail.example', [Symbol.asyncDispose]: end };
}
