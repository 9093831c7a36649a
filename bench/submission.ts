// SMTP submission: messages of 2 KB, one each on 32 sessions under TLS that are kept, accepted durably.
import { connect, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import { DOMAIN } from './letters.ts';
import { type Context, cpuCost, type CpuCost, cpuFigures, figure, type Outcome } from './scenario.ts';
import { startServing } from './serving.ts';
import { freePort } from './sink.ts';

const SESSIONS = 32;
const BYTES = 2_048;

export async function submission(context: Context): Promise<readonly Outcome[]> {
  const seconds = context.quick ? 3 : 15;
  const port = await freePort();
  await using serving = await startServing(context, {
    settings: { VEREDUS_ROLES: 'api,submission,maintenance', VEREDUS_SUBMISSIONS_PORT: String(port) },
  });
  const sessions = await Promise.all(Array.from({ length: SESSIONS }, () => signIn(port, serving.token)));
  const rates: number[] = [];
  const costs: CpuCost[] = [];
  await load(sessions, context.quick ? 1 : 5);
  for (let run = 1; run <= context.runs; run++) {
    const before = serving.cpu();
    const messages = await load(sessions, seconds);
    costs.push(cpuCost(before, serving.cpu(), messages));
    rates.push(messages / seconds);
    context.say(`submission ${run}: ${Math.round(messages / seconds)}/s`);
  }
  for (const session of sessions) session.end();
  return [figure('accepted a second over SMTP', '/s', rates), ...cpuFigures(costs)];
}

async function signIn(port: number, token: string): Promise<Session> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const session = new Session(socket);
  await session.reply('220');
  await session.ask('EHLO bench.example', '250');
  await session.ask(`AUTH PLAIN ${Buffer.from(`\0token\0${token}`).toString('base64')}`, '235');
  return session;
}

async function load(sessions: readonly Session[], seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1_000;
  let messages = 0;
  await Promise.all(
    sessions.map(async (session) => {
      while (performance.now() < end) {
        await session.send(messages++);
      }
    }),
  );
  return messages;
}

class Session {
  readonly #socket: TLSSocket;
  #rest = '';
  #lines: string[] = [];
  #wake: (() => void) | null = null;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.setEncoding('latin1').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\r\n');
      this.#rest = lines.pop() ?? '';
      this.#lines.push(...lines.filter((line) => line.charAt(3) !== '-'));
      this.#wake?.();
    });
  }

  async reply(code: string): Promise<void> {
    while (this.#lines.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    const line = this.#lines.shift() ?? '';
    if (!line.startsWith(code)) throw new Error(`${code} was expected: ${line}`);
  }

  ask(command: string, code: string): Promise<void> {
    this.#socket.write(`${command}\r\n`);
    return this.reply(code);
  }

  /** As clients with PIPELINING do. */
  async send(number: number): Promise<void> {
    const recipient = `r${number}@mail.example`;
    this.#socket.write(`MAIL FROM:<app@${DOMAIN}>\r\nRCPT TO:<${recipient}>\r\nDATA\r\n`);
    await this.reply('250');
    await this.reply('250');
    await this.reply('354');
    const header = `From: App <app@${DOMAIN}>\r\nTo: ${recipient}\r\nSubject: Number ${number}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n`;
    this.#socket.write(`${header}${BODY.slice(header.length)}.\r\n`);
    await this.reply('250');
  }

  end(): void {
    this.#socket.end('QUIT\r\n');
  }
}

const BODY = 'The quick brown fox jumps over the lazy dog, and then it does so again.\r\n'
  .repeat(40)
  .slice(0, BYTES - 2)
  .concat('\r\n');
