// An open session: takes one transaction after another for as long as the peer plays along.

import type {
  SmtpReply,
  SmtpSession,
  SmtpTarget,
  SmtpTimeouts,
  SmtpTransaction,
  SmtpTransactionResult,
  TlsCheck,
} from '../ports.ts';
import type { Channel } from './channel.ts';
import { type Capabilities, fitting, localRefusal, unconvertible } from './envelope.ts';
import { QUIT_TIMEOUT } from './timeouts.ts';
import { Transaction } from './transaction.ts';

/** States: idle (usable), busy with a transaction, closing, failed for good (its channel says why). */
export class Session implements SmtpSession {
  readonly target: SmtpTarget;
  readonly tls: string | null;
  readonly check: TlsCheck | null;
  readonly extensions: ReadonlySet<string>;
  readonly #channel: Channel;
  readonly #timeouts: SmtpTimeouts;
  readonly #capabilities: Capabilities;
  #busy = false;
  #closing = false;
  /** The last transaction was left open at the peer; RSET goes out with the next one, so that it costs no round trip. */
  #resetNeeded = false;

  constructor(
    target: SmtpTarget,
    { tls, check }: { readonly tls: string | null; readonly check: TlsCheck | null },
    capabilities: Capabilities,
    channel: Channel,
    timeouts: SmtpTimeouts,
  ) {
    this.target = target;
    this.tls = tls;
    this.check = check;
    this.extensions = new Set(capabilities.keys());
    this.#capabilities = capabilities;
    this.#channel = channel;
    this.#timeouts = timeouts;
  }

  get usable(): boolean {
    return !this.#busy && !this.#closing && this.#channel.failure === null;
  }

  async send(given: SmtpTransaction): Promise<SmtpTransactionResult> {
    if (!this.usable) return unsent(given, null, this.#channel.failure ?? 'the session is in use');
    this.#busy = true;
    try {
      const transaction = await fitting(given, this.#capabilities);
      const refusal = transaction === null ? unconvertible : localRefusal(transaction, this.#capabilities);
      return transaction === null || refusal !== null ? unsent(given, refusal, null) : await this.#run(transaction);
    } finally {
      this.#busy = false;
    }
  }

  async #run(transaction: SmtpTransaction): Promise<SmtpTransactionResult> {
    const run = new Transaction(this.#channel, this.#timeouts, this.#capabilities, transaction, this.#resetNeeded);
    const result = await run.run();
    this.#resetNeeded = run.open;
    return result;
  }

  async close(): Promise<void> {
    if (this.usable) {
      this.#closing = true;
      this.#channel.command('QUIT');
      await this.#channel.reply(Math.min(QUIT_TIMEOUT, this.#timeouts.command));
    }
    this.destroy();
  }

  destroy(): void {
    this.#channel.fail('closed');
  }
}

function unsent(transaction: SmtpTransaction, reply: SmtpReply | null, failure: string | null): SmtpTransactionResult {
  return {
    recipientReplies: transaction.recipients.map(() => null),
    reply,
    phase: 'mail',
    inDoubt: false,
    failure,
    transcript: [],
  };
}
