// One message over an open session: MAIL, RCPT…, DATA, content, final dot (RFC 5321 §3.3), pipelined where offered.

import type { SmtpPhase, SmtpReply, SmtpTimeouts, SmtpTransaction, SmtpTransactionResult } from '../ports.ts';
import type { Channel } from './channel.ts';
import { DotStuffer } from './dot-stuffing.ts';
import { type Capabilities, mailCommand, rcptCommand } from './envelope.ts';
import { toReply } from './reply-parser.ts';
import { Transcript } from './transcript.ts';
import { writeContent } from './write-content.ts';

/**
 * Up to this size the caller's note comes before the content, and content and dot leave in one system call. A larger
 * message travels long enough that noting first would leave it in doubt for nothing if we die meanwhile.
 */
const SMALL = 65_536;

/** Phases go forward only: rset → mail → rcpt → data → content → final-dot. The result names the one that decided. */
export class Transaction {
  readonly #channel: Channel;
  readonly #timeouts: SmtpTimeouts;
  readonly #transaction: SmtpTransaction;
  readonly #pipelining: boolean;
  readonly #resetFirst: boolean;
  readonly #mail: string;
  readonly #rcpts: readonly string[];
  readonly #replies: (SmtpReply | null)[];
  readonly #transcript = new Transcript();
  readonly #stuffer = new DotStuffer();
  #phase: SmtpPhase = 'mail';
  #failure: string | null = null;

  /** MAIL was taken and nothing has ended the transaction at the peer: RSET must come before the next MAIL. */
  open = false;

  constructor(
    channel: Channel,
    timeouts: SmtpTimeouts,
    capabilities: Capabilities,
    transaction: SmtpTransaction,
    resetFirst: boolean,
  ) {
    this.#channel = channel;
    this.#timeouts = timeouts;
    this.#transaction = transaction;
    this.#pipelining = capabilities.has('PIPELINING');
    this.#resetFirst = resetFirst;
    this.#mail = mailCommand(transaction, capabilities);
    this.#rcpts = transaction.recipients.map(rcptCommand);
    if (this.#rcpts.length === 0) throw new TypeError('A transaction needs a recipient');
    this.#replies = this.#rcpts.map(() => null);
  }

  async run(): Promise<SmtpTransactionResult> {
    this.#channel.transcript = this.#transcript;
    const result = (await this.#envelope()) ?? (await this.#deliver());
    this.#channel.transcript = null;
    return result;
  }

  /** Null when the peer waits for content. */
  async #envelope(): Promise<SmtpTransactionResult | null> {
    if (this.#pipelining) {
      const commands = [this.#mail, ...this.#rcpts, 'DATA'];
      if (this.#resetFirst) commands.unshift('RSET');
      this.#channel.command(...commands);
    }
    if (this.#resetFirst) {
      const reset = await this.#ask('RSET', 'rset');
      // Without a clean slate the recipients of the last transaction might get this message.
      if (reset === null || reset.code >= 300) return this.#broken(reset);
    }
    const mail = await this.#ask(this.#mail, 'mail');
    if (mail === null || unusable(mail)) return this.#broken(mail);
    if (mail.code >= 400) {
      if (this.#pipelining) await this.#discardEnvelope();
      return this.#result(mail, 'mail');
    }
    this.open = true;
    return this.#recipients();
  }

  async #recipients(): Promise<SmtpTransactionResult | null> {
    let accepted = 0;
    for (const [index, command] of this.#rcpts.entries()) {
      const reply = await this.#ask(command, 'rcpt');
      this.#replies[index] = reply;
      if (reply === null || unusable(reply)) return this.#broken(reply);
      if (reply.code < 300) accepted++;
    }
    if (accepted === 0) {
      if (this.#pipelining) await this.#discardData();
      return this.#result(this.#replies[0] ?? null, 'rcpt');
    }
    const data = await this.#ask('DATA', 'data', this.#timeouts.data);
    if (data?.code === 354) return null;
    if (data === null || data.code < 400 || data.code === 421) return this.#broken(data);
    return this.#result(data, 'data');
  }

  /** After a refused MAIL the peer refuses what was pipelined behind it; its words on that are not about the recipients. */
  async #discardEnvelope(): Promise<void> {
    for (let left = this.#rcpts.length; left > 0; left--) await this.#channel.reply(this.#timeouts.command);
    await this.#discardData();
  }

  /**
   * RFC 2920 §3.1: a peer may say 354 although it took no recipient, and then a lone dot would have to end it. A peer
   * that does so might as well deliver an empty message: the connection is given up instead.
   */
  async #discardData(): Promise<void> {
    const data = await this.#channel.reply(this.#timeouts.data);
    if (data !== null && data.code < 400) this.#channel.fail('the peer wants content for no recipient');
    if (data?.code === 421) this.#channel.fail('closed by the peer with 421');
  }

  async #deliver(): Promise<SmtpTransactionResult> {
    await this.#content();
    // No await stands between these two and the dot: what they say still holds when it is written.
    if (this.#channel.hasReply) return this.#spokeEarly();
    if (this.#channel.failure !== null) return this.#result(null, 'content');
    return this.#finalDot();
  }

  async #content(): Promise<void> {
    const channel = this.#channel;
    this.#phase = 'content';
    channel.expect(1);
    const small = this.#transaction.size <= SMALL;
    if (small) await this.#beforeFinalDot();
    if (channel.failure !== null || channel.hasReply) return;
    const bytes = await writeContent(channel, this.#transaction.content, this.#stuffer, this.#timeouts.data).catch(
      (reason: unknown) => this.#abort('content could not be read', reason),
    );
    if (typeof bytes === 'number') this.#transcript.content(bytes);
    if (!small && channel.failure === null && !channel.hasReply) await this.#beforeFinalDot();
  }

  async #beforeFinalDot(): Promise<void> {
    try {
      const accepted = this.#replies.flatMap((reply, index) => (reply !== null && reply.code < 300 ? [index] : []));
      await this.#transaction.beforeFinalDot(accepted);
    } catch (reason) {
      this.#abort('given up before the final dot', reason);
    }
  }

  #abort(what: string, reason: unknown): void {
    this.#failure ??= `${what}: ${reason instanceof Error ? reason.message : String(reason)}`;
    this.#channel.fail(this.#failure);
  }

  /** A peer that replies amid the content (too large, shutting down) reads on in vain: no dot was sent, nothing is in doubt. */
  async #spokeEarly(): Promise<SmtpTransactionResult> {
    const raw = await this.#channel.reply(0);
    this.#channel.fail('the peer replied before the content had ended');
    return this.#result(raw !== null && raw.code >= 400 ? toReply(raw) : null, 'content');
  }

  async #finalDot(): Promise<SmtpTransactionResult> {
    this.#phase = 'final-dot';
    this.#channel.write(this.#stuffer.end());
    this.#transcript.client('.');
    const raw = await this.#channel.reply(this.#timeouts.finalDot);
    // RFC 5321 §4.1.1.4: the reply to the dot clears the transaction, whatever it says.
    this.open = false;
    if (raw !== null && raw.code >= 300 && raw.code < 400) {
      this.#channel.fail(`senseless reply ${raw.code} to the final dot`);
      return { ...this.#result(null, 'final-dot'), inDoubt: true };
    }
    if (raw?.code === 421) this.#channel.fail('closed by the peer with 421');
    const result = this.#result(raw === null ? null : toReply(raw), 'final-dot');
    return raw === null ? { ...result, inDoubt: true } : result;
  }

  async #ask(command: string, phase: SmtpPhase, ms = this.#timeouts.command): Promise<SmtpReply | null> {
    this.#phase = phase;
    if (!this.#pipelining) this.#channel.command(command);
    const raw = await this.#channel.reply(ms);
    return raw === null ? null : toReply(raw);
  }

  /** The session cannot go on after this reply, or there was none. */
  #broken(reply: SmtpReply | null): SmtpTransactionResult {
    if (reply !== null)
      this.#channel.fail(reply.code === 421 ? 'closed by the peer with 421' : `unexpected reply ${reply.code}`);
    return this.#result(reply !== null && reply.code >= 400 ? reply : null, this.#phase);
  }

  #result(reply: SmtpReply | null, phase: SmtpPhase): SmtpTransactionResult {
    return {
      recipientReplies: this.#replies,
      reply,
      phase,
      inDoubt: false,
      failure: reply === null ? (this.#failure ?? this.#channel.failure) : null,
      transcript: this.#transcript.lines,
    };
  }
}

/** 421 ends the session at any point (RFC 5321 §3.8); 3yz makes no sense here and shows that step was lost. */
function unusable(reply: SmtpReply): boolean {
  return reply.code === 421 || (reply.code >= 300 && reply.code < 400);
}
