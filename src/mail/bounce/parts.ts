// The structure of a returned message: a bounded walk over MIME for broken and hostile input, which keeps apart what mail
// programs merge: the notice, the machine-readable report, and the message that came back.
import { endOfLine, type Field, readFields, readMediaType, valueOf } from './fields.ts';
import { decodeCharset, decodeTransfer, htmlToText } from './text.ts';

export interface Part {
  /** `text/plain`, in lower case. */
  readonly type: string;
  readonly params: ReadonlyMap<string, string>;
  readonly fields: readonly Field[];
  /** As it came, still transfer-encoded: octets, line ends LF. */
  readonly body: string;
  readonly parts: readonly Part[];
  /** Text before the first boundary: some senders put their notice there. */
  readonly preamble: string;
}

/** Reports have three parts and two levels; forwarded ones some more. */
const MAX_DEPTH = 8;
const MAX_PARTS = 100;
/** Of the text of one part: no notice says more, and what follows is the returned message. */
export const MAX_TEXT = 64 * 1_024;

interface Budget {
  parts: number;
}

export function readMessage(text: string): Part {
  let start = 0;
  while (text.startsWith('\n', start) && start < 100) start++;
  return readPart(text, start, text.length, 0, { parts: MAX_PARTS }, 'text/plain');
}

function readPart(text: string, start: number, end: number, depth: number, budget: Budget, fallback: string): Part {
  const source = text.slice(start, end);
  const { fields, end: bodyStart } = readFields(source);
  const media = readMediaType(valueOf(fields, 'content-type'));
  const body = source.slice(bodyStart);
  // A part whose own fields are a message's is that message, without the type that should tell (some carriers).
  const declared = media.type.includes('/')
    ? media.type
    : depth === 0 && isUndeclared(body)
      ? 'multipart/mixed'
      : fallback;
  const type = depth > 0 && isMessageHeader(fields) ? 'message/rfc822' : declared;
  const leaf: Part = { type, params: media.params, fields, body, parts: [], preamble: '' };
  if (!type.startsWith('multipart/') || depth >= MAX_DEPTH) {
    // The returned message starts with its own fields here.
    return type === 'message/rfc822' && type !== media.type ? { ...leaf, body: source } : leaf;
  }
  const pieces = piecesOf(body, media.params.get('boundary') ?? '');
  if (pieces === null) return { ...leaf, type: 'text/plain' };
  const parts: Part[] = [];
  const childType = type === 'multipart/digest' ? 'message/rfc822' : 'text/plain';
  for (const [from, to] of pieces.spans) {
    if (--budget.parts < 0) break;
    parts.push(readPart(body, from, to, depth + 1, budget, childType));
  }
  return { ...leaf, parts, preamble: pieces.preamble };
}

/** Archives and gateways lose the field that says so. Most reports say it in words, and a part of a report's type is proof. */
function isUndeclared(body: string): boolean {
  const start = body.slice(0, MAX_TEXT);
  return /^Content-Type:\s{0,5}message\/delivery-status/im.test(start) && guessBoundary(body) !== null;
}

const MESSAGE_FIELDS = new Set(['from', 'to', 'subject', 'received', 'return-path', 'message-id', 'date']);

function isMessageHeader(fields: readonly Field[]): boolean {
  const seen = new Set(fields.map(({ name }) => name).filter((name) => MESSAGE_FIELDS.has(name)));
  return seen.size >= 3;
}

interface Pieces {
  readonly preamble: string;
  readonly spans: readonly (readonly [number, number])[];
}

/** Where the parts lie; null where no boundary is to be found. */
function piecesOf(body: string, declared: string): Pieces | null {
  const boundary = declared !== '' && findDelimiter(body, declared, 0) !== null ? declared : guessBoundary(body);
  if (boundary === null) return null;
  const spans: [number, number][] = [];
  let open = -1;
  let at = 0;
  let preamble = '';
  while (spans.length < MAX_PARTS) {
    const found = findDelimiter(body, boundary, at);
    if (found === null) break;
    if (open < 0 && spans.length === 0) preamble = body.slice(0, found.start);
    if (open >= 0) spans.push([open, Math.max(open, found.start - 1)]);
    open = found.closes ? -1 : found.end;
    at = found.end;
  }
  if (open >= 0 && spans.length < MAX_PARTS) spans.push([open, body.length]);
  return { preamble: preamble.slice(0, MAX_TEXT), spans };
}

interface Delimiter {
  readonly start: number;
  readonly end: number;
  readonly closes: boolean;
}

function findDelimiter(body: string, boundary: string, from: number): Delimiter | null {
  const mark = `--${boundary}`;
  for (let at = from; at <= body.length; ) {
    const found = body.indexOf(mark, at);
    if (found < 0) return null;
    if (found === 0 || body.charCodeAt(found - 1) === 10) {
      const end = endOfLine(body, found);
      const rest = body.slice(found + mark.length, Math.min(end, found + mark.length + 200)).trimEnd();
      if (rest === '' || rest === '--')
        return { start: found, end: Math.min(end + 1, body.length), closes: rest === '--' };
    }
    at = found + mark.length;
  }
  return null;
}

/** A line that starts with two hyphens, and below it the field that starts a part. */
function guessBoundary(body: string): string | null {
  const guess = /(?:^|\n)--([^\s][^\n]{0,199})\ncontent-[a-z-]{4,30}:/i.exec(body.slice(0, MAX_TEXT));
  return guess?.[1]?.trimEnd() ?? null;
}

/** Transfer encoding undone, still octets. */
export function octetsOf(part: Part): string {
  // A message in base64 is forbidden and common.
  const bounded = part.body.length > 16 * MAX_TEXT ? part.body.slice(0, 16 * MAX_TEXT) : part.body;
  return decodeTransfer(bounded, valueOf(part.fields, 'content-transfer-encoding'));
}

/** As a reader sees it, at most MAX_TEXT characters. */
export function textOf(part: Part): string {
  const octets = octetsOf({ ...part, body: part.body.slice(0, 2 * MAX_TEXT) }).slice(0, MAX_TEXT);
  const text = decodeCharset(octets, part.params.get('charset') ?? '');
  return part.type === 'text/html' || looksLikeHtml(text) ? htmlToText(text) : text;
}

function looksLikeHtml(text: string): boolean {
  return /^\s{0,200}<(?:!doctype html|html|head|body)\b/i.test(text);
}

export interface Leaf {
  readonly part: Part;
  /** The alternative or report it belongs to. */
  readonly parent: Part | null;
}

/** Every part that has no parts, in order; messages inside are leaves. */
export function leavesOf(root: Part): readonly Leaf[] {
  const leaves: Leaf[] = [];
  const walk = (part: Part, parent: Part | null): void => {
    if (part.parts.length === 0) leaves.push({ part, parent });
    for (const child of part.parts) walk(child, part);
  };
  walk(root, null);
  return leaves;
}
