// A negative reply: code, enhanced code (RFC 3463) and a text that says what to change.

export class SmtpRefusal extends Error {
  /** smtp-server's name for it. */
  readonly responseCode: number;
  /** The session ends with it. */
  readonly closes: boolean;

  constructor(code: number, enhancedCode: string, text: string, options?: { readonly closes: boolean }) {
    super(`${enhancedCode} ${text}`);
    this.responseCode = code;
    this.closes = code === 421 || options?.closes === true;
  }
}

/** Of whatever went wrong on our side; the peer tries again. */
export function temporaryFailure(): SmtpRefusal {
  return new SmtpRefusal(451, '4.3.0', 'Something failed here that is not your fault; try again in some minutes');
}

/** RFC 5321 §4.5.3.1.5 allows 512 octets with code and CRLF. */
const MAX_TEXT = 400;
const OWN_CODE = /^[245]\.\d{1,3}\.\d{1,3} /;
/** A reply to a client without SMTPUTF8 is ASCII (RFC 6531 §3.7.4). */
const NOT_PRINTABLE = /[^\x20-\x7e]/gu;

/** The lines of a text that begins with an enhanced code, each with it; null for one without. */
export function replyLines(text: string): string[] | null {
  const code = OWN_CODE.exec(text)?.[0];
  if (code === undefined) return null;
  const lines: string[] = [];
  let line = '';
  for (const word of text.slice(code.length).replace(NOT_PRINTABLE, '?').split(' ')) {
    const piece = word.slice(0, MAX_TEXT);
    if (line.length + piece.length + 1 > MAX_TEXT) {
      lines.push(code + line);
      line = piece;
    } else line = line === '' ? piece : `${line} ${piece}`;
  }
  lines.push(code + line);
  return lines;
}
