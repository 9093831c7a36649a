// The thread of load.ts.
import { connect, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { MARKER } from './letters.ts';
import type { LoadOptions, LoadResult } from './load.ts';

const options = workerData as LoadOptions;
const { bodies, connections, itemsPerRequest, until, expect } = options;

/** A request as bytes, with the places of its markers. */
interface Request {
  readonly bytes: Buffer;
  readonly places: readonly number[];
}

const templates = bodies.map((body): Request => {
  const content = Buffer.from(body);
  const head =
    `POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:${options.port}\r\nAuthorization: Bearer ${options.token}\r\n` +
    `Content-Type: application/json\r\nAccept: application/json\r\nContent-Length: ${content.length}\r\n\r\n`;
  const bytes = Buffer.concat([Buffer.from(head), content]);
  const places: number[] = [];
  for (let at = bytes.indexOf(MARKER); at !== -1; at = bytes.indexOf(MARKER, at + MARKER.length)) places.push(at);
  return { bytes, places };
});

const latencies: number[] = [];
let taken = 0;
let answered = 0;
let startedAt = 0;
let measuredFrom = 0;
let endsAt = Number.POSITIVE_INFINITY;
let lastAnswerAt = 0;

class Connection {
  readonly #socket: Socket;
  /** Own copies: a request may still be on its way out while another connection fills in the same template. */
  readonly #requests = new Map<number, Request>();
  #pending: Buffer = Buffer.alloc(0);
  #missing = 0;
  #sentAt = 0;
  readonly ended = Promise.withResolvers<void>();

  constructor() {
    this.#socket = connect({ host: '127.0.0.1', port: options.port, noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk));
    this.#socket.on('error', (error) => this.ended.reject(error));
    this.#socket.on('close', () => this.ended.reject(new Error('the server closed a connection')));
  }

  opened(): Promise<void> {
    return new Promise((resolve) => this.#socket.once('connect', () => resolve()));
  }

  send(): void {
    const done = 'requests' in until ? taken === until.requests : performance.now() >= endsAt;
    if (done) {
      this.ended.resolve();
      this.#socket.destroy();
      return;
    }
    const index = taken++;
    const request = this.#request(index % templates.length);
    fillIn(request, options.first + index * itemsPerRequest);
    this.#sentAt = performance.now();
    this.#socket.write(request.bytes);
  }

  #request(index: number): Request {
    const known = this.#requests.get(index);
    if (known !== undefined) return known;
    const template = templates[index];
    if (template === undefined) throw new Error('there is nothing to send');
    const own = { bytes: Buffer.from(template.bytes), places: template.places };
    this.#requests.set(index, own);
    return own;
  }

  #read(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    if (this.#pending.length < this.#missing) return;
    const headEnd = this.#pending.indexOf('\r\n\r\n');
    if (headEnd === -1) return;
    const head = this.#pending.toString('latin1', 0, headEnd);
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    if (length === undefined) return this.#fail(`an answer without a length:\n${this.#pending.toString()}`);
    this.#missing = headEnd + 4 + Number(length);
    if (this.#pending.length < this.#missing) return;
    const answer = this.#pending.subarray(headEnd + 4, this.#missing);
    this.#pending = this.#pending.subarray(this.#missing);
    this.#missing = 0;
    this.#answered(head, answer);
  }

  #answered(head: string, answer: Buffer): void {
    const now = performance.now();
    if (!head.startsWith('HTTP/1.1 200 ') || occurrences(answer) !== expect.count) {
      return this.#fail(`an unexpected answer:\n${head}\n\n${answer.toString('utf8', 0, 2_000)}`);
    }
    answered++;
    lastAnswerAt = now;
    if (now >= measuredFrom && now < endsAt) latencies.push(now - this.#sentAt);
    this.send();
  }

  #fail(reason: string): void {
    this.ended.reject(new Error(reason));
    this.#socket.destroy();
  }
}

function fillIn({ bytes, places }: Request, first: number): void {
  const perItem = places.length / itemsPerRequest;
  for (let index = 0; index < places.length; index++) {
    let rest = first + Math.floor(index / perItem);
    const place = places[index] ?? 0;
    for (let digit = MARKER.length - 1; digit >= 0; digit--) {
      bytes[place + digit] = 48 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
  }
}

function occurrences(answer: Buffer): number {
  let count = 0;
  for (let at = answer.indexOf(expect.text); at !== -1; at = answer.indexOf(expect.text, at + 1)) count++;
  return count;
}

async function run(): Promise<LoadResult> {
  const all = Array.from({ length: connections }, () => new Connection());
  const ends = Promise.all(all.map(({ ended }) => ended.promise));
  await Promise.race([Promise.all(all.map((connection) => connection.opened())), ends]);
  startedAt = performance.now();
  measuredFrom = startedAt;
  if ('seconds' in until) {
    measuredFrom = startedAt + until.warmUpSeconds * 1_000;
    endsAt = measuredFrom + until.seconds * 1_000;
  }
  for (const connection of all) connection.send();
  await ends;
  const requests = 'requests' in until ? answered : latencies.length;
  return {
    requests,
    items: requests * itemsPerRequest,
    seconds: 'requests' in until ? (lastAnswerAt - startedAt) / 1_000 : until.seconds,
    latencies: Float64Array.from(latencies),
    next: options.first + taken * itemsPerRequest,
  };
}

try {
  parentPort?.postMessage(await run());
} catch (error) {
  parentPort?.postMessage({ failure: error instanceof Error ? error.message : String(error) });
}
parentPort?.close();
