// Header fields under the relaxed canonicalisation (RFC 6376 §3.4.2), and the text that a signature is made over (§3.7).
// Text is latin1 here: one character an octet, so that UTF-8 in a header (RFC 6532) is neither decoded nor trimmed.

export interface CanonicalField {
  /** Lower case. */
  readonly name: string;
  /** `name:value`, without a line end. */
  readonly line: string;
}

const WHITE_SPACE = /[ \t]+/g;
const OUTER_SPACE = /^ | $/g;
const LINE_END = /\r\n/g;
const FIELD_END = /\r\n(?![ \t])/;

/** The fields of a header in their order; the empty line that ends it may be there or not. */
export function readFields(header: Uint8Array): CanonicalField[] {
  const text = Buffer.from(header.buffer, header.byteOffset, header.byteLength).toString('latin1');
  return text.split(FIELD_END).flatMap((field) => {
    const colon = field.indexOf(':');
    return colon === -1 ? [] : [canonicalField(field.slice(0, colon), field.slice(colon + 1))];
  });
}

export function canonicalField(name: string, value: string): CanonicalField {
  const lower = name.replace(WHITE_SPACE, '').toLowerCase();
  const text = value.replace(LINE_END, '').replace(WHITE_SPACE, ' ').replace(OUTER_SPACE, '');
  return { name: lower, line: `${lower}:${text}` };
}

/**
 * `names`: as the tag h= lists them, lower case. A name that stands there several times means the last of its fields, then
 * the one before, and so on; once they are used up it means that there is none, and adding one breaks the signature (§5.4.2).
 * `unsigned`: the signature's own field with an empty b=.
 */
export function signedText(
  fields: readonly CanonicalField[],
  names: readonly string[],
  unsigned: CanonicalField,
): Buffer {
  const left = Map.groupBy(fields, ({ name }) => name);
  let text = '';
  for (const name of names) {
    const field = left.get(name)?.pop();
    if (field !== undefined) text += `${field.line}\r\n`;
  }
  return Buffer.from(text + unsigned.line, 'latin1');
}
