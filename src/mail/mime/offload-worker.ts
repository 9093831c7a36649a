// The thread that reads messages: one task after the other, started by offload.ts.
import { parentPort } from 'node:worker_threads';
import { readReturned } from '../bounce/read-report.ts';
import { parseReport } from '../reports/read-report.ts';
import { strippedReply } from '../reply/stripped-reply.ts';
import { type IncomingMail, parseMail } from './incoming-mail.ts';

export type Task =
  | { readonly kind: 'mail'; readonly source: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'returned'; readonly source: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'report'; readonly source: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'reply'; readonly text: string | null; readonly html: string | null };

export type Answer = { readonly value: unknown } | { readonly error: Error };

const port = parentPort;
port?.on('message', (task: Task) => {
  void answer(task).then(({ reply, transfer }) => port.postMessage(reply, transfer));
});

async function answer(task: Task): Promise<{ reply: Answer; transfer: ArrayBuffer[] }> {
  try {
    if (task.kind === 'mail') return withFiles(parseMail(task.source));
    return { reply: { value: await valueOf(task) }, transfer: [] };
  } catch (error) {
    return { reply: { error: error instanceof Error ? error : new Error(String(error)) }, transfer: [] };
  }
}

function valueOf(task: Exclude<Task, { kind: 'mail' }>): unknown {
  switch (task.kind) {
    case 'returned':
      return readReturned(task.source);
    case 'report':
      return parseReport(task.source);
    case 'reply':
      return strippedReply(task);
  }
}

/** Files are handed over, not copied; each has a buffer of its own, for some are views of the message. */
function withFiles(mail: IncomingMail): { reply: Answer; transfer: ArrayBuffer[] } {
  const attachments = mail.attachments.map((file) => ({ ...file, content: new Uint8Array(file.content) }));
  return {
    reply: { value: { ...mail, attachments } },
    transfer: attachments.map(({ content }) => content.buffer),
  };
}
