// A message as an application wants it: who, what, text, HTML and files.
import { type IncomingAddress, parseAddressList } from './address-list.ts';
import { decodeText } from './charset.ts';
import { parseDate } from './dates.ts';
import { decodeWords } from './encoded-words.ts';
import { MailTooBig, type MimeDefect, type MimeLimits, MIME_LIMITS } from './limits.ts';
import { withCrLf } from './line-ends.ts';
import { contentOf, headerOf, type MimePart, parseStructure } from './structure.ts';

const LF = 0x0a;

export interface IncomingAttachment {
  /** Null where the sender gave none. Never a path: what stands before a slash is kept as text, use it as a label only. */
  readonly name: string | null;
  readonly contentType: string;
  readonly size: number;
  /** Without angle brackets. */
  readonly contentId: string | null;
  readonly content: Uint8Array;
}

export interface IncomingMail {
  /** All fields in their order, decoded. */
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly from: readonly IncomingAddress[];
  readonly to: readonly IncomingAddress[];
  readonly cc: readonly IncomingAddress[];
  readonly bcc: readonly IncomingAddress[];
  readonly replyTo: readonly IncomingAddress[];
  readonly subject: string | null;
  readonly date: Date | null;
  /** Without angle brackets. */
  readonly messageId: string | null;
  /** The plain text of the body, with line ends LF; null where the body has none. */
  readonly text: string | null;
  readonly html: string | null;
  readonly attachments: readonly IncomingAttachment[];
  readonly defects: readonly MimeDefect[];
}

/** What is told of a message without its content. */
export interface MailOutline extends Omit<IncomingMail, 'text' | 'html' | 'attachments'> {
  readonly attachments: readonly Omit<IncomingAttachment, 'content'>[];
}

export function outlineOf({ text: _text, html: _html, attachments, ...outline }: IncomingMail): MailOutline {
  return { ...outline, attachments: attachments.map(({ content: _content, ...file }) => file) };
}

/** In this thread: for what is known to be small, and for workers. `readMail` decides. */
export function parseMail(source: Uint8Array, limits: MimeLimits = MIME_LIMITS): IncomingMail {
  if (source.length > limits.maxSize) throw new MailTooBig(`a message of ${source.length} octets`);
  const { root, defects } = parseStructure(source, limits);
  const found = new Set(defects);
  const addresses = (key: string) => {
    const list = root.headers
      .filter((field) => field.key === key)
      .flatMap(({ value }) => parseAddressList(value, limits.maxAddresses + 1));
    if (list.length > limits.maxAddresses) found.add('TOO_MANY_ADDRESSES');
    return list.slice(0, limits.maxAddresses);
  };
  const headers = root.headers.map(({ name, value }) => ({ name, value: decodeWords(value) }));
  const subject = root.headers.findIndex(({ key }) => key === 'subject');
  const date = headerOf(root, 'date');
  return {
    headers,
    from: addresses('from'),
    to: addresses('to'),
    cc: addresses('cc'),
    bcc: addresses('bcc'),
    replyTo: addresses('reply-to'),
    subject: headers[subject]?.value ?? null,
    date: date === undefined ? null : parseDate(date),
    messageId: messageIdOf(headerOf(root, 'message-id')),
    ...bodiesOf(root),
    defects: [...found],
  };
}

function messageIdOf(value: string | undefined): string | null {
  if (value === undefined) return null;
  return (/<([^<>]+)>/.exec(value)?.[1] ?? value).trim() || null;
}

interface Bodies {
  readonly text: string | null;
  readonly html: string | null;
  readonly attachments: readonly IncomingAttachment[];
}

/** Texts of the body are joined in their order; everything else, attached messages too, is an attachment. */
function bodiesOf(root: MimePart): Bodies {
  const texts: string[] = [];
  const htmls: string[] = [];
  const attachments: IncomingAttachment[] = [];
  for (const part of leavesOf(root)) {
    // A multipart in which no part was found holds nothing that could be shown: every parser says so.
    if (part.type.startsWith('multipart/')) continue;
    if (isBodyText(part)) (part.type === 'text/html' ? htmls : texts).push(textOf(part));
    else attachments.push(attachmentOf(part));
  }
  const join = (all: readonly string[]) => (all.length === 0 ? null : all.join('\n'));
  return { text: join(texts), html: join(htmls), attachments };
}

/** In their order; what an attached message holds is its own affair. */
export function leavesOf(root: MimePart): MimePart[] {
  const leaves: MimePart[] = [];
  const waiting = [root];
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    if (part.type.startsWith('multipart/') && part.children.length > 0) waiting.push(...part.children.toReversed());
    else leaves.push(part);
  }
  return leaves;
}

function isBodyText(part: MimePart): boolean {
  if (part.disposition?.value === 'attachment') return false;
  return part.type === 'text/plain' || part.type === 'text/html';
}

/** A part's text, with line ends LF. */
export function textOf(part: MimePart): string {
  const content = contentOf(part);
  const charset = part.parameters.get('charset') ?? (part.type === 'text/html' ? charsetOfHtml(content) : null);
  const text = decodeText(content, charset);
  return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
}

/** What the document says of itself, where nothing else does. */
function charsetOfHtml(content: Buffer): string | null {
  return (
    /<meta[^>]{0,200}\bcharset\s{0,5}=\s{0,5}["']?([\w.:-]{1,40})/i.exec(content.toString('latin1', 0, 2_048))?.[1] ??
    null
  );
}

/**
 * Line ends that were not encoded: text has CR LF in its canonical form (RFC 2046 §4.1.1), and a message that was signed
 * needs them; anything else has LF. So the same file comes out whatever line ends the message was read with.
 */
function fileOf(part: MimePart): Buffer {
  const content = contentOf(part);
  const encoded = part.encoding === 'base64' || part.encoding === 'uuencode';
  if (encoded || !/^(?:text|message)\//.test(part.type) || !content.includes(LF)) return content;
  return withCrLf(content);
}

function attachmentOf(part: MimePart): IncomingAttachment {
  const content = fileOf(part);
  const name = part.disposition?.parameters.get('filename') ?? part.parameters.get('name') ?? null;
  return {
    name: name === '' ? null : name,
    contentType: part.type,
    size: content.length,
    contentId: messageIdOf(headerOf(part, 'content-id')),
    content,
  };
}
