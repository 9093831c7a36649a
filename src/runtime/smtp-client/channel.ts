// A connection as the dialogue sees it: commands go out, replies come in order, and once it has failed it stays failed.

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../ports.ts';
import { Deadline } from './deadline.ts';
import { type RawReply, ReplyParser } from './reply-parser.ts';
import type { Transcript } from './transcript.ts';

/**
 * States: open (`failure` is null) or failed (socket destroyed, for good). While open, `#expected` counts the replies that
 * the peer still owes; a peer that speaks while it owes none has lost step with us, and the connection fails.
 * At most one wait is on at any time: `#wake` ends it, and whoever waited looks anew at what has happened.
 */
export class Channel {
  #socket: Socket;
  #parser = new ReplyParser();
  readonly #replies: RawReply[] = [];
  readonly #deadline: Deadline;
  #expected = 0;
  #failure: string | null = null;
  #wake: (() => void) | null = null;
  #wait = 0;
  #ready = false;

  /** Where the talk is written down; null between transactions. */
  transcript: Transcript | null = null;
  /** Never to be seen in transcript or replies, even if the peer echoes them. */
  secrets: readonly string[] = [];

  constructor(socket: Socket, clock: Clock) {
    this.#deadline = new Deadline(clock, () => this.fail(`no answer within ${this.#wait} ms`));
    this.#socket = socket;
    socket.once('connect', this.#becomeReady);
    this.#listen(socket);
  }

  get failure(): string | null {
    return this.#failure;
  }

  /** A reply has come that nobody has read yet. */
  get hasReply(): boolean {
    return this.#replies.length > 0;
  }

  /** Until the socket is connected or, after `secure`, until the handshake is done. */
  async ready(ms: number): Promise<boolean> {
    while (!this.#ready && this.#failure === null) await this.#sleep(ms);
    return this.#failure === null;
  }

  /**
   * Puts TLS on the socket. Whatever was read in plain text is gone with the old parser (RFC 3207 §6); the caller has
   * seen to it that nothing was. What the socket itself may still hold goes into the handshake and breaks it.
   */
  secure(wrap: (socket: Socket) => TLSSocket): TLSSocket {
    const plain = this.#socket;
    plain.off('data', this.#read).off('end', this.#ended).off('close', this.#closed).off('drain', this.#stir);
    this.#ready = false;
    this.#parser = new ReplyParser();
    const secured = wrap(plain);
    secured.once('secureConnect', this.#becomeReady);
    this.#socket = secured;
    this.#listen(secured);
    return secured;
  }

  /** The peer owes this many replies more. */
  expect(replies: number): void {
    this.#expected += replies;
  }

  /** Sends all commands in one write (RFC 2920 §3.1); the peer owes a reply to each. */
  command(...commands: readonly string[]): void {
    for (const command of commands) this.transcript?.client(command);
    this.commandUnseen(...commands);
  }

  /** Like `command`, for what must not stand in the transcript. */
  commandUnseen(...commands: readonly string[]): void {
    this.#expected += commands.length;
    if (this.#failure === null) this.#socket.write(`${commands.join('\r\n')}\r\n`);
  }

  /** Null when the connection fails first. A reply that came before a failure is still given out. */
  async reply(ms: number): Promise<RawReply | null> {
    while (this.#replies.length === 0 && this.#failure === null) await this.#sleep(ms);
    return this.#replies.shift() ?? null;
  }

  /** Holds writes back until the end of this turn, so that they leave in one system call. */
  gather(): void {
    const socket = this.#socket;
    socket.cork();
    process.nextTick(() => socket.uncork());
  }

  /** False when the writer should wait for `drained`. */
  write(bytes: Uint8Array): boolean {
    return this.#failure !== null || this.#socket.write(bytes);
  }

  /** Until the socket takes more; ends early on failure or when the peer replies before its turn. */
  async drained(ms: number): Promise<void> {
    while (this.#failure === null && this.#replies.length === 0 && this.#socket.writableNeedDrain)
      await this.#sleep(ms);
  }

  /** Until `work` settles; null when the connection fails or the peer replies first. A rejection of `work` comes through. */
  async during<T>(work: Promise<T>): Promise<{ readonly value: T } | null> {
    let settled = false;
    const wake = () => {
      settled = true;
      this.#stir();
    };
    work.then(wake, wake);
    while (!settled && this.#failure === null && this.#replies.length === 0) await this.#sleep(null);
    return settled ? { value: await work } : null;
  }

  fail(reason: string): void {
    if (this.#failure !== null) return;
    this.#failure = reason;
    this.#deadline.stop();
    this.#socket.destroy();
    this.#stir();
  }

  /** Takes leave without waiting for the answer. */
  leave(): void {
    if (this.#failure !== null) return;
    this.transcript?.client('QUIT');
    this.#failure = 'closed';
    this.#deadline.stop();
    this.#socket.write('QUIT\r\n');
    this.#socket.destroySoon();
  }

  #sleep(ms: number | null): Promise<void> {
    if (ms !== null) {
      this.#wait = ms;
      this.#deadline.arm(ms);
    }
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  readonly #stir = (): void => {
    this.#deadline.disarm();
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  };

  readonly #becomeReady = (): void => {
    this.#ready = true;
    this.#stir();
  };

  #listen(socket: Socket): void {
    // `close` follows every `error`, but only `error` says why. The listeners of a plain socket under TLS stay for it.
    socket.on('error', (error) => this.fail(error.message === '' ? error.name : error.message));
    socket.on('data', this.#read).on('end', this.#ended).on('close', this.#closed).on('drain', this.#stir);
  }

  // A half-open peer can no longer answer: its end is ours.
  readonly #ended = (): void => this.fail('connection closed by the peer');
  readonly #closed = (): void => this.fail('connection closed');

  readonly #read = (chunk: Buffer): void => {
    if (this.#failure !== null) return;
    const known = this.#replies.length;
    const problem = this.#parser.push(chunk, this.#replies);
    for (let index = known; index < this.#replies.length; index++) this.#received(index);
    const arrived = this.#replies.length - known;
    const surplus = arrived - this.#expected;
    if (problem !== null) this.fail(problem);
    else if (surplus > 0) {
      const line = this.#replies.splice(-surplus)[0]?.lines[0] ?? '';
      this.#expected = 0;
      this.fail(`the peer spoke out of turn: ${line.slice(0, 200)}`);
    } else {
      this.#expected -= arrived;
      if (this.#expected === 0 && this.#parser.midReply) this.fail('the peer spoke out of turn');
      else if (arrived > 0) this.#stir();
    }
  };

  #received(index: number): void {
    let raw = this.#replies[index];
    if (raw === undefined) return;
    if (this.secrets.length > 0) {
      raw = { code: raw.code, lines: raw.lines.map((line) => line.slice(0, 4) + this.#redact(line.slice(4))) };
      this.#replies[index] = raw;
    }
    if (this.transcript !== null) for (const line of raw.lines) this.transcript.server(line);
  }

  #redact(text: string): string {
    return this.secrets.reduce((shown, secret) => shown.replaceAll(secret, '***'), text);
  }
}
