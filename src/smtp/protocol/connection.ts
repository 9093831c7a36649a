// One session: smtp-server's protocol, with what it leaves open. AUTH is shown only where it may be used, refusals carry
// their own enhanced codes, useless commands have an end, and what a session is doing can be seen from outside.
//
// It overrides inner parts of smtp-server, whose version is pinned exactly; test/integration/smtp-hostile.test.ts tells
// what must still hold when that changes.
import type { SMTPServerDataStream } from 'smtp-server';
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js';
import type { SmtpListener } from './listener.ts';
import { networkOf } from '#/domain/network.ts';
import { replyLines } from './refusal.ts';

/** They end nothing and bring nothing. */
const IDLE = new Set(['NOOP', 'RSET', 'EHLO', 'HELO', 'HELP', 'VRFY', 'STARTTLS']);

type Socket = ConstructorParameters<typeof SMTPConnection>[1];
type Options = ConstructorParameters<typeof SMTPConnection>[2];

export class Connection extends SMTPConnection {
  readonly network: string;
  /** Monotonic. */
  lastCommandAt: number;
  /** Null outside of DATA. */
  incoming: { readonly stream: SMTPServerDataStream; readonly startedAt: number } | null = null;
  /** A message is being received or stored. */
  busy = false;
  idleCommands = 0;
  refusedRecipients = 0;
  readonly #listener: SmtpListener;
  #greeting = false;
  #ended = false;

  constructor(listener: SmtpListener, socket: Socket, options: Options) {
    super(listener, socket, options);
    this.#listener = listener;
    this.network = networkOf(this.remoteAddress);
    this.lastCommandAt = listener.clock.monotonic();
    listener.began(this);
  }

  /** Without the pause of 100 ms before the greeting: each mail of a server that reconnects would wait for it. */
  override init(): void {
    this._setListeners(() => {
      const refusal = this.#listener.refusalOf(this);
      if (refusal === null) this.connectionReady();
      else this.send(refusal.responseCode, refusal.message);
    });
  }

  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    const lines = typeof data === 'string' ? replyLines(data) : null;
    if (lines === null) super.send(code, data, context);
    else super.send(code, lines.length === 1 ? lines[0] : lines, false);
    if (code >= 400) this.#listener.refused(code);
  }

  override _onCommand(command: Buffer, callback?: () => void): void {
    this.lastCommandAt = this.#listener.clock.monotonic();
    const name = command.toString('latin1', 0, 8).split(' ', 1)[0]?.toUpperCase() ?? '';
    if (IDLE.has(name) && ++this.idleCommands > this.#listener.limits.idleCommands)
      return this.send(421, '4.7.0 Too many commands without a message');
    super._onCommand(command, callback);
  }

  override handler_EHLO(command: Buffer, callback: () => void): void {
    this.#greeting = true;
    super.handler_EHLO(command, () => {});
    this.#greeting = false;
    callback();
  }

  /** What is not to be used yet is not shown; that it is there all the same keeps mail without it out. */
  override _isSupported(command: string): boolean {
    if (this.#greeting && command === 'AUTH' && !this.secure && !this.#listener.plaintextAuth) return false;
    return super._isSupported(command);
  }

  override _onClose(): void {
    super._onClose();
    if (this.#ended) return;
    this.#ended = true;
    this.#listener.ended(this);
  }

  /** Says why, and hangs up. */
  end(code: number, text: string): void {
    this.send(code, text);
    this.close();
  }

  /** Hangs up on whoever does not listen. */
  abandon(): void {
    this._socket.destroy();
  }
}
