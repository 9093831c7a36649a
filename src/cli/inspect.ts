// `veredus inspect`: what this installation makes of messages and of SMTP replies, for whoever wonders why something was
// taken for a bounce. Needs no database and no settings.
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { inspectReply } from './inspect-reply.ts';
import { inspectMessage, type Inspected } from './inspect-message.ts';
import { UsageError } from './arguments.ts';
import { harmless } from './harmless.ts';

const USAGE = 'inspect [--json] FILE… reads raw messages; inspect --replies reads SMTP replies as JSON lines';

export async function run(args: readonly string[]): Promise<void> {
  const { values, positionals } = read(args);
  if (values.replies) {
    if (positionals.length > 0) throw new UsageError(`--replies reads standard input\n${USAGE}`);
    await inspectReplies();
    return;
  }
  if (positionals.length === 0) throw new UsageError(USAGE);
  for (const path of positionals) {
    const file = basename(path);
    let inspected: Inspected | { readonly file: string; readonly error: string };
    try {
      inspected = await inspectMessage(file, await readFile(path));
    } catch (error) {
      inspected = { file, error: error instanceof Error ? error.message : String(error) };
      process.exitCode = 1;
    }
    console.log(values.json ? JSON.stringify(inspected) : summary(inspected));
  }
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: { json: { type: 'boolean', default: false }, replies: { type: 'boolean', default: false } },
      allowPositionals: true,
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function inspectReplies(): Promise<void> {
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() === '') continue;
    try {
      console.log(JSON.stringify(inspectReply(JSON.parse(line) as unknown)));
    } catch (error) {
      console.log(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
      process.exitCode = 1;
    }
  }
}

function summary(inspected: Inspected | { readonly file: string; readonly error: string }): string {
  if ('error' in inspected) return `${inspected.file}: ${inspected.error}`;
  const { file, what, subject, from, attachments, defects } = inspected;
  const lines: string[] = [
    `${file}: ${what}${inspected.kind === null ? '' : `, ${inspected.kind}`}`,
    `  from     ${from.map(({ address }) => address).join(', ')}`,
    `  subject  ${subject ?? ''}`,
  ];
  for (const recipient of inspected.recipients) {
    if (typeof recipient === 'string') lines.push(`  about    ${recipient}`);
    else
      lines.push(
        `  about    ${[recipient.address, recipient.status, recipient.smtp_code, recipient.kind].filter((one) => one !== null).join(' ')}`,
      );
  }
  if (inspected.ok)
    lines.push(`  DMARC    ${inspected.org_name} on ${inspected.domain}: ${inspected.messages} messages`);
  for (const { name, type, size } of attachments) lines.push(`  file     ${name ?? '(no name)'} ${type} ${size}`);
  if (defects.length > 0) lines.push(`  defects  ${defects.join(', ')}`);
  if (what === 'ordinary' && inspected.reply !== '') lines.push('  reply', indent(inspected.reply));
  return lines.map(harmless).join('\n');
}

function indent(text: string): string {
  return text
    .split('\n')
    .slice(0, 20)
    .map((line) => `    ${line.slice(0, 200)}`)
    .join('\n');
}
