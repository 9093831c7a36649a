// DER (X.690), as little of it as certificates need: written for our own and for tests, read to find the public key.

export function tagged(tag: number, content: Uint8Array): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

export const TRUE = Buffer.from([0x01, 0x01, 0xff]);
export const sequence = (...items: readonly Buffer[]) => tagged(0x30, Buffer.concat(items));
export const set = (...items: readonly Buffer[]) => tagged(0x31, Buffer.concat(items));
export const integer = (value: Buffer) => tagged(0x02, value);
export const octets = (value: Buffer) => tagged(0x04, value);
export const bits = (value: Buffer) => tagged(0x03, Buffer.concat([Buffer.from([0]), value]));
export const text = (value: string) => tagged(0x0c, Buffer.from(value));

/** UTCTime until 2049, GeneralizedTime after (RFC 5280 §4.1.2.5). */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]/g, '').slice(0, 14);
  const late = date.getUTCFullYear() >= 2050;
  return tagged(late ? 0x18 : 0x17, Buffer.from(`${late ? digits : digits.slice(2)}Z`, 'latin1'));
}

export function objectId(arcs: readonly number[]): Buffer {
  const [first = 0, second = 0, ...rest] = arcs;
  return tagged(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let left = value >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
  return digits;
}

export function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** The elements of a constructed one, each with its header. Null: it is none, or breaks off. */
export function elementsOf(der: Buffer): Buffer[] | null {
  const outer = headerOf(der, 0);
  if (outer === null || ((der[0] ?? 0) & 0x20) === 0) return null;
  const elements: Buffer[] = [];
  for (let at = outer.start; at < outer.end; ) {
    const inner = headerOf(der, at);
    if (inner === null || inner.end > outer.end) return null;
    elements.push(der.subarray(at, inner.end));
    at = inner.end;
  }
  return elements;
}

function headerOf(der: Buffer, at: number): { readonly start: number; readonly end: number } | null {
  const first = der[at + 1];
  if (first === undefined) return null;
  const digits = first < 0x80 ? 0 : first & 0x7f;
  if (digits > 4 || (first >= 0x80 && digits === 0) || at + 2 + digits > der.length) return null;
  const length = digits === 0 ? first : der.readUIntBE(at + 2, digits);
  const start = at + 2 + digits;
  return start + length > der.length ? null : { start, end: start + length };
}
