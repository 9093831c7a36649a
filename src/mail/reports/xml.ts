// The little of XML that reports are made of: elements, text, the five entities and numeric references. No DTD, so no
// entities of its own and nothing fetched: a document that has one is refused. Attributes and namespaces are left out.
//
// Lenient where reporters are wrong: a closing tag that is missing or too many, junk before and after the document.
import { decodeText } from '../mime/charset.ts';
import { type ReportLimits, ReportRefused } from './limits.ts';

export interface XmlElement {
  /** Without prefix, lower case. */
  readonly name: string;
  readonly children: XmlElement[];
  text: string;
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const NAME = /([A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]{0,99})/y;

export function decodeXml(bytes: Buffer): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return decodeText(bytes, 'utf-16le');
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return decodeText(bytes, 'utf-16be');
  const declared = /^[^<]{0,20}<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})/.exec(
    bytes.toString('latin1', 0, 300),
  )?.[1];
  // What says UTF-16 and could be read so far is not.
  return decodeText(bytes, declared === undefined || /^utf-?16/i.test(declared) ? 'utf-8' : declared);
}

/** The first element called `root`, wherever it stands; null without one. */
export function parseXml(text: string, root: string, limits: ReportLimits): XmlElement | null {
  return new XmlReader(text, root, limits).read();
}

class XmlReader {
  private readonly text: string;
  private readonly rootName: string;
  private readonly limits: ReportLimits;
  private readonly open: XmlElement[] = [];
  private root: XmlElement | null = null;
  private elements = 0;

  constructor(text: string, root: string, limits: ReportLimits) {
    this.text = text;
    this.rootName = root;
    this.limits = limits;
  }

  read(): XmlElement | null {
    const { text } = this;
    let at = 0;
    while (at < text.length) {
      const tag = text.indexOf('<', at);
      const end = tag < 0 ? text.length : tag;
      this.addText(at, end);
      if (tag < 0) break;
      at = this.markup(tag);
      if (this.root !== null && this.open.length === 0) break;
    }
    return this.root;
  }

  private addText(from: number, to: number): void {
    const element = this.open.at(-1);
    if (element === undefined || from === to) return;
    const raw = this.text.slice(from, to).trim();
    if (raw !== '') element.text += raw.includes('&') ? unescape(raw) : raw;
  }

  private markup(at: number): number {
    const { text } = this;
    if (text.startsWith('<!--', at)) return this.behind('-->', at + 4);
    if (text.startsWith('<![CDATA[', at)) {
      const end = this.behind(']]>', at + 9);
      const element = this.open.at(-1);
      if (element !== undefined) element.text += text.slice(at + 9, end - 3);
      return end;
    }
    const next = text.charAt(at + 1);
    if (next === '!') throw new ReportRefused('FORBIDDEN_XML', 'has a document type definition');
    if (next === '?') return this.behind('?>', at);
    NAME.lastIndex = at + (next === '/' ? 2 : 1);
    const name = NAME.exec(text)?.[2]?.toLowerCase();
    if (name === undefined) return at + 1;
    const end = this.behind('>', NAME.lastIndex);
    if (next === '/') this.close(name);
    else this.start(name, text.charAt(end - 2) === '/');
    return end;
  }

  private behind(mark: string, from: number): number {
    const found = this.text.indexOf(mark, from);
    return found < 0 ? this.text.length : found + mark.length;
  }

  private start(name: string, empty: boolean): void {
    if (this.root === null && name !== this.rootName) return;
    this.elements++;
    if (this.elements > this.limits.maxElements) throw new ReportRefused('TOO_BIG', 'has too many elements');
    const element: XmlElement = { name, children: [], text: '' };
    this.root ??= element;
    this.open.at(-1)?.children.push(element);
    if (empty) return;
    if (this.open.length >= this.limits.maxDepth) throw new ReportRefused('TOO_BIG', 'is nested too deeply');
    this.open.push(element);
  }

  /**
   * One whose opening stands further out closes what is inside of it. One that was never opened is the end of a value,
   * misspelt, or else left out.
   */
  private close(name: string): void {
    const index = this.open.findLastIndex((element) => element.name === name);
    const last = this.open.at(-1);
    if (index >= 0) this.open.length = index;
    else if (last !== undefined && last.text !== '' && last.children.length === 0) this.open.pop();
  }
}

function unescape(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w{2,4}));/g, (whole, decimal, hex, name) => {
    if (typeof name === 'string') return NAMED[name] ?? whole;
    const code = typeof decimal === 'string' ? Number(decimal) : Number.parseInt(String(hex), 16);
    return code > 0x10_ffff || (code >= 0xd800 && code <= 0xdfff) ? '\ufffd' : String.fromCodePoint(code);
  });
}

export function child(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((one) => one.name === name);
}

export function childrenOf(element: XmlElement | undefined, name: string): XmlElement[] {
  return element?.children.filter((one) => one.name === name) ?? [];
}

/** Null for what is missing or blank. */
export function textIn(element: XmlElement | undefined, name: string): string | null {
  return child(element, name)?.text.trim() || null;
}
