// The thread that reads messages: one task after the other, started by offload.ts.
import { parentPort } from 'node:worker_threads';
import { readReturned } from '../bounce/read-report.ts';
import { contentJson, type ContentJsonOptions } from '../content-json.ts';
import { type ReportedDomain, reportAbout } from '../reports/about-domain.ts';
import { parseReport } from '../reports/read-report.ts';
import { strippedReply } from '../reply/stripped-reply.ts';
import { parseSubmitted } from '../source/parse-submitted.ts';
import { type IncomingAttachment, outlineOf, parseMail } from './incoming-mail.ts';

interface OfSource {
  readonly source: Uint8Array<ArrayBuffer>;
}

export type Task =
  | ({ readonly kind: 'mail' | 'outline' | 'returned' | 'submitted' } & OfSource)
  | ({ readonly kind: 'attachment'; readonly index: number } & OfSource)
  | ({ readonly kind: 'json'; readonly options: ContentJsonOptions } & OfSource)
  | ({ readonly kind: 'report'; readonly about: ReportedDomain } & OfSource)
  | { readonly kind: 'reply'; readonly text: string | null; readonly html: string | null };

export type Answer = { readonly value: unknown } | { readonly error: Error };

interface Made {
  readonly value: unknown;
  /** What is handed over, not copied. */
  readonly transfer?: ArrayBuffer[];
}

const port = parentPort;
port?.on('message', (task: Task) => {
  void answer(task).then(({ reply, transfer }) => port.postMessage(reply, transfer));
});

async function answer(task: Task): Promise<{ reply: Answer; transfer: ArrayBuffer[] }> {
  try {
    const { value, transfer = [] } = await make(task);
    return { reply: { value }, transfer };
  } catch (error) {
    return { reply: { error: error instanceof Error ? error : new Error(String(error)) }, transfer: [] };
  }
}

async function make(task: Task): Promise<Made> {
  switch (task.kind) {
    case 'mail': {
      const mail = parseMail(task.source);
      const attachments = mail.attachments.map(asOwn);
      return { value: { ...mail, attachments }, transfer: buffersOf(attachments) };
    }
    case 'outline':
      return { value: outlineOf(parseMail(task.source)) };
    case 'attachment': {
      const files = parseMail(task.source)
        .attachments.slice(task.index, task.index + 1)
        .map(asOwn);
      return { value: files[0] ?? null, transfer: buffersOf(files) };
    }
    case 'submitted': {
      const { mail, ...submitted } = parseSubmitted(task.source);
      const attachments = (mail?.attachments ?? []).map(asOwn);
      return {
        value: { ...submitted, mail: mail === null ? null : { ...mail, attachments } },
        transfer: buffersOf(attachments),
      };
    }
    case 'json': {
      const body = contentJson(task.source, task.options);
      return { value: body, transfer: [body.buffer] };
    }
    case 'returned':
      return { value: readReturned(task.source) };
    case 'report':
      return { value: reportAbout(await parseReport(task.source), task.about) };
    case 'reply':
      return { value: strippedReply(task) };
  }
}

/** Each with a buffer of its own, for some are views of the message. */
function asOwn(file: IncomingAttachment) {
  return { ...file, content: new Uint8Array(file.content) };
}

function buffersOf(files: readonly { readonly content: Uint8Array<ArrayBuffer> }[]): ArrayBuffer[] {
  return files.map(({ content }) => content.buffer);
}
