// What mail programs of the world put below a reply: what is written above it is the reply, and nothing else.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripHtml, stripText } from '#/mail/reply/stripped-reply.ts';
import type { WorldScore } from './world-replies.ts';

const REPLY = 'Yes, please keep it.\n\nOne more thing: is the blue one in stock?\n\nAnna';

const fileOf = (name: string) => readFileSync(join(import.meta.dirname, 'world', name), 'utf8');

function quotations(): readonly { readonly name: string; readonly text: string }[] {
  const entries = fileOf('quotations.txt').split(/^==== /m);
  return entries.slice(1).map((entry) => {
    const end = entry.indexOf('\n');
    return { name: entry.slice(0, end), text: entry.slice(end + 1) };
  });
}

const deviceLines = () =>
  fileOf('device-lines.txt')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));

/** Text as HTML, as simple programs make it. */
function asHtml(text: string): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<html><body><div>${escaped.split('\n').join('</div>\n<div>')}</div></body></html>`;
}

export function scoreQuotations(ends: string, html = false): WorldScore {
  const misses: string[] = [];
  const cases = quotations();
  for (const { name, text } of cases) {
    const whole = `${REPLY}\n\n${text}`;
    const { reply } = html ? stripHtml(asHtml(whole)) : stripText(whole.replaceAll('\n', ends));
    const fold = (line: string) => line.replace(/\s+/g, ' ');
    if (fold(reply) !== fold(REPLY)) misses.push(`${name}: ${JSON.stringify(reply.slice(REPLY.length - 4))}`);
  }
  return { of: cases.length, misses };
}

export function scoreDeviceLines(): WorldScore {
  const cases = deviceLines();
  return { of: cases.length, misses: cases.filter((line) => stripText(`${REPLY}\n\n${line}`).reply !== REPLY) };
}

export function scoreKept(): WorldScore {
  const entries = fileOf('kept-replies.txt')
    .split(/^==== /m)
    .slice(1);
  const misses = entries.filter((entry) => {
    const text = entry.slice(entry.indexOf('\n') + 1).trim();
    return stripText(text).reply !== text;
  });
  return { of: entries.length, misses: misses.map((entry) => entry.slice(0, entry.indexOf('\n'))) };
}
