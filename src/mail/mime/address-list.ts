// Address lists as they come in (From, To, Cc, Reply-To): RFC 5322 with what senders make of it. Lenient, unlike
// domain/email-address.ts: nothing is sent to what is read here. One pass over the text.
import { decodeWords } from './encoded-words.ts';

export interface IncomingAddress {
  /** Decoded; empty where there is none. */
  readonly name: string;
  /** As written; empty for an entry that has no address. */
  readonly address: string;
}

export interface AddressGroup {
  readonly group: string;
  readonly members: readonly IncomingAddress[];
}

export type AddressEntry = IncomingAddress | AddressGroup;

/** What of one entry has been read. */
interface Draft {
  /** Words outside of everything, with their blanks; quoted strings are in `quoted` too. */
  phrase: string;
  quoted: boolean;
  comments: string[];
  angle: string | null;
  /** Colons are part of a word from here on: a growing phrase is not looked through again for each of them. */
  named: boolean;
}

const MAX_COMMENT_DEPTH = 100;

export function parseAddressList(text: string, most = Number.POSITIVE_INFINITY): IncomingAddress[] {
  const all: IncomingAddress[] = [];
  for (const entry of parseAddressEntries(text, most)) {
    if ('group' in entry) all.push(...entry.members);
    else all.push(entry);
  }
  return all;
}

export function parseAddressEntries(text: string, most = Number.POSITIVE_INFINITY): AddressEntry[] {
  return new Reader(text, most).read();
}

class Reader {
  private at = 0;
  private draft: Draft = emptyDraft();
  private group: { readonly name: string; readonly members: IncomingAddress[] } | null = null;
  private readonly entries: AddressEntry[] = [];
  private count = 0;
  private readonly text: string;
  private readonly most: number;

  constructor(text: string, most: number) {
    this.text = text;
    this.most = most;
  }

  read(): AddressEntry[] {
    while (this.at < this.text.length && this.count < this.most) this.step();
    this.endEntry();
    this.endGroup();
    return this.entries;
  }

  private step(): void {
    const { draft } = this;
    const char = this.text.charAt(this.at++);
    switch (char) {
      case '"':
        draft.phrase += this.quotedString(draft);
        break;
      case '(':
        draft.comments.push(this.comment());
        draft.phrase += ' ';
        break;
      case '<':
        if (draft.angle === null || draft.angle === '') draft.angle = this.angle();
        else {
          // A second one: the comma before it was forgotten.
          this.endEntry();
          this.draft.angle = this.angle();
        }
        break;
      case ',':
        this.endEntry();
        break;
      case ';':
        this.endEntry();
        this.endGroup();
        break;
      case ':':
        this.colon();
        break;
      case '\\':
        draft.phrase += this.text.charAt(this.at++);
        break;
      default:
        draft.phrase += char;
    }
  }

  /** `Name: a, b;` opens a group; other colons are part of a word (`mailto:`, times, IPv6 literals). */
  private colon(): void {
    const { draft } = this;
    draft.named ||= this.group !== null || draft.angle !== null || draft.phrase.includes('@');
    if (!draft.named && draft.phrase.trim() !== '') {
      if (!draft.quoted && /^\s*mailto$/i.test(draft.phrase)) draft.phrase = '';
      else {
        this.group = { name: nameOf(draft), members: [] };
        this.draft = emptyDraft();
      }
    } else draft.phrase += ':';
  }

  /** As part of an address it keeps its quotes (`"a b"@c.example`); as part of a name it has none. */
  private quotedString(draft: Draft): string {
    let value = '';
    while (this.at < this.text.length) {
      const char = this.text.charAt(this.at++);
      if (char === '"') {
        // Blanks in it are put aside until the words have been told apart; NUL has no place in a field.
        if (this.text.charAt(this.at) === '@') return `"${value.replace(/["\\]/g, '\\$&').replace(/\s/g, '\0')}"`;
        draft.quoted = true;
        return value;
      }
      value += char === '\\' ? this.text.charAt(this.at++) : char;
    }
    draft.quoted = true;
    return value;
  }

  private comment(): string {
    let depth = 1;
    let value = '';
    while (this.at < this.text.length) {
      const char = this.text.charAt(this.at++);
      if (char === '\\') {
        value += this.text.charAt(this.at++);
        continue;
      }
      if (char === '(' && depth < MAX_COMMENT_DEPTH) depth++;
      if (char === ')' && --depth === 0) break;
      value += char;
    }
    return value.trim();
  }

  /** The text up to `>`; quotes may hold one. A route (`@a,@b:`) is cut off. */
  private angle(): string {
    let value = '';
    let quoted = false;
    while (this.at < this.text.length) {
      const char = this.text.charAt(this.at++);
      if (char === '>' && !quoted) break;
      if (char === '"') quoted = !quoted;
      if (char === '(' && !quoted) {
        this.draft.comments.push(this.comment());
        continue;
      }
      if (char === '\\' && quoted) value += char + this.text.charAt(this.at++);
      else if (quoted || char > ' ') value += char;
    }
    return value.startsWith('@') && value.includes(':') ? value.slice(value.indexOf(':') + 1) : value;
  }

  private endEntry(): void {
    const { draft } = this;
    this.draft = emptyDraft();
    const entry = addressOf(draft);
    if (entry === null) return;
    this.count++;
    if (this.group === null) this.entries.push(entry);
    else this.group.members.push(entry);
  }

  private endGroup(): void {
    if (this.group === null) return;
    this.entries.push({ group: this.group.name, members: this.group.members });
    this.group = null;
    this.count++;
  }
}

function emptyDraft(): Draft {
  return { phrase: '', quoted: false, comments: [], angle: null, named: false };
}

const clean = (text: string) => decodeWords(text).replace(/\s+/g, ' ').trim();

/** A comment stands for the name where there is no other: `a@b.example (Anna)`. */
function nameOf({ phrase, comments }: Draft): string {
  const words = clean(phrase).replace(/^'(.*)'$/, '$1');
  return words === '' ? clean(comments.join(' ')) : words;
}

function addressOf(draft: Draft): IncomingAddress | null {
  if (draft.angle !== null) {
    const name = nameOf(draft);
    const address = draft.angle.replace(/^mailto:([^?]*).*$/i, '$1');
    // `<Anna> a@b.example` has them the wrong way round.
    if (!address.includes('@') && /^\S+@\S+$/.test(name)) return { name: clean(address), address: name };
    return address === '' && name === '' ? null : { name, address };
  }
  const phrase = draft.phrase.trim();
  if (phrase === '' && draft.comments.length === 0) return null;
  const words = phrase.split(/\s+/);
  const index = words.findLastIndex((word) => word.includes('@'));
  // Blanks may stand around the @ and the dots (obsolete syntax).
  if (index < 0 || words[index] === '@') {
    const tight = phrase.replace(/\s+/g, '');
    return /^[^@]+@[^@]+$/.test(tight) && words.length <= 5
      ? { name: clean(draft.comments.join(' ')), address: tight }
      : { name: nameOf(draft), address: '' };
  }
  const name = words.toSpliced(index, 1).join(' ');
  return { name: nameOf({ ...draft, phrase: name }), address: (words[index] ?? '').replaceAll('\0', ' ') };
}
