// RFC 5321 §4.5.2: a line of content that begins with a dot gets a second one, so that no line of it can end the DATA.

const DOT = 0x2e;
const CR = 0x0d;
const LF = 0x0a;
const LINE_WITH_DOT = Buffer.from('\n.');

const END = Buffer.from('.\r\n');
const END_AFTER_LINE = Buffer.from('\r\n.\r\n');
const END_AFTER_CR = Buffer.from('\n.\r\n');

/**
 * Takes content block by block and remembers the last two bytes, so that a line that begins at a border is seen.
 * A bare LF counts as a line's end here: content must have none, but where one slips through, a peer that takes it as a
 * line's end must not find a lone dot after it (SMTP smuggling).
 */
export class DotStuffer {
  #beforeLast = CR;
  #last = LF;

  /** Pieces of `block`: itself where nothing in it needs stuffing, else views of it, or one copy where they would be many. */
  stuff(block: Buffer): readonly Buffer[] {
    const length = block.length;
    if (length === 0) return [];
    const atStart = this.#last === LF && block[0] === DOT;
    const first = block.indexOf(LINE_WITH_DOT);
    this.#beforeLast = length > 1 ? (block[length - 2] ?? 0) : this.#last;
    this.#last = block[length - 1] ?? 0;
    return atStart || first !== -1 ? stuffed(block, atStart, first) : [block];
  }

  /** What ends the content: completes its last line if that is open, so that a CRLF stands before the dot exactly once. */
  end(): Buffer {
    if (this.#last === CR) return END_AFTER_CR;
    return this.#last === LF && this.#beforeLast === CR ? END : END_AFTER_LINE;
  }
}

/** More are cheaper as one: each costs an entry of the system call that writes them. */
const MAX_VIEWS = 32;

function stuffed(block: Buffer, atStart: boolean, first: number): readonly Buffer[] {
  const views: Buffer[] = [];
  // With a dot at the start the first view is that dot, and the next begins with it again.
  let from = 0;
  if (atStart) views.push(block.subarray(0, 1));
  for (let at = first; at !== -1; at = block.indexOf(LINE_WITH_DOT, at + 2)) {
    // Up to and with the dot; what follows begins with it, and so it is written twice.
    views.push(block.subarray(from, at + 2));
    from = at + 1;
  }
  views.push(block.subarray(from));
  return views.length > MAX_VIEWS ? [Buffer.concat(views)] : views;
}
