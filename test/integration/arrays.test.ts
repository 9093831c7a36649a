// Arrays as parameters: what PostgreSQL reads of the binary form is what was given.
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { array, type ArrayType } from '#/db/arrays.ts';
import { connectDatabase } from '#/db/client.ts';
import { createDatabase } from '../support/postgres.ts';

const cases: Readonly<Record<ArrayType, readonly unknown[]>> = {
  uuid: ['00000000-0000-0000-0000-000000000000', '0199c0ff-ee00-7abc-8def-ffffffffffff', null],
  smallint: [0, -32_768, 32_767],
  int: [1, -2_147_483_648, 2_147_483_647],
  int8: [0, -1, Number.MAX_SAFE_INTEGER],
  float8: [0, -1.5, 1e300, null],
  bool: [true, false, null],
  timestamptz: [new Date('1999-12-31T23:59:59.999Z'), new Date('2026-11-21T00:00:00.001Z'), new Date(0)],
  text: ['', 'plain', 'quoted "and" {braces}, commas\\', 'Grüße 🐎', null],
  jsonb: ['{"a": "b\\"c"}', 'null', null],
  bytea: [Buffer.from([0, 255, 92]), Buffer.alloc(0)],
};

test('each type of array arrives as it was sent, and an empty one too', async () => {
  await using database = await createDatabase();
  await using connection = connectDatabase({ connectionString: database.connectionString, maxConnections: 1 });
  for (const [type, values] of Object.entries(cases) as [ArrayType, readonly unknown[]][]) {
    for (const sent of [values, [], values.slice(0, 1)]) {
      const query = sql<{
        value: unknown;
      }>`select value from unnest(${array(type, sent as never)}) with ordinality as t (value, n) order by n`;
      const { rows } = await query.execute(connection.db);
      const expected = type === 'jsonb' ? sent.map((json) => (json === null ? null : JSON.parse(String(json)))) : sent;
      expect(rows.map(({ value }) => value)).toEqual(expected);
    }
  }
});
