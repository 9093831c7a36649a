// Finds where a quotation is announced: "On … wrote:" in many languages and over several lines, the written-out header of
// Outlook, a line of hyphens. What is looked at for one line is bounded, so the whole is linear.
import { ENDS_WITH_VERB, FORWARDED, HAS_VERB, type Label, labelOf, OPENINGS, ORIGINAL, QUOTING } from './words.ts';
import type { Line } from './lines.ts';

export interface QuoteHeader {
  /** How many lines it takes. */
  readonly lines: number;
  /** What of its first line is the writer's own. */
  readonly before: string;
  /** What follows is new to the reader: a message that was passed on. */
  readonly forwards: boolean;
}

/** An announcement is wrapped into at most some lines; blank ones come from mails that were HTML. */
const MAX_LINES = 7;
const MAX_LENGTH = 500;
const MAX_BLOCK = 14;
/** The longest word for "wrote", with what may stand behind it. */
const TAIL = 80;

const TIME = /(?<!\d)[0-2]?\d\s?(?:[:.٫]|h|時|时|點|点|시)\s?[0-5]\d/u;
const NUMERIC_DATE =
  /(?<!\d)(?:\d{1,2}[./-]\s?\d{1,2}[./-]\s?\d{2,4}|\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{4}\s?[年년])(?!\d)/u;
const YEAR = /(?<!\d)(?:19|20)\d{2}(?!\d)/;
const DAY_AND_MONTH =
  /(?:(?<!\d)\d{1,2}(?:st|nd|rd|th|er|\.|º)?[\s-]{1,2}(?:de\s)?\p{L}{3,12}|\p{L}{3,12}\.?[\s-]{1,2}\d{1,2}(?!\d))/u;
const MAIL = /[^\s<>@"():;,]@[^\s<>@"():;,]/;
const ANGLED = /<[^\s<>@]{1,64}@[^\s<>@]{1,255}>/;
const OLD_GMAIL = /^\d{4}[/-]\d{1,2}[/-]\d{1,2}\s.{1,80}<[^\s<>@]{1,64}@[^\s<>@]{1,255}>$/;
/** Marks of direction and what has no width: they stand around addresses in Hebrew and Arabic. */
const INVISIBLE = /[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;
const OPENING = new RegExp(`^[\\s*"'-]{0,4}(?:${OPENINGS})(?![\\p{L}])`, 'iu');
const DATE_FIRST = /^\s{0,4}(?:\p{L}{2,12}[.,]{0,2}\s)?\d{1,4}[./\s-]/u;

/** `>>> Anna <a@b.example> 3/5/2024 3:41 PM >>>`: looks quoted, and announces what is not. */
const GROUPWISE = /^>>> .{1,200}\d[:.]\d\d.{0,6} >>>\s{0,3}$/;

export function quoteHeaderAt(lines: readonly Line[], index: number): QuoteHeader | null {
  const line = lines[index];
  if (line === undefined || line.blank) return null;
  if (GROUPWISE.test(line.text)) return { lines: 1, before: '', forwards: false };
  if (line.quoted) return null;
  return separator(lines, index) ?? headerBlock(lines, index) ?? announcement(lines, index);
}

/** `-----Original Message-----`, `---- Anna wrote ----`, `---------- Forwarded message ---------`. */
function separator(lines: readonly Line[], index: number): QuoteHeader | null {
  const text = lines[index]?.text.trim() ?? '';
  if (text.length > 160) return null;
  if (
    /^begin forwarded message\s*:?$/i.test(text) ||
    /^(?:anfang der weitergeleiteten|début du message|inizio messaggio)/i.test(text)
  )
    return { lines: 1, before: '', forwards: true };
  const title = /^[-_=*~#>]{2,}\s{0,3}([^-_=*~#\s].*?)\s{0,3}[-_=*~#<]{2,}\s{0,3}:?$/.exec(text)?.[1];
  if (title === undefined) return /^[_-]{20,}$/.test(text) ? rule(lines, index) : null;
  if (FORWARDED.test(title)) return { lines: 1, before: '', forwards: true };
  const announces =
    ORIGINAL.test(title) || HAS_VERB.test(title) || headerBlock(lines, nextSolid(lines, index + 1)) !== null;
  return announces ? { lines: 1, before: '', forwards: false } : null;
}

/** A ruled line counts when a header stands below it. */
function rule(lines: readonly Line[], index: number): QuoteHeader | null {
  const next = nextSolid(lines, index + 1);
  const block = next - index > 3 ? null : headerBlock(lines, next);
  return block === null ? null : { ...block, lines: block.lines + next - index };
}

/**
 * At least three fields, one after the other, or two when an address or a date stands in them. Where the language is not
 * known, three lines of the same form with an address in the first and a date after it.
 */
function headerBlock(lines: readonly Line[], index: number): QuoteHeader | null {
  const first = lines[index] === undefined ? null : labelOf(lines[index].text);
  if (first === null) return null;
  const seen = new Set<Label>();
  let fields = 0;
  let evidence = '';
  let last = index;
  for (let at = index; at < Math.min(lines.length, index + MAX_BLOCK); at++) {
    const line = lines[at] as Line;
    // From HTML, fields may stand apart by a blank line.
    if (line.blank && (fields < 2 || at - last > 1)) continue;
    const field = line.blank ? null : labelOf(line.text);
    if (line.blank || (field === null && at - last > 1)) break;
    if (field === null) continue;
    fields++;
    last = at;
    if (field.label !== null) seen.add(field.label);
    evidence += ` ${field.value.slice(0, 200)}`;
  }
  const dated = YEAR.test(evidence) || TIME.test(evidence);
  const known =
    seen.has('from') &&
    (first.label === 'from' || first.label === 'date' || first.label === 'subject' || first.label === 'to');
  const two = seen.size === 2 && (MAIL.test(evidence) || dated) && (seen.has('date') || seen.has('subject'));
  const foreign = fields >= 3 && MAIL.test(first.value) && dated && last - index <= 5;
  if (!((known && (seen.size >= 3 || two)) || foreign)) return null;
  return { lines: last - index + 1, before: '', forwards: false };
}

/** "On … wrote:", on this line and some that follow, or at the end of this line behind text. */
function announcement(lines: readonly Line[], index: number): QuoteHeader | null {
  const line = visible((lines[index] as Line).text);
  const shared = sharedLine(line);
  const own = shared ?? (line.length <= MAX_LENGTH ? { before: '', text: line } : null);
  if (own === null || !mayBegin(own.text)) return null;
  let text = '';
  let solid = 0;
  const last = Math.min(lines.length, index + MAX_LINES);
  for (let at = index; at < last; at++) {
    const next = lines[at] as Line;
    // `> wrote:` is a torn `<address> wrote:`.
    if (at > index && next.quoted && !(next.level === 0 || ENDS_WITH_VERB.test(next.text.slice(-TAIL)))) return null;
    if (next.blank) continue;
    text = at === index ? own.text.trim() : `${text} ${visible(next.text).trim()}`;
    solid++;
    if (text.length > MAX_LENGTH || solid > 5) return null;
    if (isAnnouncement(text, lines, at)) return { lines: at - index + 1, before: own.before, forwards: false };
    // A sentence that ends is no part of an announcement; nor does one go over a blank line without a reason.
    if (endsSentence(next.text)) return null;
    if (lines[at + 1]?.blank === true && !opens(text)) return null;
  }
  return null;
}

const endsSentence = (text: string) => /\p{Ll}{4}[.!?]$/u.test(text.trimEnd().slice(-10));

function visible(text: string): string {
  return text.length > MAX_LENGTH * 2 || !/[\u200b-\u206f\ufeff]/.test(text) ? text : text.replace(INVISIBLE, '');
}

/** A line that says that a message is passed on. */
export function forwards(line: Line): boolean {
  const text = line.text.trim();
  return text.length < 160 && /^[-_=*~]{2,}[^-_=*~].*[-_=*~]{2,}$/.test(text) && FORWARDED.test(text);
}

const opens = (text: string) => OPENING.test(text) && (YEAR.test(text) || TIME.test(text) || NUMERIC_DATE.test(text));

function mayBegin(text: string): boolean {
  if (QUOTING.test(text)) return true;
  if (!/\d/.test(text)) return HAS_VERB.test(text) || (MAIL.test(text) && text.length < 200);
  return (
    TIME.test(text) || NUMERIC_DATE.test(text) || YEAR.test(text) || DAY_AND_MONTH.test(text) || HAS_VERB.test(text)
  );
}

function isAnnouncement(text: string, lines: readonly Line[], at: number): boolean {
  const tail = text.slice(-TAIL);
  const colon = /[:：]\s{0,3}-{0,10}$/.test(tail);
  // `2012/10/26 Anna <a@b.example>`, of an old Gmail.
  if (!colon && OLD_GMAIL.test(text)) return lines[nextSolid(lines, at + 1)]?.quoted === true;
  if (!colon && !ENDS_WITH_VERB.test(tail)) return false;
  const verb = !colon || HAS_VERB.test(text);
  if (colon && QUOTING.test(text)) return lines[nextSolid(lines, at + 1)]?.quoted === true;
  const mail = MAIL.test(text);
  const time = TIME.test(text);
  const date = NUMERIC_DATE.test(text) || ((time || YEAR.test(text)) && DAY_AND_MONTH.test(text));
  const quoteFollows = lines[nextSolid(lines, at + 1)]?.quoted === true;
  if (verb && date && (mail || time || quoteFollows || YEAR.test(text)) && (colon || mail)) return true;
  if (colon && date && mail && (time || YEAR.test(text)) && (OPENING.test(text) || DATE_FIRST.test(text))) return true;
  if (colon && mail && date && time) return true;
  if (colon && ENDS_WITH_VERB.test(tail) && ANGLED.test(text)) return true;
  return colon && verb && quoteFollows && (mail || text.length < 120);
}

/** `Thanks! On Wed, Apr 4, 2012 at 3:59 PM, me@domain.example wrote:` */
function sharedLine(line: string): { readonly before: string; readonly text: string } | null {
  const tail = line.slice(-MAX_LENGTH);
  const from = line.length - tail.length;
  const dashes = /\S\s{0,3}(-{2,20}\s{0,3})(?=\p{L})/u.exec(tail);
  const word = /\S\s{1,3}(?=(?:On|Am|Le|El|Em|Il|Op)\s(?:\p{L}{2,9}[.,]{0,2}\s)?(?:\p{L}{3,9}\.?\s)?\d)/u.exec(tail);
  const match = dashes ?? word;
  if (match === null) return null;
  const cut = match.index + match[0].length;
  const text = tail.slice(cut);
  return ENDS_WITH_VERB.test(text.slice(-TAIL)) ? { before: line.slice(0, from + match.index + 1), text } : null;
}

export function nextSolid(lines: readonly Line[], from: number): number {
  let at = from;
  const last = Math.min(lines.length, from + 5);
  while (at < last && lines[at]?.blank === true) at++;
  return at;
}
