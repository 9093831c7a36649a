// A raw SMTP client: writes octets as a test gives them, over plain text or TLS, and reads whole replies.
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { once } from 'node:events';

export interface Reply {
  readonly code: number;
  /** Lines without the code, joined by LF. */
  readonly text: string;
}

const REPLY_MS = 15_000;

export class Dialogue implements Disposable {
  #socket: Socket | TLSSocket;
  #buffer = '';
  #lines: string[] = [];
  #waiting: (() => void)[] = [];
  ended = false;

  constructor(socket: Socket | TLSSocket) {
    this.#socket = socket;
    this.#listen(socket);
  }

  static async open(
    port: number,
    options: { readonly tls?: boolean; readonly greeting?: boolean } = {},
  ): Promise<Dialogue> {
    const socket =
      options.tls === true
        ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
        : connect(port, '127.0.0.1');
    await once(socket, options.tls === true ? 'secureConnect' : 'connect');
    const dialogue = new Dialogue(socket);
    if (options.greeting !== false) await dialogue.reply(220);
    return dialogue;
  }

  #listen(socket: Socket | TLSSocket): void {
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      this.#buffer += text;
      const lines = this.#buffer.split('\r\n');
      this.#buffer = lines.pop() ?? '';
      this.#lines.push(...lines);
      this.#wake();
    });
    socket.on('error', () => this.#end());
    socket.on('close', () => this.#end());
    socket.on('end', () => this.#end());
  }

  #end(): void {
    this.ended = true;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  write(bytes: string | Uint8Array): void {
    this.#socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** Lines that came and belong to no reply that was read. */
  get unread(): readonly string[] {
    return this.#lines;
  }

  /** The next reply, which must have the code where one is named. */
  async reply(code?: number): Promise<Reply> {
    const texts: string[] = [];
    const late = AbortSignal.timeout(REPLY_MS);
    for (;;) {
      const line = this.#lines.shift();
      if (line === undefined) {
        if (this.ended)
          throw new Error(`the server has hung up${code === undefined ? '' : `, where ${code} was expected`}`);
        if (late.aborted) throw new Error('no reply in time');
        await Promise.race([
          new Promise<void>((resolve) => this.#waiting.push(resolve)),
          once(late, 'abort').catch(() => {}),
        ]);
        continue;
      }
      texts.push(line.slice(4));
      if (line.charAt(3) === '-') continue;
      const reply = { code: Number(line.slice(0, 3)), text: texts.join('\n') };
      if (code !== undefined && reply.code !== code)
        throw new Error(`${code} was expected: ${reply.code} ${reply.text}`);
      return reply;
    }
  }

  async command(line: string, code?: number): Promise<Reply> {
    this.write(`${line}\r\n`);
    return this.reply(code);
  }

  /** Until the server hangs up. */
  async closed(): Promise<void> {
    const late = AbortSignal.timeout(REPLY_MS);
    while (!this.ended) {
      if (late.aborted) throw new Error('the server does not hang up');
      await Promise.race([
        new Promise<void>((resolve) => this.#waiting.push(resolve)),
        once(late, 'abort').catch(() => {}),
      ]);
    }
  }

  /** STARTTLS has been answered: the handshake. */
  async upgrade(): Promise<void> {
    this.#socket.removeAllListeners();
    const secure = connectTls({ socket: this.#socket, rejectUnauthorized: false });
    await once(secure, 'secureConnect');
    this.#socket = secure;
    this.#listen(secure);
  }

  async startTls(): Promise<void> {
    await this.command('STARTTLS', 220);
    await this.upgrade();
  }

  /** Everything up to the dot, which is written as part of `source` or not at all. */
  async envelope(from: string, recipients: readonly string[]): Promise<void> {
    await this.command(`MAIL FROM:<${from}>`, 250);
    for (const recipient of recipients) await this.command(`RCPT TO:<${recipient}>`, 250);
    await this.command('DATA', 354);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

export function plainAuth(user: string, password: string): string {
  return `AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}`;
}
