// Base64 in lines (RFC 2045 §6.8).

const LINE = 76;
const CR = 0x0d;
const LF = 0x0a;

/** Lines of 76 characters, the last without its CRLF, which belongs to the boundary that follows. */
export function wrappedBase64(content: string | Buffer): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  const text = bytes.toString('base64');
  const breaks = Math.max(0, Math.ceil(text.length / LINE) - 1);
  const wrapped = Buffer.allocUnsafe(text.length + 2 * breaks);
  let to = 0;
  for (let from = 0; from < text.length; from += LINE) {
    if (from > 0) {
      wrapped[to++] = CR;
      wrapped[to++] = LF;
    }
    to += wrapped.write(text.slice(from, from + LINE), to, 'latin1');
  }
  return wrapped;
}
