// An endpoint of a customer's: a real HTTP server on loopback that answers as a test says, and keeps what it was sent.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export interface Received {
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly event: Readonly<Record<string, any>>;
}

export type Answer =
  | number
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string | Buffer }
  /** Never answers. */
  | 'hang'
  /** Closes the connection. */
  | 'reset'
  /** Begins a body that never ends. */
  | 'drip';

export interface WebhookSink extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** In the order in which they came; trial calls apart. */
  readonly received: readonly Received[];
  readonly trials: readonly Received[];
  /** Connections that were made. */
  readonly connections: number;
  /** Calls that have no answer yet, and the most there ever were. */
  readonly open: number;
  readonly mostOpen: number;
  /** From now on; of trial calls too. */
  answer(how: Answer | ((received: Received) => Answer | Promise<Answer>)): void;
}

export async function startSink(): Promise<WebhookSink> {
  const received: Received[] = [];
  const trials: Received[] = [];
  let answering: (received: Received) => Answer | Promise<Answer> = () => 204;
  let connections = 0;
  let open = 0;
  let mostOpen = 0;

  const server = createServer((request, response) => {
    open++;
    mostOpen = Math.max(mostOpen, open);
    response.once('close', () => open--);
    void take(request).then(async (call) => {
      (call.event['test'] === true ? trials : received).push(call);
      write(await answering(call), request, response);
    });
  });
  server.on('connection', () => connections++);
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('not listening on a port');
  const { port } = address;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    port,
    received,
    trials,
    get connections() {
      return connections;
    },
    get open() {
      return open;
    },
    get mostOpen() {
      return mostOpen;
    },
    answer(how) {
      answering = typeof how === 'function' ? how : () => how;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

async function take(request: IncomingMessage): Promise<Received> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString();
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  return { id: headers['webhook-id'] ?? '', headers, body, event: JSON.parse(body) as Received['event'] };
}

function write(how: Answer, request: IncomingMessage, response: ServerResponse): void {
  if (how === 'hang') return;
  if (how === 'reset') return void request.socket.destroy();
  if (how === 'drip') {
    response.writeHead(200);
    response.write('slowly');
    return;
  }
  const { status, headers = {}, body = '' } = typeof how === 'number' ? { status: how } : how;
  response.writeHead(status, headers).end(body);
}

/** A port of loopback on which nobody listens. */
export async function deadUrl(): Promise<string> {
  const sink = await startSink();
  await sink[Symbol.asyncDispose]();
  return sink.url;
}
