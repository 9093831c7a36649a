// `veredus inspect` as a program: no settings, no database, one line a file.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'veredus-inspect-'));
afterAll(() => rmSync(folder, { recursive: true }));

const MAIN = join(import.meta.dirname, '../../src/main.ts');

function inspect(args: readonly string[], input = '') {
  const { stdout, stderr, status } = spawnSync(process.execPath, [MAIN, 'inspect', ...args], {
    encoding: 'utf8',
    input,
    cwd: folder,
    env: { PATH: process.env['PATH'] },
  });
  return { lines: stdout.split('\n').filter((line) => line !== ''), stderr, status };
}

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

test('a JSON line a file, and an exit code that tells when one could not be read', () => {
  const reply = file(
    'reply.eml',
    'From: Anna <a@b.example>\nTo: b@c.example\nSubject: Re: Hi\n\nYes.\n\nOn 1 Mar 2026 at 9:00, B wrote:\n> Hi\n> there\n',
  );
  const text = file('body.txt', 'Yes.\n\n-- \nAnna\n');
  const html = file('body.html', '<p>Yes.</p><blockquote>Hi</blockquote>');
  const { lines, status } = inspect(['--json', reply, text, html, join(folder, 'absent.eml')]);
  const read = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(read).toMatchObject([
    {
      file: 'reply.eml',
      what: 'ordinary',
      is_bounce: false,
      is_feedback: false,
      ok: false,
      from: [{ name: 'Anna', address: 'a@b.example' }],
      subject: 'Re: Hi',
      reply: 'Yes.',
    },
    { file: 'body.txt', reply: 'Yes.', signature: '--\nAnna' },
    { file: 'body.html', reply: 'Yes.' },
    { file: 'absent.eml', error: expect.stringContaining('ENOENT') },
  ]);
  expect(status).toBe(1);
});

test('a summary for people, in which nothing steers the terminal', () => {
  const path = file('evil.eml', 'From: a@b.example\nSubject: =?utf-8?q?=1B[31mred?=\n\n\x1b[2Jgone\n');
  const { lines, status } = inspect([path]);
  expect(lines[0]).toBe('evil.eml: ordinary');
  expect(lines.join('\n')).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/);
  expect(status).toBe(0);
});

test('SMTP replies', () => {
  const { lines, status } = inspect(
    ['--replies'],
    '{"id":"1","reply":"550 5.1.1 No such user here"}\n\n{"id":2}\nnonsense\n',
  );
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ id: '1', kind: 'HardBounce', temporary: false });
  expect(lines.slice(1).map((line) => Object.keys(JSON.parse(line) as object))).toEqual([['error'], ['error']]);
  expect(status).toBe(1);
});

test('wrong use', () => {
  expect(inspect([]).status).toBe(64);
  expect(inspect(['--nothing']).status).toBe(64);
});
