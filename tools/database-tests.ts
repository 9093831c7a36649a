// Prints the integration tests that talk to the test database, one a line: those whose imports lead to the helper that
// makes one. Only these can come out otherwise on another PostgreSQL (.ci/run).
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const DATABASE = 'test/support/postgres.ts';

/** Itself, and all files of the tests that it imports, directly or not. */
function closureOf(file: string): ReadonlySet<string> {
  const closure = new Set([file]);
  for (const member of closure) {
    const imports = readFileSync(join(root, member), 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+\.ts)'/g);
    for (const [, path = ''] of imports) closure.add(join(dirname(member), path));
  }
  return closure;
}

const tests = globSync('test/integration/*.test.ts', { cwd: root }).toSorted();
for (const file of tests.filter((test) => closureOf(test).has(DATABASE))) console.log(file);
