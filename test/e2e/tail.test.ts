// `veredus tail` beside a real server that is killed and restarted under it: it shows every event once, in the order of the log.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { request } from '../support/graphql-client.ts';
import {
  type Bootstrapped,
  bootstrapProgram,
  environment,
  freePort,
  type Program,
  type Settings,
  startProgram,
} from '../support/program.ts';
import { until } from '../support/webhook-world.ts';

const bin = join(import.meta.dirname, '../../bin/veredus');
const SEND = 'mutation ($input: SendEmailsInput!) { sendEmails(input: $input) { __typename } }';
const EVENTS = `query ($after: String) { server { events(first: 500, after: $after) {
  edges { node { id } } pageInfo { hasNextPage endCursor } } } }`;

interface Page {
  readonly server: {
    readonly events: {
      readonly edges: readonly { readonly node: { readonly id: string } }[];
      readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string };
    };
  };
}

let dataDir: string;
let settings: Settings;
let program: Program;
let made: Bootstrapped;
let tokenFile: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'veredus-tail-'));
  settings = { VEREDUS_DATA_DIR: dataDir, VEREDUS_HTTP_PORT: String(await freePort()), VEREDUS_WORKERS: '2' };
  program = await startProgram(settings);
  const args = ['--account', 'Acme', '--owner-email', 'o@acme.example', '--server', 'Main', '--delivery', 'sandbox'];
  made = await bootstrapProgram(settings, [...args, '--verified-domain', 'acme.example']);
  tokenFile = join(dataDir, 'token');
  await writeFile(tokenFile, `${made.serverToken}\n`);
}, 60_000);
afterAll(async () => {
  await program.stop();
  await rm(dataDir, { recursive: true, force: true });
});

interface Tail extends Disposable {
  readonly lines: readonly string[];
  /** What it told beside the events. */
  readonly told: () => string;
  readonly child: ChildProcess;
}

function tail(args: readonly string[], file = tokenFile): Tail {
  const child = spawn(bin, ['tail', '--url', program.url, '--token-file', file, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  let rest = '';
  let told = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
  return { lines, told: () => told, child, [Symbol.dispose]: () => void child.kill() };
}

async function send(first: number, count: number, more: object = {}): Promise<void> {
  const messages = Array.from({ length: count }, (_, index) => ({
    ...{
      from: 'noreply@acme.example',
      to: [`r${first + index}@receiver.example`],
      subject: 'Hello',
      text: 'It works.',
    },
    idempotencyKey: `tail-${first + index}`,
    ...more,
  }));
  for (;;) {
    try {
      return void (await request(program.url, made.serverToken, SEND, { input: { messages } }));
    } catch {
      await pause(100);
    }
  }
}

async function logged(): Promise<string[]> {
  const ids: string[] = [];
  for (let after: string | null = null; ; ) {
    const { server }: Page = await request<Page>(program.url, made.serverToken, EVENTS, { after });
    ids.push(...server.events.edges.map(({ node }) => node.id));
    if (!server.events.pageInfo.hasNextPage) return ids;
    after = server.events.pageInfo.endCursor;
  }
}

const idOf = (line: string): string => (JSON.parse(line) as { readonly id: string }).id;

test('wrong use, a token that is none, and a filter that means nothing end it with a word', async () => {
  const ended = (args: readonly string[]) =>
    new Promise<{ code: unknown; told: string }>((resolve) =>
      execFile(bin, ['tail', ...args], (error, _stdout, told) => resolve({ code: error?.code ?? 0, told })),
    );
  const at = ['--url', program.url];
  const wrong = join(dataDir, 'wrong');
  await writeFile(wrong, 'vrs_nothing');
  expect(await ended([])).toMatchObject({ code: 64, told: expect.stringContaining('--token-file') });
  expect(await ended(['--token-file', join(dataDir, 'none')])).toMatchObject({ code: 64 });
  expect(await ended([...at, '--token-file', tokenFile, '--nonsense'])).toMatchObject({ code: 64 });
  expect(await ended([...at, '--token-file', wrong])).toMatchObject({ code: 1 });
  expect(await ended([...at, '--token-file', tokenFile, '--type', 'NONE'])).toMatchObject({ code: 1 });
  expect(await ended([...at, '--token-file', tokenFile, '--stream', 'none'])).toMatchObject({ code: 1 });
  expect(await ended([...at, '--token-file', tokenFile, '--after', 'x'])).toMatchObject({ code: 1 });
  expect(await ended([...at, '--token-file', tokenFile, '--server', 'srv_none'])).toMatchObject({ code: 1 });
});

test('a line an event, only those that are asked for', { timeout: 60_000 }, async () => {
  const { server } = await request<{ server: { eventCursor: string } }>(
    program.url,
    made.serverToken,
    '{ server { eventCursor } }',
  );
  using all = tail(['--after', server.eventCursor]);
  using few = tail(['--after', server.eventCursor, '--type', 'bounced', '--tag', 'odd', '--json']);
  await send(0, 1, { to: ['bounce+1@receiver.example'], tag: 'odd' });
  await send(1, 1, { to: ['bounce+2@receiver.example'], tag: 'even' });
  await send(2, 1, { to: ['ann@receiver.example'], tag: 'odd' });
  await until(
    () => all.lines.filter((line) => /DELIVERED/.test(line)).length === 1 && few.lines.length === 1,
    'lines',
    20_000,
  );
  await until(() => all.lines.filter((line) => /BOUNCED/.test(line)).length === 2, 'bounces', 20_000);
  expect(JSON.parse(few.lines[0] ?? '')).toMatchObject({
    type: 'BOUNCED',
    recipient: 'bounce+1@receiver.example',
    tag: 'odd',
    bounce: { type: 'HARD_BOUNCE' },
  });
  // Which of them bounced first is the delivery's affair.
  expect(all.lines.find((line) => line.includes('BOUNCED') && line.includes('bounce+1@'))).toMatch(
    /^\d{4}-\d\d-\d\dT[\d:.]+Z  BOUNCED +bounce\+1@receiver\.example  outbound  #odd  msg_\w+  HARD_BOUNCE 550 /,
  );
  expect(all.told()).toBe('');
});

test('through kills and restarts: each event once, in the order of the log', { timeout: 180_000 }, async () => {
  const before = new Set(await logged());
  using following = tail(['--json']);
  // From its first look on; nothing has come yet when the server is killed for the first time.
  await pause(1_500);
  await program.kill();
  program = await startProgram(settings);
  const COUNT = 600;
  const sending = (async () => {
    for (let first = 1_000; first < 1_000 + COUNT; first += 20) await send(first, 20);
  })();
  await until(() => following.lines.length > 100, 'some events', 60_000);
  await program.kill();
  await pause(300);
  program = await startProgram(settings);
  await until(() => following.lines.length > 600, 'more events', 60_000);
  await program.stop();
  program = await startProgram(settings);
  await sending;
  await until(() => following.lines.filter((line) => line.includes('"DELIVERED"')).length >= COUNT, 'all', 60_000);
  const expected = (await logged()).filter((id) => !before.has(id));
  await until(() => following.lines.length >= expected.length, 'the rest', 30_000);
  expect(following.lines.map(idOf)).toEqual(expected);
  expect(expected.length).toBeGreaterThanOrEqual(2 * COUNT);
  expect(following.told()).toContain('coming back');
  // The counters went through the same kills.
  const recounted = () =>
    new Promise<string>((resolve) =>
      execFile(bin, ['recount', '--json'], { env: environment(settings) }, (_error, stdout) => resolve(stdout)),
    );
  const all = (await logged()).length;
  await until(
    async () => (JSON.parse(await recounted()) as { readonly rows: number }).rows === all,
    'all counted',
    30_000,
  );
  expect(JSON.parse(await recounted())).toEqual({ rows: all, equal: true, repaired: false });
});
