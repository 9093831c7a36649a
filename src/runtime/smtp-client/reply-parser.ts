// Bytes from the peer into replies (RFC 5321 §4.2). The peer is a stranger: what is kept of its answers is bounded.

import type { SmtpReply } from '../ports.ts';

/** RFC 5321 §4.5.3.1.5 allows 512; longer lines are seen in the wild and are cut, not refused. */
const MAX_LINE_BYTES = 4_096;
const MAX_LINES = 100;
const MAX_REPLY_BYTES = 65_536;
const MAX_TEXT = 1_000;

const LF = 0x0a;
const CR = 0x0d;
const CONTROL = /\p{Cc}/u;
const CONTROLS = /\p{Cc}/gu;
const CODE = /^[2-5]\d\d(?:[ -]|$)/;
/** RFC 2034 §4: class, subject and detail, then a space or the end of the line. */
const ENHANCED = /^[245]\.\d{1,3}\.\d{1,3}(?=\s|$)/;

export interface RawReply {
  readonly code: number;
  /** Whole lines, code included, without line ends and control characters. */
  readonly lines: readonly string[];
}

/**
 * States: between replies (nothing kept); inside a line (`#partial`); between the lines of one reply (`#lines`).
 * Once `push` has returned an error the parser is of no further use: where the next reply begins is unknown.
 */
export class ReplyParser {
  #partial: Buffer | null = null;
  #lines: string[] = [];
  #bytes = 0;

  /** Part of a reply has come and the rest has not. */
  get midReply(): boolean {
    return this.#partial !== null || this.#lines.length > 0;
  }

  /** Appends complete replies to `replies`; returns what is wrong, or null. */
  push(chunk: Buffer, replies: RawReply[]): string | null {
    let at = 0;
    while (at < chunk.length) {
      const lineFeed = chunk.indexOf(LF, at);
      const end = lineFeed === -1 ? chunk.length : lineFeed;
      this.#bytes += end - at + 1;
      if (this.#bytes > MAX_REPLY_BYTES) return `reply larger than ${MAX_REPLY_BYTES} bytes`;
      if (lineFeed === -1) {
        this.#keep(chunk, at, end);
        return null;
      }
      const problem = this.#takeLine(this.#finishLine(chunk, at, end), replies);
      if (problem !== null) return problem;
      at = lineFeed + 1;
    }
    return null;
  }

  #keep(chunk: Buffer, start: number, end: number): void {
    const kept = this.#partial?.length ?? 0;
    const part = chunk.subarray(start, Math.min(end, start + MAX_LINE_BYTES - kept));
    // Copied: a part would hold on to the whole chunk it was read into.
    this.#partial = this.#partial === null ? Buffer.from(part) : Buffer.concat([this.#partial, part]);
  }

  #finishLine(chunk: Buffer, start: number, end: number): string {
    if (this.#partial === null) {
      const last = end > start && chunk[end - 1] === CR ? end - 1 : end;
      return chunk.toString('utf8', start, Math.min(last, start + MAX_LINE_BYTES));
    }
    this.#keep(chunk, start, end);
    const line = this.#partial.toString('utf8');
    this.#partial = null;
    return line.endsWith('\r') ? line.slice(0, -1) : line;
  }

  #takeLine(line: string, replies: RawReply[]): string | null {
    // The code is judged before control characters are taken out: taking them out must not make a code of garbage.
    if (!CODE.test(line)) return `not an SMTP reply: ${printable(line.slice(0, 100))}`;
    const text = printable(line);
    // RFC 5321 §4.2.1: the code is the same on every line. Where it is not, no line can be believed.
    const first = this.#lines[0];
    if (first !== undefined && !text.startsWith(first.slice(0, 3)))
      return `reply changes its code: ${text.slice(0, 100)}`;
    this.#lines.push(text);
    if (line.charAt(3) === '-') {
      return this.#lines.length < MAX_LINES ? null : `reply of more than ${MAX_LINES} lines`;
    }
    replies.push({ code: Number.parseInt(text.slice(0, 3), 10), lines: this.#lines });
    this.#lines = [];
    this.#bytes = 0;
    return null;
  }
}

function printable(text: string): string {
  return CONTROL.test(text) ? text.replace(CONTROLS, '') : text;
}

export function toReply(raw: RawReply): SmtpReply {
  let enhancedCode: string | null = null;
  let text = '';
  for (const line of raw.lines) {
    let part = line.slice(4).trim();
    const found = ENHANCED.exec(part)?.[0];
    if (found !== undefined && (enhancedCode === null || enhancedCode === found)) {
      // A second, different code is left in the text, where it can still be seen.
      enhancedCode = found;
      part = part.slice(found.length).trimStart();
    }
    if (part === '') continue;
    text = text === '' ? part : `${text} ${part}`;
    if (text.length > MAX_TEXT) {
      text = text.slice(0, MAX_TEXT).toWellFormed();
      break;
    }
  }
  return { code: raw.code, enhancedCode, text };
}
