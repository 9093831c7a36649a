// Writes answers of subscriptions to a WebSocket as frames of our own (RFC 6455 §5.2), many with one call of the system. Of
// `ws` each frame would be two writes, and the text of each encoded again for each subscriber.
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Sink } from './pushed-stream.ts';

/** A whole text message, not masked: what a server sends. */
const TEXT = 0x81;
const CLOSING_BRACE = 0x7d;
/** Of one write: what a slow reader may keep waiting here at once. */
const WRITE_BYTES = 64 * 1_024;

/** One for each socket. */
export class Outlet {
  readonly #socket: WebSocket;
  readonly #stream: Duplex;
  #waiting: (() => void)[] = [];

  constructor(socket: WebSocket, stream: Duplex) {
    this.#socket = socket;
    this.#stream = stream;
  }

  /** For the subscription with this id. */
  sinkFor(id: string): Sink {
    const head = Buffer.from(`{"id":${JSON.stringify(id)},"type":"next","payload":`);
    return {
      send: (bodies) => this.#send(head, bodies),
      onRoom: (callback) => this.#onRoom(callback),
    };
  }

  #send(head: Buffer, bodies: readonly Buffer[]): number {
    let taken = 0;
    while (taken < bodies.length && this.#hasRoom) {
      let bytes = 0;
      let end = taken;
      for (; end < bodies.length && (bytes < WRITE_BYTES || end === taken); end++) {
        bytes += frameLength(head.length + (bodies[end]?.length ?? 0) + 1);
      }
      this.#stream.write(framesOf(head, bodies.slice(taken, end), bytes));
      taken = end;
    }
    return taken;
  }

  get #hasRoom(): boolean {
    return this.#socket.readyState === this.#socket.OPEN && !this.#stream.writableNeedDrain;
  }

  #onRoom(callback: () => void): void {
    // One listener, however many operations the socket has.
    if (this.#waiting.push(callback) > 1) return;
    this.#stream.once('drain', () => {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const wake of waiting) wake();
    });
  }
}

function framesOf(head: Buffer, bodies: readonly Buffer[], bytes: number): Buffer {
  const frames = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const body of bodies) {
    at = writeHeader(frames, at, head.length + body.length + 1);
    frames.set(head, at);
    at += head.length;
    frames.set(body, at);
    at += body.length;
    frames[at++] = CLOSING_BRACE;
  }
  return frames;
}

function frameLength(payload: number): number {
  return payload + (payload < 126 ? 2 : payload < 65_536 ? 4 : 10);
}

function writeHeader(frames: Buffer, at: number, payload: number): number {
  frames[at] = TEXT;
  if (payload < 126) {
    frames[at + 1] = payload;
    return at + 2;
  }
  if (payload < 65_536) {
    frames[at + 1] = 126;
    return frames.writeUInt16BE(payload, at + 2);
  }
  frames[at + 1] = 127;
  return frames.writeBigUInt64BE(BigInt(payload), at + 2);
}
