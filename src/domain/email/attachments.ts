// Attachments: names that no file system or mail client can be tricked by, types we can compose, and strict base64.

import type { Issues } from './issues.ts';
import { MAX_ATTACHMENTS, MAX_CONTENT_ID, MAX_CONTENT_TYPE, MAX_FILE_NAME, MAX_MESSAGE_BYTES } from './limits.ts';
import { lineFlaw } from './text.ts';
import type { Attachment, AttachmentInput } from './types.ts';

/** What a double click runs on the recipient's machine; the list senders know from Postmark. */
const FORBIDDEN_EXTENSIONS = new Set(
  (
    'vbs exe bin bat chm com cpl crt hlp hta inf ins isp jse lnk mdb pcd pif reg scr sct shs vbe vba wsf wsh wsl ' +
    'msc msi msp mst'
  ).split(' '),
);

const TOKEN = "[!#$%&'*+\\-.^_`{|}~0-9A-Za-z]+";
/** RFC 2045 §5.1; quoted values without backslashes, which no type needs and parsers read differently. */
const CONTENT_TYPE = new RegExp(
  `^(${TOKEN})/(${TOKEN})((?:[ \\t]*;[ \\t]*${TOKEN}=(?:${TOKEN}|"[^"\\\\\\x00-\\x1f\\x7f-\\uffff]*"))*)[ \\t]*;?[ \\t]*$`,
);
/** What may stand between the angle brackets of Content-ID and, unescaped, in a cid: URL. */
const CONTENT_ID = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.@]+$/;
/** Direction overrides hide an extension: `invoice\u202Efdp.exe` is shown as `invoiceexe.pdf`. */
const BIDI_CONTROL = /[\u202a-\u202e\u2066-\u2069]/;
const NOTHING: readonly Attachment[] = [];

export function checkAttachments(
  given: readonly AttachmentInput[] | null | undefined,
  issues: Issues,
): readonly Attachment[] {
  if (given === null || given === undefined || given.length === 0) return NOTHING;
  if (given.length > MAX_ATTACHMENTS) {
    issues.add(['attachments'], `has ${given.length} attachments; at most ${MAX_ATTACHMENTS} are allowed`);
    return NOTHING;
  }
  const attachments: Attachment[] = [];
  const contentIds = new Set<string>();
  given.forEach((attachment, index) => {
    const add = (field: string, message: string) => issues.add(['attachments', index, field], message);
    const { name, contentType } = attachment;
    const wrongName = fileNameFlaw(name);
    if (wrongName !== null) add('name', wrongName);
    const wrongType = contentTypeFlaw(contentType);
    if (wrongType !== null) add('contentType', wrongType);
    const contentId = bareContentId(attachment.contentId);
    if (contentId !== null) {
      if (contentId.length > MAX_CONTENT_ID) add('contentId', `is longer than ${MAX_CONTENT_ID} characters`);
      else if (!CONTENT_ID.test(contentId)) add('contentId', 'holds a character that a content id cannot have');
      else if (contentIds.has(contentId)) add('contentId', 'is the content id of another attachment');
      contentIds.add(contentId);
    }
    const content = decodeBase64(attachment.content);
    if (!content.ok) add('content', content.reason);
    else attachments.push({ name, contentType, contentId, content: content.bytes, size: content.bytes.length });
  });
  return attachments;
}

/** Why nothing may be attached under this name, or null. */
export function fileNameFlaw(name: string): string | null {
  if (name.trim() === '') return 'is empty';
  const flaw = lineFlaw(name);
  if (flaw !== null) return flaw;
  if (name.length > MAX_FILE_NAME) return `is longer than ${MAX_FILE_NAME} characters`;
  if (/[/\\]/.test(name)) return 'holds a path separator';
  if (BIDI_CONTROL.test(name)) return 'holds a text direction override';
  // Some readers decode encoded-words in parameters and some do not, so the extension could be two things.
  if (name.includes('=?')) return 'holds the beginning of an encoded-word (=?)';
  const extension = extensionOf(name);
  return extension !== null && FORBIDDEN_EXTENSIONS.has(extension)
    ? `has the extension .${extension}, which is not allowed in email`
    : null;
}

/**
 * Windows drops trailing dots and spaces (`a.exe. ` runs as `a.exe`), and a stream name after a colon (`a.exe:x`);
 * invisible characters and full-width letters (NFKC) would hide the extension from the list.
 */
function extensionOf(name: string): string | null {
  const plain = name
    .normalize('NFKC')
    .replace(/\p{Cf}/gu, '')
    .replace(/:.*$/s, '')
    .replace(/[.\s]+$/, '');
  const dot = plain.lastIndexOf('.');
  return dot < 0
    ? null
    : plain
        .slice(dot + 1)
        .trim()
        .toLowerCase();
}

function contentTypeFlaw(contentType: string): string | null {
  if (contentType.length > MAX_CONTENT_TYPE) return `is longer than ${MAX_CONTENT_TYPE} characters`;
  const match = CONTENT_TYPE.exec(contentType);
  if (match === null) return 'is not a MIME type such as application/pdf';
  const type = match[1]?.toLowerCase();
  // A multipart needs its boundary written by the composer.
  if (type === 'multipart') return 'is a multipart type, which an attachment cannot be';
  // partial and external-body make clients fetch or join content; the others are reports only mail servers write.
  if (type === 'message' && match[2]?.toLowerCase() !== 'rfc822') return 'is a message type other than message/rfc822';
  return null;
}

/** Absent and empty both mean "not inline". `cid:logo`, `<logo>` and `logo` are the same id. */
function bareContentId(given: string | null | undefined): string | null {
  if (given === null || given === undefined) return null;
  const bare = given.replace(/^cid:/i, '');
  return (bare.startsWith('<') && bare.endsWith('>') ? bare.slice(1, -1) : bare) || null;
}

type Decoded = { readonly ok: true; readonly bytes: Buffer } | { readonly ok: false; readonly reason: string };

/**
 * RFC 4648 §4 with its padding; line breaks are allowed as in MIME. Buffer skips what is not base64, so a wrong
 * character is seen by the length: it must be exactly what the counted characters give.
 */
export function decodeBase64(text: string): Decoded {
  if (text.length > MAX_MESSAGE_BYTES * 1.1) return { ok: false, reason: 'is too large for one message' };
  if (text === '') return { ok: true, bytes: Buffer.alloc(0) };
  const characters = text.length - countOf(text, '\n') - countOf(text, '\r');
  const tail = text.trimEnd();
  const padding = tail.endsWith('==') ? 2 : tail.endsWith('=') ? 1 : 0;
  const bytes = Buffer.from(text, 'base64');
  // Buffer also takes the URL alphabet of RFC 4648 §5, and of a character above U+00FF it sees the low octet only.
  const foreign = text.includes('-') || text.includes('_') || Buffer.byteLength(text) !== text.length;
  if (foreign || characters % 4 !== 0 || bytes.length !== (characters / 4) * 3 - padding)
    return { ok: false, reason: 'is not valid base64' };
  return { ok: true, bytes };
}

function countOf(text: string, char: string): number {
  let count = 0;
  for (let at = text.indexOf(char); at >= 0; at = text.indexOf(char, at + 1)) count++;
  return count;
}
