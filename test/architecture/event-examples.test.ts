// The example of docs/events.md is the one that is run against the real clients (test/e2e/resuming-clients.test.ts).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './sources.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');

test('the page shows the code that is tested', () => {
  const code = /\/\/ resuming-begin\n([^]*?)\n\/\/ resuming-end/.exec(read('test/support/resuming.ts'))?.[1] ?? '';
  expect(code.split('\n').length).toBeGreaterThan(10);
  const indented = code.replaceAll(/^(?=.)/gm, '    ');
  expect(read('docs/events.md')).toContain(indented);
});
