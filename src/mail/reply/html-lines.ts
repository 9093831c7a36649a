// HTML of a mail as lines of text that know whether they are quoted. One pass; no tree is built, so that neither depth nor
// broken nesting matters.
import { decodeEntities } from './entities.ts';
import { type Line, lineOf, MAX_LINES } from './lines.ts';

const SKIPPED = new Set(['head', 'style', 'script', 'title', 'template', 'noscript', 'object', 'svg', 'math']);
const BLOCKS = new Set(
  'address article aside blockquote body br center dd details div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr html li main nav ol p pre section table tbody tfoot thead tr ul'.split(
    ' ',
  ),
);
const VOID = new Set(['area', 'base', 'br', 'col', 'embed', 'hr', 'img', 'input', 'link', 'meta', 'source', 'wbr']);
/** Elements in which programs put the mail that is answered, by class or id. */
const HISTORY =
  /(?:^|[\s"'])(?:gmail_quote(?:_container)?|gmail_extra|yahoo_quoted|yahooQuoted|moz-forward-container|protonmail_quote|tutanota_quote|zmail_extra|divRplyFwdMsg|appendonsend|OLK_SRC_BODY_SECTION|mail-editor-reference-message|reply-intro|freebirdFormviewer|qt-|isForwardContent|ms-outlook-mobile-reference-message|LPlnk|mailQuote|WM_RE_SPLITTER|x_gmail_quote|wmQuote|oriMsgHtmlSeperator|stopSpelling|quoted-?text|email_quote|front-blockquote|elementToProof-quote)/i;
/** What announces it, and belongs to it. */
const ANNOUNCES = /(?:^|[\s"'])(?:gmail_attr|moz-cite-prefix|protonmail_quote_header|OutlookMessageHeader)/i;
const MAX_OPEN = 10_000;
/** The newest reply stands at the top; letters that were laid out by hand have some thousands. */
const MAX_TAGS = 20_000;
/** Any other `<` is text. */
const TAG_START = /<[a-zA-Z/!?]/g;
/** How far up a closing tag looks for its opening one. */
const LOOK_BACK = 200;
const TAG_NAME = /([a-zA-Z][a-zA-Z0-9:-]{0,30})/y;

interface OpenElement {
  readonly name: string;
  readonly quotes: boolean;
  readonly history: boolean;
}

export function linesOfHtml(html: string): Line[] {
  return new Writer(html).write();
}

class Writer {
  private readonly html: string;
  private readonly lines: Line[] = [];
  /** Pieces of the line being written: one growing string would be copied at each look at its end. */
  private pieces: string[] = [];
  private spaced = true;
  private quotes = 0;
  private history = 0;
  private pre = 0;
  private readonly open: OpenElement[] = [];

  constructor(html: string) {
    this.html = html;
  }

  write(): Line[] {
    const { html } = this;
    let at = 0;
    for (let tags = 0; at < html.length && tags < MAX_TAGS && this.lines.length < MAX_LINES; tags++) {
      TAG_START.lastIndex = at;
      const tag = TAG_START.exec(html)?.index ?? -1;
      const end = tag < 0 ? html.length : tag;
      if (end > at) this.addText(html.slice(at, end));
      at = tag < 0 ? end : this.markup(tag);
    }
    this.endLine();
    return this.lines;
  }

  private addText(raw: string): void {
    const text = decodeEntities(raw).replace(/\u00a0/g, ' ');
    if (this.pre > 0) {
      const [first = '', ...rest] = text.split('\n', MAX_LINES);
      this.pieces.push(first);
      for (const line of rest) {
        this.endLine(true);
        this.pieces.push(line);
      }
      return;
    }
    const folded = text.replace(/[ \t\r\n\f]+/g, ' ');
    const piece = this.spaced && folded.startsWith(' ') ? folded.slice(1) : folded;
    if (piece === '') return;
    this.pieces.push(piece);
    this.spaced = piece.endsWith(' ');
  }

  private endLine(keepBlank = false): void {
    const text = this.pieces.join('').trimEnd();
    this.pieces = [];
    this.spaced = true;
    if (text === '' && !keepBlank) return;
    this.lines.push(lineOf(text, { ...(this.quotes > 0 ? { quoted: true } : {}), history: this.history > 0 }));
  }

  /** Answers where to go on. */
  private markup(at: number): number {
    const { html } = this;
    if (html.startsWith('<!--', at)) return after(html, '-->', at + 4);
    const next = html.charAt(at + 1);
    if (next === '!' || next === '?') return after(html, '>', at);
    const closes = next === '/';
    TAG_NAME.lastIndex = at + (closes ? 2 : 1);
    const name = TAG_NAME.exec(html)?.[1]?.toLowerCase();
    if (name === undefined) {
      this.addText('<');
      return at + 1;
    }
    const from = TAG_NAME.lastIndex;
    const end = endOfTag(html, from);
    if (closes) this.close(name);
    else {
      if (SKIPPED.has(name)) return skip(html, name, end);
      this.start(name, html.slice(from, Math.min(end, from + 2_000)));
    }
    return end;
  }

  private start(name: string, attributes: string): void {
    if (BLOCKS.has(name)) this.endLine(name === 'br');
    if (name === 'p' || name === 'blockquote') this.blankLine();
    if (name === 'td' || name === 'th') this.addText(' ');
    if (name === 'pre') this.pre++;
    const ids = /(?:class|id)\s*=/i.test(attributes) ? namesIn(attributes) : '';
    const history = HISTORY.test(ids) && name !== 'body' && name !== 'a';
    if (name === 'hr') this.lines.push(lineOf('_'.repeat(30), { history: this.history > 0 || history }));
    // Announcements are lines of text too; this only keeps them together.
    if (ANNOUNCES.test(ids)) this.endLine();
    if (VOID.has(name)) {
      if (history) this.history++;
      return;
    }
    if (this.open.length >= MAX_OPEN) return;
    const element = { name, quotes: name === 'blockquote', history };
    this.open.push(element);
    if (element.quotes) this.quotes++;
    if (history) this.history++;
  }

  private close(name: string): void {
    if (BLOCKS.has(name)) this.endLine();
    if (name === 'p') this.blankLine();
    if (name === 'pre') this.pre = Math.max(0, this.pre - 1);
    const last = this.open.length - 1;
    for (let at = last; at >= 0 && at > last - LOOK_BACK; at--) {
      if (this.open[at]?.name !== name) continue;
      for (const element of this.open.splice(at)) {
        if (element.quotes) this.quotes--;
        if (element.history) this.history--;
      }
      return;
    }
  }

  private blankLine(): void {
    this.endLine();
    if (this.lines.at(-1)?.blank === false)
      this.lines.push(lineOf('', { quoted: this.quotes > 0, history: this.history > 0 }));
  }
}

function namesIn(attributes: string): string {
  const found = attributes.matchAll(/(?:class|id)\s{0,5}=\s{0,5}("[^"]{0,300}|'[^']{0,300}|[^\s"'>]{1,300})/gi);
  return [...found].map((match) => match[1] ?? '').join(' ');
}

function after(html: string, mark: string, from: number): number {
  const found = html.indexOf(mark, from);
  return found < 0 ? html.length : found + mark.length;
}

/** Behind the `>` of a tag; a quoted value may hold one. A quote that is not closed does not eat the rest. */
function endOfTag(html: string, from: number): number {
  let at = from;
  while (at < html.length) {
    const char = html.charCodeAt(at);
    if (char === 0x3e) return at + 1;
    if ((char === 0x22 || char === 0x27) && html.charCodeAt(at - 1) === 0x3d) {
      const end = html.indexOf(html.charAt(at), at + 1);
      if (end < 0 || end - at > 20_000) return after(html, '>', at);
      at = end;
    }
    at++;
  }
  return html.length;
}

function skip(html: string, name: string, from: number): number {
  const end = new RegExp(`</${name}\\b`, 'gi');
  end.lastIndex = from;
  const found = end.exec(html);
  return found === null ? (name === 'head' ? from : html.length) : after(html, '>', found.index);
}
