// One connection of the scriptable peer: reads commands and content strictly, answers as the script says.

import type { Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import type { PeerAnswer, PeerCommand, PeerScript, PeerSessionState, ReceivedMessage } from './smtp-peer.ts';

export interface SessionHost {
  /** Of that connection. */
  script(connection: number): PeerScript;
  finalDotHeld(): Promise<void> | null;
  command(line: string): void;
  seen(message: ReceivedMessage): void;
  accepted(message: ReceivedMessage): void;
}

const END = Buffer.from('\r\n.\r\n');

/** By local part of the recipient, as on a sandbox server, so that a test need not script what is common. */
const recipientAnswers: Readonly<Record<string, PeerAnswer>> = {
  bounce: '550 5.1.1 No such user',
  blocked: '550 5.7.1 Message refused by policy',
  defer: '451 4.7.1 Greylisted, try again later',
  'soft-bounce': '452 4.2.2 Mailbox full',
  drop: 'drop',
  hang: 'hang',
};

/** States: reading commands; reading content (`#content` set); over. Commands are answered one by one, in order. */
export class PeerSession implements PeerSessionState {
  readonly number: number;
  readonly #host: SessionHost;
  /** Below TLS. */
  readonly #wire: Socket;
  #socket: Socket;
  #buffer: Buffer = Buffer.alloc(0);
  #content: { readonly chunks: Buffer[]; bytes: number; tail: Buffer } | null = null;
  #working = false;
  #hung = false;
  /** Steps of AUTH that take the next line as theirs. */
  #nextLine: ((line: string) => PeerAnswer) | null = null;
  #parameters = '';
  #idle: NodeJS.Timeout | null = null;
  secure = false;
  user: string | null = null;
  mailFrom: string | null = null;
  recipients: string[] = [];

  constructor(socket: Socket, number: number, host: SessionHost) {
    this.#wire = socket;
    this.#socket = socket;
    this.number = number;
    this.#host = host;
  }

  get #script(): PeerScript {
    return this.#host.script(this.number);
  }

  get remoteAddress(): string | null {
    return this.#socket.remoteAddress ?? null;
  }

  start(): void {
    if (this.#script.implicitTls) this.#secure();
    else this.#socket.on('data', this.#read);
    void this.#answer(this.#script.greeting);
    const { closesIdleAfterMs } = this.#script;
    if (closesIdleAfterMs === null) return;
    this.#idle = setTimeout(() => this.#socket.end('421 4.4.2 Idle for too long\r\n'), closesIdleAfterMs).unref();
  }

  say(bytes: string): void {
    this.#socket.write(bytes);
  }

  readonly #read = (chunk: Buffer): void => {
    this.#idle?.refresh();
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    void this.#work();
  };

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    while (!this.#hung && this.#buffer.length > 0 && !this.#socket.destroyed) {
      if (this.#content !== null) {
        if (!(await this.#readContent())) break;
        continue;
      }
      const end = this.#buffer.indexOf('\r\n');
      if (end === -1) break;
      const line = this.#buffer.toString('utf8', 0, end);
      this.#buffer = this.#buffer.subarray(end + 2);
      this.#host.command(line);
      await this.#command(line);
    }
    this.#working = false;
  }

  async #command(line: string): Promise<void> {
    const step = this.#nextLine;
    this.#nextLine = null;
    if (step !== null) return this.#answer(step(line));
    const verb = (/^[A-Za-z]+/.exec(line)?.[0] ?? '').toUpperCase();
    const address = /^(?:MAIL FROM|RCPT TO):<(.*)>(?: (.*))?$/i.exec(line);
    const localPart = (address?.[1] ?? '').split('@')[0]?.split('+')[0] ?? '';
    const command: PeerCommand = { verb, line, localPart };
    const answer = this.#script.answer(command, this) ?? this.#default(command);
    const said = wordsOf(answer);
    const positive = /^[23]/.test(said);
    if (verb === 'MAIL' && positive) {
      this.mailFrom = address?.[1] ?? '';
      this.#parameters = address?.[2] ?? '';
      this.recipients = [];
    } else if (verb === 'RCPT' && positive) this.recipients.push(address?.[1] ?? '');
    else if (verb === 'RSET' || verb === 'EHLO') this.#reset();
    await this.#answer(answer);
    // After the answer: content that comes before the 354 is read out is content all the same.
    if (verb === 'DATA' && said.startsWith('354')) this.#content = { chunks: [], bytes: 0, tail: Buffer.from('\r\n') };
    if (verb === 'STARTTLS' && positive) this.#startTls();
  }

  #default({ verb, line, localPart }: PeerCommand): PeerAnswer {
    const script = this.#script;
    if (verb === 'EHLO') {
      const tls = script.startTls !== 'off' && !this.secure ? ['STARTTLS'] : [];
      const auth = script.auth === null ? [] : ['AUTH PLAIN LOGIN'];
      const extensions = (this.secure ? script.extensionsUnderTls : null) ?? script.extensions;
      const lines = ['peer.test', ...extensions, ...tls, ...auth];
      return lines.map((text, index) => `250${index === lines.length - 1 ? ' ' : '-'}${text}`).join('\r\n');
    }
    if (verb === 'STARTTLS') return script.startTls === 'off' ? '502 5.5.1 Not offered' : '220 2.0.0 Go ahead';
    if (verb === 'AUTH') return this.#auth(line);
    if (verb === 'MAIL') return '250 2.1.0 Sender ok';
    if (verb === 'RCPT')
      return this.mailFrom === null
        ? '503 5.5.1 MAIL first'
        : (recipientAnswers[localPart] ?? '250 2.1.5 Recipient ok');
    if (verb === 'DATA') return this.recipients.length === 0 ? '503 5.5.1 No recipients' : '354 Go ahead';
    if (verb === 'QUIT') return { reply: '221 2.0.0 Bye', closeAfter: true };
    return ['HELO', 'RSET', 'NOOP'].includes(verb) ? '250 2.0.0 Ok' : '500 5.5.2 Unknown command';
  }

  #auth(line: string): PeerAnswer {
    const [, mechanism, initial] = line.split(' ');
    if (mechanism === 'PLAIN' && initial !== undefined) {
      const [, user = '', password = ''] = decode(initial).split('\0');
      return this.#judge(user, password);
    }
    if (mechanism !== 'LOGIN') return '504 5.5.4 Unknown mechanism';
    this.#nextLine = (user) => {
      this.#nextLine = (password) => this.#judge(decode(user), decode(password));
      return '334 UGFzc3dvcmQ6';
    };
    return '334 VXNlcm5hbWU6';
  }

  #judge(user: string, password: string): PeerAnswer {
    const wanted = this.#script.auth;
    if (wanted === null || wanted.user !== user || wanted.password !== password) return '535 5.7.8 Credentials invalid';
    this.user = user;
    return '235 2.7.0 Welcome';
  }

  #startTls(): void {
    this.#buffer = Buffer.alloc(0);
    const kind = this.#script.startTls;
    if (kind === 'inject') return;
    if (kind === 'offer' || kind === 'off') return this.#secure();
    this.#socket.off('data', this.#read);
    this.#socket.once('data', () => {
      if (kind === 'break') this.#socket.end('this is not a ServerHello');
      else if (kind === 'close') this.#socket.end();
      else if (kind === 'reset') this.#socket.resetAndDestroy();
    });
  }

  #secure(): void {
    this.#socket.off('data', this.#read);
    const secured = new TLSSocket(this.#socket, {
      isServer: true,
      secureContext: createSecureContext(this.#script.certificate),
    });
    secured.on('error', () => {});
    secured.on('data', this.#read);
    this.#socket = secured;
    this.secure = true;
    this.#reset();
  }

  #reset(): void {
    this.mailFrom = null;
    this.recipients = [];
  }

  /** False when more bytes are needed. */
  async #readContent(): Promise<boolean> {
    const content = this.#content;
    if (content === null) return false;
    const chunk = this.#buffer;
    const { dropAfterContentBytes, refuseAfterContentBytes: refusing } = this.#script;
    const bytes = content.bytes + chunk.length;
    if (bytes >= (dropAfterContentBytes ?? Infinity)) {
      this.#socket.destroy();
      return false;
    }
    if (refusing !== null && bytes >= refusing.bytes) {
      this.#hung = true;
      this.#socket.write(`${refusing.reply}\r\n`);
      return false;
    }
    // The end may lie across two chunks; the CRLF before the content's first line counts as part of it.
    const window = Buffer.concat([content.tail, chunk]);
    const found = window.indexOf(END);
    if (found === -1) {
      content.chunks.push(chunk);
      content.bytes += chunk.length;
      content.tail = window.subarray(-4);
      this.#buffer = Buffer.alloc(0);
      return false;
    }
    const used = found + END.length - content.tail.length;
    this.#buffer = chunk.subarray(used);
    this.#content = null;
    const wire = Buffer.concat([...content.chunks, chunk.subarray(0, used)]);
    await this.#finish(unstuffed(wire.subarray(0, wire.length - 3)));
    return true;
  }

  async #finish(raw: Buffer): Promise<void> {
    const header = raw.toString('latin1', 0, Math.max(0, raw.indexOf('\r\n\r\n')));
    const message: ReceivedMessage = {
      mailFrom: this.mailFrom ?? '',
      parameters: this.#parameters,
      recipients: this.recipients,
      raw,
      messageId: /^message-id:\s*(\S+)/im.exec(header)?.[1] ?? null,
      secure: this.secure,
      user: this.user,
      connection: this.number,
      remoteAddress: this.remoteAddress,
    };
    this.#host.seen(message);
    const answer = this.#script.answer({ verb: '.', line: '.', localPart: '' }, this) ?? '250 2.0.0 Accepted';
    await this.#host.finalDotHeld();
    // Before the answer leaves: who has the answer may count copies at once.
    if (/(?:^|\n)2\d\d(?:[ \r][^\n]*)?\n?$/.test(wordsOf(answer))) this.#host.accepted(message);
    this.#reset();
    await this.#answer(answer);
  }

  async #answer(answer: PeerAnswer): Promise<void> {
    const { delayMs, startTls } = this.#script;
    const wait = typeof answer === 'object' && 'late' in answer ? answer.afterMs : delayMs;
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    if (answer === 'hang') this.#hung = true;
    else if (answer === 'drop') this.#socket.destroy();
    else if (answer === 'reset') this.#wire.resetAndDestroy();
    else if (typeof answer === 'string') {
      const injected = startTls === 'inject' && answer.startsWith('220 2.0.0') ? '250 injected\r\n' : '';
      this.#socket.write(`${answer}\r\n${injected}`);
    } else if ('trickle' in answer) await this.#trickle(`${answer.trickle}\r\n`);
    else if ('late' in answer) this.#socket.write(`${answer.late}\r\n`);
    else if ('raw' in answer) this.#socket.write(Buffer.from(answer.raw, 'latin1'));
    else if ('closeAfter' in answer) this.#socket.end(`${answer.reply}\r\n`);
    else {
      this.#socket.write(`${answer.reply}\r\n`);
      this.#hung = true;
      this.#socket.pause();
    }
  }

  async #trickle(text: string): Promise<void> {
    for (const byte of Buffer.from(text)) {
      this.#socket.write(Uint8Array.of(byte));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

/** What the other side will read; empty where it is nothing. */
function wordsOf(answer: PeerAnswer): string {
  if (typeof answer === 'string') return answer === 'drop' || answer === 'reset' || answer === 'hang' ? '' : answer;
  if ('trickle' in answer) return answer.trickle;
  if ('late' in answer) return answer.late;
  return 'raw' in answer ? answer.raw : answer.reply;
}

function unstuffed(wire: Buffer): Buffer {
  return Buffer.from(wire.toString('latin1').replace(/(^|\r\n)\./g, '$1'), 'latin1');
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}
