// Metadata: up to ten short pairs that come back on every event of the message and are never shown to the recipient.

import type { Issues } from './issues.ts';
import { MAX_METADATA_KEY, MAX_METADATA_KEYS, MAX_METADATA_VALUE } from './limits.ts';
import { lineFlaw } from './text.ts';

type Metadata = Readonly<Record<string, string>>;

const NONE: Metadata = freeze([]);

export function checkMetadata(given: unknown, issues: Issues): Metadata {
  if (given === null || given === undefined) return NONE;
  if (typeof given !== 'object' || Array.isArray(given)) {
    issues.add(['metadata'], 'is not an object of keys and values');
    return NONE;
  }
  const pairs = Object.entries(given);
  if (pairs.length > MAX_METADATA_KEYS) {
    issues.add(['metadata'], `has ${pairs.length} keys; at most ${MAX_METADATA_KEYS} are allowed`);
    return NONE;
  }
  const seen = new Set<string>();
  const texts: [string, string][] = [];
  for (const [key, value] of pairs) {
    const wrongKey = keyFlaw(key);
    const folded = key.toLowerCase();
    const text = scalarText(value);
    const wrongValue = text === null ? 'is neither text, number nor boolean' : valueFlaw(text);
    if (wrongKey !== null) issues.add(['metadata', key], `key ${wrongKey}`);
    else if (seen.has(folded)) issues.add(['metadata', key], 'differs from another key only in case');
    else if (wrongValue !== null) issues.add(['metadata', key], wrongValue);
    else if (text !== null) texts.push([key, text]);
    seen.add(folded);
  }
  return freeze(texts);
}

function keyFlaw(key: string): string | null {
  if (key === '') return 'is empty';
  return key.length > MAX_METADATA_KEY ? `is longer than ${MAX_METADATA_KEY} characters` : lineFlaw(key);
}

function valueFlaw(text: string): string | null {
  return text.length > MAX_METADATA_VALUE ? `is longer than ${MAX_METADATA_VALUE} characters` : lineFlaw(text);
}

function scalarText(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint' ? String(value) : null;
}

/** Object.fromEntries defines own properties, so `__proto__` is a key like any other; without a prototype reading is safe too. */
function freeze(pairs: readonly (readonly [string, string])[]): Metadata {
  const record: Record<string, string> = Object.fromEntries(pairs);
  Object.setPrototypeOf(record, null);
  return Object.freeze(record);
}
