// `veredus tail`: follows a server's events in the terminal, from wherever its API can be reached. Needs no database and no
// settings but a token.
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { systemClock } from '#/runtime/clock.ts';
import { environment } from '#/runtime/environment.ts';
import { UsageError } from './arguments.ts';
import { type EventSource, followEvents, type ShownEvent, StreamRefused } from './event-stream.ts';
import { harmless } from './harmless.ts';

const USAGE = `tail --token-file FILE [--url URL] [--server ID] [--after CURSOR] [--type TYPE]… [--stream SLUG]…
     [--tag TAG] [--recipient ADDRESS] [--message ID] [--json]`;
const DEFAULT_URL = 'http://localhost:4000';

export async function run(args: readonly string[]): Promise<void> {
  const { source, json } = await read(args);
  let last: string | null = source.after;
  // Whoever reads us has gone (head, a closed pager): nothing is left to do.
  process.stdout.on('error', () => process.exit(0));
  const tell = (text: string) => console.error(`veredus tail: ${harmless(text)}`);
  try {
    for await (const event of followEvents(source, systemClock, tell)) {
      await print(json ? JSON.stringify(event) : lineOf(event));
      last = event.cursor;
    }
  } catch (error) {
    if (!(error instanceof StreamRefused)) throw error;
    tell(error.message);
    if (last !== null) tell(`the last cursor was ${last}`);
    process.exitCode = 1;
  }
}

async function read(args: readonly string[]): Promise<{ readonly source: EventSource; readonly json: boolean }> {
  const values = parse(args);
  const file = values['token-file'];
  if (file === undefined) throw new UsageError(`--token-file is needed\n${USAGE}`);
  const token = (await readFile(file === '-' ? '/dev/stdin' : file, 'utf8').catch(unreadable(file))).trim();
  if (token === '') throw new UsageError(`${file} is empty`);
  const url = values.url ?? environment()['VEREDUS_PUBLIC_URL'] ?? DEFAULT_URL;
  if (!URL.canParse(url)) throw new UsageError(`--url: ${url} is not a URL`);
  const { type, stream, tag, recipient, message } = values;
  const filter = {
    ...(type === undefined ? {} : { types: type.map((one) => one.toUpperCase().replaceAll('-', '_')) }),
    ...(stream === undefined ? {} : { streams: stream }),
    ...(tag === undefined ? {} : { tag }),
    ...(recipient === undefined ? {} : { recipient }),
    ...(message === undefined ? {} : { messageId: message }),
  };
  const source = { url, token, serverId: values.server ?? null, filter, after: values.after ?? null };
  return { source, json: values.json };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const texts = { type: 'string', multiple: true } as const;
  const json = { type: 'boolean', default: false } as const;
  const one = { 'token-file': text, url: text, server: text, after: text, tag: text, recipient: text, message: text };
  try {
    return parseArgs({ args: [...args], options: { ...one, type: texts, stream: texts, json } }).values;
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  }
}

function unreadable(file: string): () => never {
  return () => {
    throw new UsageError(`${file} cannot be read`);
  };
}

/** A reader that is slow slows the stream, and fills no memory. */
async function print(line: string): Promise<void> {
  if (process.stdout.write(`${line}\n`)) return;
  await new Promise((resolve) => process.stdout.once('drain', resolve));
}

function lineOf(event: ShownEvent): string {
  const { occurredAt, type, recipient, stream, tag, messageId } = event;
  const parts = [
    occurredAt,
    type.padEnd(14),
    recipient ?? '-',
    stream,
    ...(tag === null ? [] : [`#${tag}`]),
    messageId,
  ];
  const told = toldBy(event);
  return harmless([...parts, ...(told === '' ? [] : [told])].join('  ')).replaceAll('\n', ' ');
}

/** Texts of its own, in the order in which a person asks for them. */
function toldBy(event: ShownEvent): string {
  const bounce = event['bounce'];
  const own: Readonly<Record<string, unknown>> =
    typeof bounce === 'object' && bounce !== null ? { ...event, ...bounce, id: null, type: null } : event;
  const kind = typeof bounce === 'object' && bounce !== null && 'type' in bounce ? bounce.type : null;
  // What a receiver said begins with its codes.
  const codes = typeof own['details'] === 'string' ? [] : ['smtpCode', 'enhancedCode'];
  const names = ['suppressionReason', 'reason', 'origin', ...codes, 'details', 'remoteHost', 'response'];
  const more = ['delayedResponse', 'nextAttemptAt', 'url'];
  const values = [kind, ...[...names, ...more].map((name) => own[name])];
  return values.filter((value) => typeof value === 'string' || typeof value === 'number').join(' ');
}
