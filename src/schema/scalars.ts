// Scalars of our own.
import { GraphQLError } from 'graphql';
import { builder } from './builder.ts';

const DATE_TIME = /^(\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/i;
/** As an argument. A model or metadata is far smaller; a deeper one is an attack on whoever walks it. */
const MAX_DEPTH = 10;
const MAX_JSON = 64 * 1024;

builder.scalarType('DateTime', {
  description:
    'A moment: ISO 8601 in UTC with milliseconds, `2026-01-31T12:00:00.000Z`. As an argument any offset will do, but there must be one.',
  serialize: (value) => value.toISOString(),
  parseValue: (value) => {
    const date = typeof value === 'string' ? parseDateTime(value) : null;
    if (date === null) throw new GraphQLError('A DateTime is ISO 8601 with a time zone, e.g. 2026-01-31T12:00:00Z.');
    return date;
  },
});

builder.scalarType('JSON', {
  description: `Any JSON value. As an argument at most ${MAX_DEPTH} levels deep and ${MAX_JSON} characters long.`,
  serialize: (value) => value,
  parseValue: (value) => {
    if (!isWithinDepth(value, MAX_DEPTH)) throw new GraphQLError(`This JSON has more than ${MAX_DEPTH} levels.`);
    if ((JSON.stringify(value) ?? '').length > MAX_JSON)
      throw new GraphQLError(`This JSON has more than ${MAX_JSON} characters.`);
    return value;
  },
});

function parseDateTime(text: string): Date | null {
  const matched = DATE_TIME.exec(text);
  if (matched === null) return null;
  const [, year, month, day] = matched;
  // Date takes 31 February for 3 March.
  if (Number(day) > new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()) return null;
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? null : date;
}

function isWithinDepth(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0) return false;
  return Object.values(value).every((member) => isWithinDepth(member, levels - 1));
}
