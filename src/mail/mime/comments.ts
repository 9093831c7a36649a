// Comments of RFC 5322: in brackets, in each other, and where nobody expects them.

const MAX_DEPTH = 100;

/** Each comment becomes a blank; quoted strings keep what they hold. */
export function withoutComments(text: string): string {
  if (!text.includes('(')) return text;
  let out = '';
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '\\') {
      if (depth === 0) out += text.slice(at, at + 2);
      at++;
    } else if (depth > 0) {
      if (char === '(' && depth < MAX_DEPTH) depth++;
      if (char === ')') depth--;
    } else if (char === '(' && !quoted) {
      depth = 1;
      out += ' ';
    } else {
      if (char === '"') quoted = !quoted;
      out += char;
    }
  }
  return out;
}
