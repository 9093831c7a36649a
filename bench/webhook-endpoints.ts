// Endpoints of webhooks in a thread of their own: one that takes what comes, one that never answers, and a closed port.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { until } from './programs.ts';

export interface Call {
  /** Milliseconds of the wall clock. */
  readonly at: number;
  /** Since the event's own time. */
  readonly latency: number;
}

export interface Endpoints extends AsyncDisposable {
  readonly url: string;
  readonly hangingUrl: string;
  readonly closedUrl: string;
  /** What came since it was last asked, as soon as it is `count` events; 0 forgets it. */
  take(count: number): Promise<readonly Call[]>;
}

export async function startEndpoints(): Promise<Endpoints> {
  const worker = new Worker(new URL(import.meta.url));
  const [urls] = (await once(worker, 'message')) as [Pick<Endpoints, 'url' | 'hangingUrl' | 'closedUrl'>];
  const ask = async (): Promise<readonly Call[]> => {
    worker.postMessage('take');
    const [calls] = (await once(worker, 'message')) as [readonly Call[]];
    return calls;
  };
  return {
    ...urls,
    async take(count) {
      const calls: Call[] = [...(await ask())];
      if (count === 0) return [];
      const describe = () => `${calls.length} of ${count} events came`;
      await until(
        async () => {
          calls.push(...(await ask()));
          return calls.length >= count;
        },
        { everyMs: 50, timeoutMs: 120_000, describe },
      );
      return calls;
    },
    async [Symbol.asyncDispose]() {
      await worker.terminate();
    },
  };
}

async function serve(): Promise<void> {
  let calls: Call[] = [];
  const seen = new Set<string>();
  const healthy = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.writeHead(204).end();
      const { id, occurredAt } = JSON.parse(Buffer.concat(chunks).toString()) as { id: string; occurredAt: string };
      const at = Date.now();
      if (!seen.has(id)) calls.push({ at, latency: at - Date.parse(occurredAt) });
      seen.add(id);
    });
  });
  const hanging = createSocketServer((socket) => void socket.on('error', () => undefined).resume());
  const closed = createSocketServer();
  const portOf = async (server: typeof healthy | typeof hanging): Promise<number> => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  };
  const urlOf = (port: number) => `http://127.0.0.1:${port}/`;
  const urls = {
    url: urlOf(await portOf(healthy)),
    hangingUrl: urlOf(await portOf(hanging)),
    closedUrl: urlOf(await portOf(closed)),
  };
  closed.close();
  await sleep(0);
  parentPort?.on('message', () => {
    parentPort?.postMessage(calls);
    calls = [];
  });
  parentPort?.postMessage(urls);
}

if (!isMainThread) await serve();
