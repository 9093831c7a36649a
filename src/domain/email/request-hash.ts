// The fingerprint of a request, for idempotency: the same key with another request is a conflict.

import { createHash, type Hash, hash } from 'node:crypto';

/** From here on a text is hashed where it lies: put together with the rest it would be copied, and copied again to be read. */
const LARGE = 16_384;

/**
 * SHA-256 over the whole input but its idempotencyKey. Two inputs that mean the same have one hash: keys in any order,
 * an absent field like one that is null. Call it on validated input: it recurses, and validation bounds the depth.
 */
export function requestHash(input: object): Buffer {
  let digest: Hash | null = null;
  let canonical = '';
  for (const [key, value] of sortedEntries(input)) {
    if (key === 'idempotencyKey') continue;
    if (typeof value === 'string' && value.length >= LARGE) {
      digest ??= createHash('sha256');
      digest.update(canonical + text(key) + prefix(value)).update(value);
      canonical = '';
    } else canonical += text(key) + encode(value);
  }
  return digest === null ? hash('sha256', canonical, 'buffer') : digest.update(canonical).digest();
}

/** Every value begins with a letter for its kind and texts carry their length, so no two values share an encoding. */
function encode(value: unknown): string {
  if (typeof value === 'string') return text(value);
  if (value === null || value === undefined) return 'z';
  // oxlint-disable-next-line typescript/no-base-to-string -- it is none of the objects
  if (typeof value !== 'object') return `${(typeof value).charAt(0)}${text(String(value))}`;
  if (value instanceof Date) return `d${value.getTime()};`;
  if (Array.isArray(value)) return `a${value.length}[${value.map(encode).join('')}`;
  const entries = sortedEntries(value);
  return `o${entries.length}{${entries.map(([key, member]) => text(key) + encode(member)).join('')}`;
}

function text(value: string): string {
  return prefix(value) + value;
}

function prefix(value: string): string {
  return `s${value.length}:`;
}

function sortedEntries(value: object): [string, unknown][] {
  const entries: [string, unknown][] = Object.entries(value).filter(
    ([, member]) => member !== null && member !== undefined,
  );
  return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}
