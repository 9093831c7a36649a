// The new text of a reply, as Postmark's StrippedTextReply: without the mail that it answers.
//
// - A quotation below the reply is cut, with the line that announces it. Text below a quotation that is marked line by
//   line is kept: it was written by who replies.
// - Where answers stand between quoted lines at several places, nothing is cut: they mean nothing without the lines above.
// - A message that is passed on is kept: it is new to who reads it.
// - A signature at the very end is cut. Above a quotation it stays: there, as with Postmark, only the quotation is cut,
//   and programs that want it away find its first line in `signature`.
//
// Linear in the text; no line looks at more than some lines after it.
import { linesOfHtml } from './html-lines.ts';
import { type Line, linesOf } from './lines.ts';
import { forwards, nextSolid, quoteHeaderAt } from './quote-header.ts';
import { findSignature } from './signature.ts';

export interface StrippedReply {
  readonly reply: string;
  /** What was cut off, or would be cut if it did not stand above a quotation; null without one. */
  readonly signature: string | null;
}

/** Beyond this nobody has written by hand; the rest is left out, and the time for one mail stays below 100 ms. */
const MAX_TEXT = 256 * 1024;
const MAX_HTML = 384 * 1024;
/** One or two quoted lines without an announcement may be anything: a prompt, a poem, an arrow. */
const MIN_QUOTED = 3;

export function strippedReply(body: { readonly text: string | null; readonly html: string | null }): StrippedReply {
  if (body.text !== null && body.text.trim() !== '') return stripText(body.text);
  return body.html === null ? { reply: '', signature: null } : stripHtml(body.html);
}

export function stripText(text: string): StrippedReply {
  const plain = text.length > MAX_TEXT ? text.slice(0, MAX_TEXT) : text;
  return strip(linesOf(plain.replace(/\r\n?/g, '\n').replace(/\u00a0/g, ' ')));
}

export function stripHtml(html: string): StrippedReply {
  return strip(linesOfHtml(html.length > MAX_HTML ? html.slice(0, MAX_HTML) : html));
}

function strip(lines: readonly Line[]): StrippedReply {
  const { kept, cut } = withoutQuotation(lines);
  const signature = findSignature(kept);
  const whole = textOf(kept);
  if (signature === null || signature.start === 0) return { reply: whole, signature: null };
  const below = textOf(kept.slice(signature.start));
  const above = textOf(kept.slice(0, signature.start));
  // Nothing but a signature: then that is the reply.
  if (above === '') return { reply: whole, signature: null };
  return { reply: cut ? whole : above, signature: below };
}

const BLANK: Line = { text: '', blank: true, quoted: false, level: 0, history: false };

interface Rest {
  readonly kept: readonly Line[];
  readonly cut: boolean;
}

function withoutQuotation(lines: readonly Line[]): Rest {
  const marked = lines.filter((line) => line.quoted && !line.blank).length;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] as Line;
    // Programs put what they pass on where they put what they answer.
    if (line.history && lines.slice(at, at + 5).some(forwards)) return { kept: lines, cut: false };
    if (line.history) return { kept: withoutRule(lines.slice(0, at)), cut: true };
    const header = quoteHeaderAt(lines, at);
    if (header !== null) {
      if (header.forwards) return { kept: lines, cut: false };
      return cutFrom(lines, at, at + header.lines, header.before);
    }
    const byElement = line.quoted && line.level === 0;
    if (line.quoted && !line.blank && (byElement || marked >= MIN_QUOTED)) return cutFrom(lines, at, at, '');
  }
  return { kept: lines, cut: false };
}

/** The announcement stands at `start`, what it announces begins at `quote`. */
function cutFrom(lines: readonly Line[], start: number, quote: number, before: string): Rest {
  const above = withoutRule(lines.slice(0, start));
  if (before !== '') above.push({ text: before, blank: false, quoted: false, level: 0, history: false });
  const first = nextSolid(lines, quote);
  if (lines[first]?.quoted !== true) return { kept: above, cut: true };
  const end = endOfQuotation(lines, first);
  const below = lines.slice(end);
  const gaps = ownPassages(below);
  if (gaps > (quote > start ? 1 : 0)) return { kept: lines, cut: false };
  const own = gaps === 1 ? below.filter((line) => !line.quoted) : withoutTail(below);
  const from = own.findIndex((line) => !line.blank);
  const gap = above.length === 0 || from < 0 ? [] : [BLANK];
  return { kept: [...above, ...gap, ...own.slice(from < 0 ? own.length : from)], cut: true };
}

/** The line that some programs draw between both, and blanks. */
function withoutRule(lines: readonly Line[]): Line[] {
  const last = lines.findLastIndex((line) => !line.blank && !/^\s{0,3}[_-]{20,}\s{0,3}$/.test(line.text));
  return lines.slice(0, last + 1);
}

/** Passages of own text that have a marked quotation below them. */
function ownPassages(lines: readonly Line[]): number {
  let passages = 0;
  let own = false;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] as Line;
    if (line.history) break;
    if (line.blank) continue;
    if (!line.quoted) own = true;
    else if (own && line.level > 0) {
      passages++;
      own = false;
      at = endOfQuotation(lines, at) - 1;
    }
  }
  return passages;
}

/** A second announcement or history below the first is cut as well. */
function withoutTail(lines: readonly Line[]): readonly Line[] {
  const at = lines.findIndex((line, index) => line.history || line.quoted || quoteHeaderAt(lines, index) !== null);
  return at < 0 ? lines : lines.slice(0, at);
}

/**
 * Where the quoted lines end. Lines without a mark between them, with no blank line around, are what was wrapped; so are
 * lines with a link that stands alone.
 */
function endOfQuotation(lines: readonly Line[], from: number): number {
  let end = from;
  let blanks = 0;
  let torn = 0;
  for (let at = from; at < lines.length; at++) {
    const line = lines[at] as Line;
    if (line.blank) {
      blanks++;
      continue;
    }
    if (line.quoted) {
      end = at + 1;
      blanks = 0;
      torn = 0;
      continue;
    }
    const wrapped = blanks === 0 && torn < 3;
    if (!wrapped && !isLink(line.text)) break;
    torn++;
  }
  return end;
}

const isLink = (text: string) => /^[\s(<[]{0,4}https?:\/\//i.test(text);

function textOf(lines: readonly Line[]): string {
  return lines
    .map(({ text }) => text.trimEnd())
    .join('\n')
    .trim();
}
