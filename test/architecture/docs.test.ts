// The documents keep their word: links lead somewhere, commands exist, figures that stand in the code are the code's.
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { tokenPattern } from '#/domain/token.ts';
import { root } from './sources.ts';

const documents = globSync(['*.md', 'docs/**/*.md'], { cwd: root }).toSorted();
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const packageJson = z
  .object({ scripts: z.record(z.string(), z.string()), bin: z.record(z.string(), z.string()) })
  .parse(JSON.parse(read('package.json')));
/** Commands of npm that are no scripts of ours. */
const NPM = new Set(['ci', 'install']);

test('there are documents', () => {
  for (const path of ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'LICENSE']) {
    expect(existsSync(join(root, path)), path).toBe(true);
  }
});

test.each(documents)('links of %s lead somewhere', (path) => {
  const targets = [...read(path).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  const dead = targets.filter((target) => {
    if (/^(?:https?:|mailto:)/.test(target)) return false;
    const [file = '', anchor] = target.split('#');
    const goal = file === '' ? path : normalize(join(dirname(path), file));
    if (goal.startsWith('..') || !existsSync(join(root, goal))) return true;
    return anchor !== undefined && !anchorsOf(read(goal)).includes(anchor);
  });
  expect(dead).toEqual([]);
});

test.each(documents)('commands of %s exist', (path) => {
  const text = read(path);
  const code = (text.match(/`[^`\n]+`|^ {4}.+$/gm) ?? []).join('\n').replaceAll(/ #.*$/gm, '');
  const scripts = [...code.matchAll(/\bnpm (?:run )?([a-z][a-z0-9:-]*)/g)].map(([, name = '']) => name);
  expect(scripts.filter((name) => !NPM.has(name) && !(name in packageJson.scripts))).toEqual([]);
  const ours = [...text.matchAll(/\bbin\/veredus ([a-z]+(?:-[a-z]+)*)/g)].map(([, name = '']) => name);
  const known = read('src/main.ts');
  const isKnown = (name: string) =>
    known.includes(` ${name}: () => import(`) || known.includes(`'${name}': () => import(`);
  expect(ours.filter((name) => !isKnown(name))).toEqual([]);
});

test('src/… and test/… that are named exist', () => {
  const missing = documents.flatMap((path) =>
    [...read(path).matchAll(/`((?:src|test)\/[\w./-]+)`/g)]
      .map(([, name = '']) => name)
      .filter((name) => !existsSync(join(root, name)))
      .map((name) => `${path}: ${name}`),
  );
  expect(missing).toEqual([]);
});

test('decisions are numbered without gaps, dated, and say what has become of them', () => {
  const names = documents.filter((path) => path.startsWith('docs/decisions/'));
  names.forEach((path, index) => {
    const number = String(index + 1).padStart(4, '0');
    expect(path).toMatch(new RegExp(`/${number}-[a-z0-9-]+\\.md$`));
    expect(read(path)).toMatch(new RegExp(`^# ${number} .+\\n\\n\\d{4}-\\d{2}-\\d{2}\\. \\w+`));
  });
});

test('the README stays short', () => {
  expect(read('README.md').trimEnd().split('\n').length).toBeLessThan(80);
});

test('the pattern for secret scanners is the one that is checked', () => {
  expect(read('docs/tokens.md')).toContain(tokenPattern.source.replace('^', '\\b').replace(/\$$/, '\\b'));
});

describe('the pinned Node', () => {
  test('runs the tests', () => {
    expect(Number(process.versions.node.split('.')[0])).toBeGreaterThanOrEqual(24);
  });

  test('runs the program', () => {
    expect(execFileSync(join(root, packageJson.bin['veredus'] ?? ''), ['--help'], { encoding: 'utf8' })).toContain(
      'veredus serve',
    );
  });
});

/** As GitHub makes them. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
