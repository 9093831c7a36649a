// What a message says, as members of a JSON object: the part of a call's body that is read out of the source. As octets, and
// made where it is read (mime/offload.ts): with its files a message comes to 70 MB.
import { asBuffer } from './mime/line-ends.ts';
import { type IncomingAttachment, parseMail } from './mime/incoming-mail.ts';
import { newTextOf } from './reply/new-text.ts';

export interface ContentJsonOptions {
  /** An object as JSON, whose members come first. */
  readonly about: string;
  /** Octets of files that go along; where there are more, none does. */
  readonly mostFiles: number;
}

/** In this thread; `readContentJson` of mime/offload.ts decides where. */
export function contentJson(source: Uint8Array, { about, mostFiles }: ContentJsonOptions): Uint8Array<ArrayBuffer> {
  const mail = parseMail(source);
  const { text: textBody, html: htmlBody, headers, attachments } = mail;
  const files = attachments.reduce((sum, { size }) => sum + size, 0);
  const told = JSON.stringify({ textBody, htmlBody, strippedReply: newTextOf(mail), headers });
  const pieces: Buffer[] = [Buffer.from(`${about.slice(0, -1)},${told.slice(1, -1)},"attachments":[`)];
  attachments.forEach((file, index) => {
    if (index > 0) pieces.push(Buffer.from(','));
    pieces.push(...fileJson(file, files <= mostFiles));
  });
  pieces.push(Buffer.from(']}'));
  // With a buffer of its own: it goes to another thread.
  const body = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let to = 0;
  for (const piece of pieces) {
    body.set(piece, to);
    to += piece.length;
  }
  return body;
}

function fileJson({ name, contentType, size, contentId, content }: IncomingAttachment, inline: boolean): Buffer[] {
  const about = JSON.stringify({ name: name ?? '', contentType, size, contentId });
  // Base64 needs no escaping: what may be megabytes is not looked through character by character.
  const base64 = inline ? `"${asBuffer(content).toString('base64')}"` : 'null';
  return [Buffer.from(`${about.slice(0, -1)},"content":`), Buffer.from(base64, 'latin1'), Buffer.from('}')];
}
