// `npm start` in an empty folder, as after `npm ci`, until the first event is seen: by the token and the addresses that
// it prints, a subscription over server-sent events and a first mail. Its compile cache is empty as well.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { atEnd } from './at-end.ts';
import { atMost, type Context, figure, type Outcome } from './scenario.ts';
import { programEnvironment, ROOT } from './serving.ts';

export async function coldStart(context: Context): Promise<readonly Outcome[]> {
  const starts: { readonly printed: number; readonly seen: number }[] = [];
  for (let run = 1; run <= context.runs; run++) {
    starts.push(await startOnce(context));
    const last = starts.at(-1);
    context.say(
      `cold ${run}: printed after ${last?.printed.toFixed(1)} s, first event after ${last?.seen.toFixed(1)} s`,
    );
  }
  return [
    figure(
      'npm start to the first event seen',
      's',
      starts.map(({ seen }) => seen),
      { target: atMost(15) },
    ),
    figure(
      'npm start to the address printed',
      's',
      starts.map(({ printed }) => printed),
    ),
  ];
}

async function startOnce(context: Context) {
  const folder = await mkdtemp(join(context.folder, 'cold-'));
  const env = programEnvironment({
    VEREDUS_DATA_DIR: join(folder, 'data'),
    VEREDUS_HTTP_PORT: '0',
    VEREDUS_SUBMISSION_PORT: '0',
    VEREDUS_SUBMISSIONS_PORT: '0',
    VEREDUS_INBOUND_PORT: '0',
    NODE_COMPILE_CACHE: join(folder, 'compile-cache'),
  });
  const startedAt = performance.now();
  // A group of its own, all of which hears what Ctrl-C sends.
  const child = spawn('npm', ['start'], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  // Closed when the last that holds its output has ended: npm itself does not wait for what it started.
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const end = atEnd(async () => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
    await closed;
    await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
  });
  try {
    const { url, token } = await firstSteps(child.stdout);
    const printed = performance.now() - startedAt;
    await firstEvent(url, token);
    return { printed: printed / 1_000, seen: (performance.now() - startedAt) / 1_000 };
  } finally {
    await end();
  }
}

/** Reads what it prints as a person would. */
function firstSteps(output: NodeJS.ReadableStream): Promise<{ readonly url: string; readonly token: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly url: string; readonly token: string }>();
  let url: string | null = null;
  const lines = createInterface({ input: output });
  lines.on('line', (line) => {
    url ??= /at (http:\S+\/graphql)/.exec(line)?.[1] ?? null;
    const token = /^\s+(vrt_\S+)$/.exec(line)?.[1];
    if (url !== null && token !== undefined) resolve({ url, token });
  });
  lines.on('close', () => reject(new Error('npm start ended before it printed its token')));
  return promise;
}

async function firstEvent(url: string, token: string): Promise<void> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const signal = AbortSignal.timeout(60_000);
  const events = await fetch(url, {
    method: 'POST',
    headers: { ...headers, Accept: 'text/event-stream' },
    body: JSON.stringify({ query: 'subscription { messageEvents { type recipient } }' }),
    signal,
  });
  if (!events.ok || events.body === null) throw new Error(`the subscription was answered ${events.status}`);
  const input = { from: 'Hello <hello@sandbox.example>', to: ['you@example.com'], subject: 'First', text: 'It works.' };
  const query = 'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename } }';
  const sent = fetch(url, { method: 'POST', headers, body: JSON.stringify({ query, variables: { input } }), signal });
  let seen = '';
  for await (const part of events.body.pipeThrough(new TextDecoderStream())) {
    seen += part;
    if (seen.includes('"DELIVERED"')) break;
  }
  const answer = await (await sent).text();
  if (!answer.includes('"Message"')) throw new Error(`the first mail was answered ${answer}`);
  if (!seen.includes('"DELIVERED"')) throw new Error(`the subscription ended after ${seen}`);
}
