// Line breaks that hide in encoded-words: some readers decode them and then see another header field.

const WORD = /=\?[^?\s]{1,60}\?([bBqQ])\?([^?\s]*)\?=/g;
const ESCAPED_BREAK = /=0[ad]/i;

export function hidesLineBreak(value: string): boolean {
  if (!value.includes('=?')) return false;
  for (const [, encoding, content = ''] of value.matchAll(WORD)) {
    if (encoding === 'q' || encoding === 'Q' ? ESCAPED_BREAK.test(content) : breaks(Buffer.from(content, 'base64')))
      return true;
  }
  return false;
}

function breaks(bytes: Buffer): boolean {
  return bytes.includes(0x0a) || bytes.includes(0x0d);
}
