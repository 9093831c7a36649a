// An SMTP client in a thread of its own: what it does costs the thread under test nothing.
import { once } from 'node:events';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { Dialogue } from './smtp-dialogue.ts';

export interface Posted {
  readonly port: number;
  readonly tls: boolean;
  /** Before MAIL: AUTH. */
  readonly commands: readonly string[];
  readonly from: string;
  readonly to: string;
  /** With dots doubled. */
  readonly source: Uint8Array<ArrayBuffer>;
}

export interface SmtpThread extends AsyncDisposable {
  /** The answer to the final dot. */
  post(mail: Posted): Promise<{ readonly code: number; readonly text: string }>;
}

export function smtpThread(): SmtpThread {
  const worker = new Worker(new URL(import.meta.url));
  return {
    async post(mail) {
      const answered = once(worker, 'message');
      worker.postMessage(mail, [mail.source.buffer]);
      const [reply] = await answered;
      if (typeof reply === 'string') throw new Error(reply);
      return reply;
    },
    async [Symbol.asyncDispose]() {
      await worker.terminate();
    },
  };
}

if (!isMainThread) {
  const port = parentPort;
  port?.on('message', (mail: Posted) => {
    void send(mail).then(
      (reply) => port.postMessage(reply),
      (error: unknown) => port.postMessage(String(error)),
    );
  });
}

async function send({ port, tls, commands, from, to, source }: Posted) {
  using session = await Dialogue.open(port, { tls });
  await session.command('EHLO peer.example', 250);
  for (const command of commands) await session.command(command);
  await session.envelope(from, [to]);
  session.write(source);
  session.write('\r\n.\r\n');
  return await session.reply();
}
