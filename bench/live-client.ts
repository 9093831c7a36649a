// A process of bench/live.ts: subscribers as customers have them, real WebSockets that speak graphql-transport-ws. It counts
// what arrives, and how long after the publisher wrote it: the events' tag is the time of that.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { wallClock } from './wall-clock.ts';

export interface OpenOrder {
  readonly kind: 'open';
  readonly port: number;
  readonly tokens: readonly string[];
  readonly sockets: number;
  readonly query: string;
}

export type ClientOrder =
  | OpenOrder
  /** Counts from zero. */
  | { readonly kind: 'measure'; readonly latencies: boolean }
  | { readonly kind: 'report' }
  | { readonly kind: 'close' };

export type ClientReport =
  | { readonly kind: 'open' | 'measuring' | 'closed' }
  | { readonly kind: 'failed'; readonly reason: string }
  | {
      readonly kind: 'report';
      readonly count: number;
      /** Of the socket that got fewest. */
      readonly fewest: number;
      readonly latencies: Float64Array;
    };

/** Connections that are opened at once: a backlog of the kernel is a few hundred. */
const AT_ONCE = 50;
const TAG = '"tag":"';
/** Of the wall clock's milliseconds, with three decimals: as the publisher writes it. */
const TAG_LENGTH = 17;

let sockets: WebSocket[] = [];
let counts = new Uint32Array(0);
let count = 0;
let latencies: number[] | null = null;

async function open(order: OpenOrder): Promise<void> {
  counts = new Uint32Array(order.sockets);
  const waiting = Array.from({ length: order.sockets }, (_, index) => index);
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
        sockets.push(await subscribe(order, index));
      }
    }),
  );
}

async function subscribe({ port, tokens, query }: OpenOrder, index: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, 'graphql-transport-ws', {
    perMessageDeflate: false,
    skipUTF8Validation: true,
  });
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'connection_init', payload: { token: tokens[index % tokens.length] } }));
  const acknowledged = JSON.stringify(String(await once(socket, 'message')));
  if (!acknowledged.includes('connection_ack')) throw new Error(`not let in: ${acknowledged}`);
  socket.on('message', (data) => receive(data as Buffer, index));
  socket.on('close', (code) => fail(`a socket was closed with ${code}`));
  socket.send(JSON.stringify({ type: 'subscribe', id: `${index}`.padStart(36, 'x'), payload: { query } }));
  return socket;
}

function receive(data: Buffer, index: number): void {
  if (!data.includes('"next"') || data.includes('"errors"')) fail(`unexpected: ${data.toString()}`);
  count++;
  counts[index] = (counts[index] ?? 0) + 1;
  if (latencies === null) return;
  const at = data.indexOf(TAG) + TAG.length;
  latencies.push(wallClock() - Number(data.toString('latin1', at, at + TAG_LENGTH)));
}

async function close(): Promise<void> {
  for (const socket of sockets) {
    socket.removeAllListeners('close');
    socket.terminate();
  }
  sockets = [];
  await sleep(200);
}

function tell(report: ClientReport): void {
  process.send?.(report);
}

function fail(reason: string): void {
  tell({ kind: 'failed', reason });
}

process.on('message', (order: ClientOrder) => {
  switch (order.kind) {
    case 'open':
      return void open(order).then(
        () => tell({ kind: 'open' }),
        (error: unknown) => fail(String(error)),
      );
    case 'measure':
      count = 0;
      counts.fill(0);
      latencies = order.latencies ? [] : null;
      return tell({ kind: 'measuring' });
    case 'report': {
      const fewest = counts.reduce((least, each) => Math.min(least, each), Number.POSITIVE_INFINITY);
      return tell({ kind: 'report', count, fewest, latencies: Float64Array.from(latencies ?? []) });
    }
    default:
      return void close().then(() => tell({ kind: 'closed' }));
  }
});
