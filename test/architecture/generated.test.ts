// Generated files are committed, so that a reviewer sees what a change means; they must be those of the sources beside
// them.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generateFiles, root } from '../../tools/generated-files.ts';
import { createDatabase } from '../support/postgres.ts';

await using database = await createDatabase();
const files = await generateFiles(database.connectionString);

test.each(files)('$path is what npm run gen writes', async ({ path, content }) => {
  const committed = await readFile(join(root, path), 'utf8').catch(() => '');
  expect(committed, `${path} is out of date: run npm run gen`).toBe(content);
});
