// Where mail ends. For rates Postfix's smtp-sink, which costs next to nothing; for times one of our own, which notes when
// it answered each recipient's final dot.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { atEnd } from './at-end.ts';
import { endChild, findOrInstall, until } from './programs.ts';

export interface Counter {
  /** Messages taken so far. */
  readonly count: number;
}

export interface Sink extends Counter, AsyncDisposable {
  readonly name: string;
  readonly port: number;
}

/** smtp-sink where there is one, else our own in a thread. */
export async function startSink(say: (line: string) => void): Promise<Sink> {
  const program = findOrInstall('smtp-sink', 'postfix', say);
  return program === null ? startSlowSink(0) : startSmtpSink(program);
}

async function startSmtpSink(program: string): Promise<Sink> {
  const port = await freePort();
  // As root it wants to become somebody else. -c prints its counters after each message.
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = spawn(program, [...user, '-c', `127.0.0.1:${port}`, '512'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const end = atEnd(() => endChild(child, 'SIGTERM', 2_000));
  let count = 0;
  let rest = '';
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    // "sess=… quit=… mesg=…\r" over and over; the last line may not be whole yet.
    const lines = (rest + text).split(/[\r\n]/);
    rest = lines.pop() ?? '';
    for (const line of lines) count = Math.max(count, Number(/mesg=(\d+)/.exec(line)?.[1] ?? 0));
  });
  await until(() => accepts(port), { everyMs: 20, timeoutMs: 5_000, describe: () => 'smtp-sink does not listen' });
  return {
    name: 'smtp-sink',
    port,
    get count() {
      return count;
    },
    [Symbol.asyncDispose]: end,
  };
}

/** Our own in a thread; answers each command `delayMs` after it has come, as a peer far away does. */
export async function startSlowSink(delayMs: number): Promise<Sink> {
  const worker = new Worker(new URL('./sink-worker.ts', import.meta.url), { workerData: { delayMs } });
  let count = 0;
  const port = await new Promise<number>((resolve) => {
    worker.on('message', (message: { readonly port: number } | { readonly count: number }) => {
      if ('port' in message) resolve(message.port);
      else count = message.count;
    });
  });
  return {
    name: delayMs === 0 ? 'own sink' : `own sink, ${delayMs} ms an answer`,
    port,
    get count() {
      return count;
    },
    async [Symbol.asyncDispose]() {
      await worker.terminate();
    },
  };
}

export interface OwnSink extends AsyncDisposable {
  readonly port: number;
}

/** `onMessage` is called in the moment in which the final dot's 250 is written, with the last RCPT's address. */
export async function startOwnSink(onMessage: (recipient: string) => void, delayMs = 0): Promise<OwnSink> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    serve(socket, onMessage, delayMs);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const END = '\r\n.\r\n';

function serve(socket: Socket, onMessage: (recipient: string) => void, delayMs: number): void {
  let input = '';
  let inData = false;
  let recipient = '';
  const answer = (text: string, then: () => void = () => {}): void => {
    const write = () => {
      if (!socket.destroyed) socket.write(text);
      then();
    };
    // Timers of one length fire in their order, and so answers keep theirs.
    if (delayMs === 0) write();
    else setTimeout(write, delayMs);
  };
  answer('220 sink.example ESMTP\r\n');
  socket.setEncoding('latin1').on('data', (text: string) => {
    // Of a body only so much is kept as the end mark may be cut into.
    input += text;
    for (;;) {
      if (inData) {
        const end = input.indexOf(END);
        if (end === -1) {
          input = input.slice(-END.length);
          return;
        }
        input = input.slice(end + END.length);
        inData = false;
        const taken = recipient;
        answer('250 2.0.0 Ok\r\n', () => onMessage(taken));
        continue;
      }
      const end = input.indexOf('\r\n');
      if (end === -1) return;
      const line = input.slice(0, end);
      input = input.slice(end + 2);
      const verb = line.slice(0, 4).toUpperCase();
      if (verb === 'RCPT') recipient = /<([^>]*)>/.exec(line)?.[1] ?? '';
      if (verb === 'DATA') {
        inData = true;
        // The mark may follow at once on an empty body.
        input = `\r\n${input}`;
      }
      answer(replyTo(verb), () => verb === 'QUIT' && socket.end());
    }
  });
}

function replyTo(verb: string): string {
  switch (verb) {
    case 'EHLO':
      return '250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n';
    case 'DATA':
      return '354 End data with <CR><LF>.<CR><LF>\r\n';
    case 'QUIT':
      return '221 2.0.0 Bye\r\n';
    default:
      return '250 2.0.0 Ok\r\n';
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.end('QUIT\r\n');
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
