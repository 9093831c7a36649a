// Takes a message into memory, within what the process has for that.
import type { SMTPServerDataStream } from 'smtp-server';
import { SmtpRefusal } from './refusal.ts';

/** Octets that all messages under way may take together. */
export class MemoryBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#left += bytes;
  }
}

export interface Collected extends Disposable {
  readonly bytes: Buffer;
}

/**
 * Reads to the end in any case: a client hears only then. Fails for what is too large, for want of memory, and where the
 * connection ends first. Its octets count until it is disposed of.
 */
export function collect(
  stream: SMTPServerDataStream,
  options: { readonly most: number; readonly budget: MemoryBudget; tooLarge(): SmtpRefusal },
): Promise<Collected> {
  const { budget, most } = options;
  const { promise, resolve, reject } = Promise.withResolvers<Collected>();
  let chunks: Buffer[] = [];
  let bytes = 0;
  let held = 0;
  let refusal: SmtpRefusal | null = null;
  const drop = () => {
    chunks = [];
    budget.give(held);
    held = 0;
  };
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (refusal !== null) return;
    if (bytes > most) refusal = options.tooLarge();
    else if (!budget.take(chunk.length)) refusal = new SmtpRefusal(452, '4.3.1', 'No room for more messages right now');
    else {
      held += chunk.length;
      chunks.push(chunk);
      return;
    }
    drop();
  });
  stream.once('end', () => {
    if (refusal !== null) return reject(refusal);
    resolve({
      bytes: chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, bytes),
      [Symbol.dispose]: drop,
    });
  });
  stream.once('close', () => {
    if (stream.readableEnded) return;
    drop();
    reject(new SmtpRefusal(421, '4.4.2', 'The connection ended amid the message'));
  });
  return promise;
}
