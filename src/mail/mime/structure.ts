// Takes a message apart: a tree of parts with their headers, in one pass over its lines, whatever the number of
// multiparts that are open. Nothing recurses, and every open boundary is found by one look into a map.
import { endOfLine, type HeaderBudget, type HeaderField, readHeaderBlock } from './header-block.ts';
import { type MimeDefect, type MimeLimits, MIME_LIMITS } from './limits.ts';
import { withLf } from './line-ends.ts';
import { type ParametrisedValue, parseParametrised } from './parameters.ts';
import { decodeTransfer, type TransferEncoding, transferEncoding } from './transfer-encoding.ts';

export interface MimePart {
  readonly headers: readonly HeaderField[];
  /** Lower case: `text/plain`. */
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  /** Null without Content-Disposition. */
  readonly disposition: ParametrisedValue | null;
  readonly encoding: TransferEncoding;
  /** The parts of a multipart; of a message/rfc822 the one message that it holds. */
  readonly children: readonly MimePart[];
  /** As in the message, with line ends LF, still encoded. */
  readonly body: Buffer;
}

export interface MimeMessage {
  readonly root: MimePart;
  readonly defects: ReadonlySet<MimeDefect>;
}

interface Draft {
  readonly headers: readonly HeaderField[];
  type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly disposition: ParametrisedValue | null;
  readonly encoding: TransferEncoding;
  readonly children: Draft[];
  body: Buffer;
  readonly bodyStart: number;
  readonly boundary: string | null;
}

const LF = 0x0a;
const HYPHEN = 0x2d;
const DEFAULT_TYPE = 'text/plain';

/** The first value of a field, as it stands there. */
export function headerOf(part: { readonly headers: readonly HeaderField[] }, key: string): string | undefined {
  return part.headers.find((field) => field.key === key)?.value;
}

/** The octets that the sender meant. */
export function contentOf(part: MimePart): Buffer {
  return decodeTransfer(part.body, part.encoding);
}

export function parseStructure(source: Uint8Array, limits: MimeLimits = MIME_LIMITS): MimeMessage {
  return new Structure(withLf(source), limits).read();
}

class Structure {
  private readonly bytes: Buffer;
  private readonly limits: MimeLimits;
  private readonly budget: HeaderBudget;
  /** From the root to the part whose body is being read. */
  private readonly open: Draft[] = [];
  /** Where in `open` the multiparts of a boundary stand, the innermost last. */
  private readonly boundaries = new Map<string, number[]>();
  private longestBoundary = 0;
  private parts = 0;

  constructor(bytes: Buffer, limits: MimeLimits) {
    this.bytes = bytes;
    this.limits = limits;
    this.budget = { octets: 0, limits, defects: new Set() };
  }

  read(): MimeMessage {
    const { bytes } = this;
    let at = this.openPart(0, DEFAULT_TYPE);
    while (at < bytes.length && this.boundaries.size > 0) {
      const line = this.nextHyphens(at);
      if (line < 0) break;
      const end = endOfLine(bytes, line);
      const delimiter = this.delimiterAt(line, end);
      at = delimiter === null ? end + 1 : this.enter(delimiter, line, end);
    }
    if (this.boundaries.size > 0) this.budget.defects.add('UNCLOSED_MULTIPART');
    this.closeTo(0, bytes.length);
    const root = this.root as Draft;
    return { root, defects: this.budget.defects };
  }

  private root: Draft | null = null;

  /** The next line from `from`, itself the start of a line, that begins with `--`; -1 where none does. */
  private nextHyphens(from: number): number {
    const { bytes } = this;
    if (bytes[from] === HYPHEN && bytes[from + 1] === HYPHEN) return from;
    const found = bytes.indexOf('\n--', from);
    return found < 0 ? -1 : found + 1;
  }

  private delimiterAt(start: number, end: number): { readonly index: number; readonly closes: boolean } | null {
    const { bytes } = this;
    let solid = end;
    while (solid > start && (bytes[solid - 1] === 0x20 || bytes[solid - 1] === 0x09)) solid--;
    if (solid - start > this.longestBoundary + 4) return null;
    const text = bytes.toString('latin1', start + 2, solid);
    const opening = this.boundaries.get(text)?.at(-1);
    if (opening !== undefined) return { index: opening, closes: false };
    const closing = text.endsWith('--') ? this.boundaries.get(text.slice(0, -2).trimEnd())?.at(-1) : undefined;
    return closing === undefined ? null : { index: closing, closes: true };
  }

  private enter({ index, closes }: { index: number; closes: boolean }, line: number, end: number): number {
    const { bytes } = this;
    const next = Math.min(end + 1, bytes.length);
    // The line end before a delimiter belongs to it.
    const bodyEnd = line > 0 && bytes[line - 1] === LF ? line - 1 : line;
    const multipart = this.open[index] as Draft;
    this.closeTo(index + (closes ? 0 : 1), bodyEnd);
    if (closes) return next;
    if (this.parts >= this.limits.maxParts) {
      this.budget.defects.add('TOO_MANY_PARTS');
      this.closeTo(0, bodyEnd);
      return bytes.length;
    }
    return this.openPart(next, multipart.type === 'multipart/digest' ? 'message/rfc822' : DEFAULT_TYPE);
  }

  /** Reads the header at `start`, and those of messages that begin directly behind it; answers where a body begins. */
  private openPart(start: number, defaultType: string): number {
    let at = start;
    let type = defaultType;
    for (;;) {
      const draft = this.readPart(at, type);
      const parent = this.open.at(-1);
      if (parent === undefined) this.root ??= draft;
      else parent.children.push(draft);
      this.parts++;
      const index = this.open.push(draft) - 1;
      const deep = index >= this.limits.maxDepth;
      if (draft.boundary !== null) {
        if (deep) this.budget.defects.add('TOO_DEEP');
        else this.addBoundary(draft.boundary, index);
      }
      if (draft.type !== 'message/rfc822' && draft.type !== 'message/global') return draft.bodyStart;
      if (draft.encoding !== 'identity' || deep) return draft.bodyStart;
      at = draft.bodyStart;
      type = DEFAULT_TYPE;
    }
  }

  private addBoundary(boundary: string, index: number): void {
    const at = this.boundaries.get(boundary);
    if (at === undefined) this.boundaries.set(boundary, [index]);
    else at.push(index);
    this.longestBoundary = Math.max(this.longestBoundary, boundary.length);
  }

  private readPart(start: number, defaultType: string): Draft {
    const block = readHeaderBlock(this.bytes, start, this.budget, (from, to) => this.delimiterAt(from, to) !== null);
    const part = { headers: block.fields };
    const declared = headerOf(part, 'content-type');
    const contentType = parseParametrised(declared ?? '');
    const type = /^[^/\s]+\/[^/\s]+$/.test(contentType.value) ? contentType.value : defaultType;
    const disposition = headerOf(part, 'content-disposition');
    const multipart = type.startsWith('multipart/');
    const boundary = multipart ? this.boundaryOf(contentType, block.end) : null;
    if (multipart && boundary === null) this.budget.defects.add('NO_BOUNDARY');
    return {
      ...part,
      type,
      parameters: contentType.parameters,
      disposition: disposition === undefined ? null : parseParametrised(disposition),
      encoding: transferEncoding(headerOf(part, 'content-transfer-encoding')),
      children: [],
      body: this.bytes.subarray(block.end),
      bodyStart: block.end,
      boundary,
    };
  }

  /** A multipart that names no boundary may show it: its first line with hyphens has a header field behind it. */
  private boundaryOf({ parameters }: ParametrisedValue, bodyStart: number): string | null {
    const named = parameters.get('boundary')?.trimEnd();
    // Compared as octets.
    if (named !== undefined && named !== '') return Buffer.from(named).toString('latin1');
    const line = this.nextHyphens(bodyStart);
    if (line < 0) return null;
    const end = endOfLine(this.bytes, line);
    const text = this.bytes.toString('latin1', line + 2, Math.min(end, line + 100)).trimEnd();
    const after = this.bytes.toString('latin1', end + 1, end + 9);
    return text !== '' && /^content-/i.test(after) ? text : null;
  }

  /** Ends all open parts from `index` on. */
  private closeTo(index: number, bodyEnd: number): void {
    while (this.open.length > index) {
      const draft = this.open.pop() as Draft;
      const start = draft.bodyStart;
      draft.body = this.bytes.subarray(start, Math.max(start, bodyEnd));
      if (draft.boundary === null) continue;
      const at = this.boundaries.get(draft.boundary);
      if (at?.at(-1) === this.open.length) {
        at.pop();
        if (at.length === 0) this.boundaries.delete(draft.boundary);
      }
    }
  }
}
