// Texts from outside as PostgreSQL takes them: without NUL, without halves of surrogate pairs, and no longer than wanted.

export function storable(text: string, most: number): string {
  return text.slice(0, most).replaceAll('\0', '').toWellFormed().trim();
}

const MAX_TEXT = 2_000;

/** The same for jsonb, whose escapes it would refuse. */
export function storableJson(value: object): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'string' ? storable(inner, MAX_TEXT) : inner,
  );
}
