// Takes a message in: a small one into memory, a large one into the spool, octet by octet as it comes.
import { Readable } from 'node:stream';
import type { SMTPServerDataStream } from 'smtp-server';
import type { Spool, SpoolFile } from '#/runtime/ports.ts';
import type { MemoryBudget } from '../protocol/collect.ts';
import { SmtpRefusal } from '../protocol/refusal.ts';
import type { ReceivedSource } from './received.ts';

export interface TakenSource extends ReceivedSource, AsyncDisposable {}

export interface TakeOptions {
  readonly most: number;
  readonly spoolFrom: number;
  readonly budget: MemoryBudget;
  readonly spool: Spool;
}

/** Reads to the end in any case: a client hears only then. */
export async function take(stream: SMTPServerDataStream, options: TakeOptions): Promise<TakenSource> {
  const taking = new Taking(options);
  try {
    for await (const chunk of stream) await taking.add(chunk as Buffer);
    if (taking.refusal !== null) throw taking.refusal;
    return taking.finish();
  } catch (error) {
    await taking[Symbol.asyncDispose]();
    if (error instanceof SmtpRefusal || !stream.destroyed || stream.readableEnded) throw error;
    throw new SmtpRefusal(421, '4.4.2', 'The connection ended amid the message');
  }
}

class Taking implements AsyncDisposable {
  refusal: SmtpRefusal | null = null;
  readonly #options: TakeOptions;
  #chunks: Buffer[] = [];
  #held = 0;
  #size = 0;
  #file: SpoolFile | null = null;

  constructor(options: TakeOptions) {
    this.#options = options;
  }

  async add(chunk: Buffer): Promise<void> {
    const { most, spoolFrom, budget } = this.#options;
    this.#size += chunk.length;
    if (this.refusal !== null) return;
    if (this.#size > most)
      return this.#refuse(new SmtpRefusal(552, '5.3.4', `The message is larger than ${most} octets`));
    if (this.#size > spoolFrom) return this.#spool(chunk);
    if (!budget.take(chunk.length)) return this.#refuse(new SmtpRefusal(452, '4.3.1', 'No room right now'));
    this.#held += chunk.length;
    this.#chunks.push(chunk);
  }

  async #spool(chunk: Buffer): Promise<void> {
    if (this.#file === null) {
      this.#file = await this.#options.spool.create();
      const first = Buffer.concat([...this.#chunks, chunk]);
      this.#forget();
      return this.#file.write(first);
    }
    return this.#file.write(chunk);
  }

  async #refuse(refusal: SmtpRefusal): Promise<void> {
    this.refusal = refusal;
    await this[Symbol.asyncDispose]();
  }

  finish(): TakenSource {
    const file = this.#file;
    const whole = file === null ? Buffer.concat(this.#chunks) : null;
    return {
      size: this.#size,
      read: async () => whole ?? (await file?.read()) ?? Buffer.alloc(0),
      stream: () => file?.stream() ?? Readable.from(whole === null ? [] : [whole], { objectMode: true }),
      [Symbol.asyncDispose]: () => this[Symbol.asyncDispose](),
    };
  }

  #forget(): void {
    this.#chunks = [];
    this.#options.budget.give(this.#held);
    this.#held = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#forget();
    const file = this.#file;
    this.#file = null;
    await file?.[Symbol.asyncDispose]();
  }
}
